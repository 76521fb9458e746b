"""Telling the audit log of what happens beyond the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Detail, Entry, append
from scaiflow_api.db.session import Database
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError

log = structlog.get_logger(__name__)


@asynccontextmanager
async def told(db: Database, clock: Clock, caller: Caller, entry: Entry) -> AsyncIterator[dict[str, Detail]]:
    """Tell that the block begins, and how it ended; what it adds to the details stands in the row of its end.

    Without the first row nothing begins: raises DatabaseUnavailable. What the block did cannot be taken back, so
    the second one, if it cannot be written, is missed in silence; then the log holds a start without an end.
    """
    await append(db, caller, replace(entry, outcome="started"), clock.now())
    details = dict(entry.details)
    try:
        yield details
    except (Exception, asyncio.CancelledError) as failure:
        details["error"] = _code(failure)
        await _end(db, clock, caller, replace(entry, outcome="failed", details=details))
        raise
    await _end(db, clock, caller, replace(entry, details=details))


async def _end(db: Database, clock: Clock, caller: Caller, entry: Entry) -> None:
    try:
        await append(db, caller, entry, clock.now())
    except Exception:
        log.exception("audit row not written", action=entry.action, outcome=entry.outcome)


def _code(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled"
    if isinstance(failure, UpstreamError):
        failure = as_app_error(failure)
    return failure.error if isinstance(failure, AppError) else type(failure).__name__
