"""Telling the audit log of what happens beyond the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Detail, Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError


@asynccontextmanager
async def told(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[dict[str, Detail]]:
    """Tell that the block begins, and how it ended; what it adds to the details stands in the row of its end.

    Without the first row nothing begins: raises DatabaseUnavailable. What the block did cannot be taken back, so
    nobody waits for the second one; where it is missing, how it ended is not known.
    """
    details = dict(entry.details)
    try:
        await audit.append(caller, replace(entry, outcome="started"))
    except asyncio.CancelledError as given_up:
        _end(audit, caller, entry, details, given_up)
        raise
    try:
        yield details
    except (Exception, asyncio.CancelledError) as failure:
        _end(audit, caller, entry, details, failure)
        raise
    audit.append_soon(caller, replace(entry, details=details))


def _end(
    audit: AuditTrail, caller: Caller, entry: Entry, details: dict[str, Detail], failure: BaseException
) -> None:
    told = {**details, "error": _code(failure)}
    audit.append_soon(caller, replace(entry, outcome="failed", details=told))


def _code(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled"
    if isinstance(failure, UpstreamError):
        failure = as_app_error(failure)
    return failure.error if isinstance(failure, AppError) else type(failure).__name__
