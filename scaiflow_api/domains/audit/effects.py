"""Writing to the audit log what happens beyond the database: a row before it begins, and one of how it ended."""

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
async def recording(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[dict[str, Detail]]:
    """Write a row before the block begins, and one of how it ended, with the details that the block added.

    If the first row cannot be written the block does not begin: raises DatabaseUnavailable. What the block did cannot
    be taken back, so nobody waits for the second row; where it is missing, the outcome is unknown.
    """
    try:
        await audit.append(caller, replace(entry, outcome="started"))
    except asyncio.CancelledError as given_up:  # the row is written all the same
        _tell_failure(audit, caller, entry, given_up)
        raise
    details = dict(entry.details)
    try:
        yield details
    except (Exception, asyncio.CancelledError) as failure:
        _tell_failure(audit, caller, replace(entry, details=details), failure)
        raise
    audit.append_soon(caller, replace(entry, details=details))


def _tell_failure(audit: AuditTrail, caller: Caller, entry: Entry, failure: BaseException) -> None:
    details = {**entry.details, "error": _code(failure)}
    audit.append_soon(caller, replace(entry, outcome="failed", details=details))


def _code(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled"
    if isinstance(failure, UpstreamError):
        failure = as_app_error(failure)
    return failure.error if isinstance(failure, AppError) else type(failure).__name__
