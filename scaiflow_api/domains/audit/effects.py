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


class Telling:
    """The two rows of one block of work."""

    def __init__(self, audit: AuditTrail, caller: Caller, entry: Entry) -> None:
        self._audit = audit
        self._caller = caller
        self._entry = entry
        self._begun: asyncio.Future[None] | None = None
        self.details: dict[str, Detail] = dict(entry.details)
        """The details of the second row; the block may add to them."""

    async def begin(self) -> None:
        """Write the first row, unless it was written already; it is on the disk when this returns.

        Raises DatabaseUnavailable.
        """
        if self._begun is None:
            self._begun = self._audit.appending(self._caller, self._started())
        await asyncio.shield(self._begun)

    def end(self, failure: BaseException | None) -> None:
        """Write how the block ended, unless it failed because its first row could not be written."""
        if self._begun is None:
            self._audit.append_soon(self._caller, self._started())
        elif failure is not None and failure is _failure_of(self._begun):
            return
        ended = replace(self._entry, details=self.details)
        if failure is not None:
            ended = replace(ended, outcome="failed", details={**self.details, "error": _code(failure)})
        self._audit.append_soon(self._caller, ended)

    def _started(self) -> Entry:
        return replace(self._entry, outcome="started")


@asynccontextmanager
async def told(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[dict[str, Detail]]:
    """Write a row before the block begins, and one of how it ended, with the details that the block added.

    If the first row cannot be written the block does not begin: raises DatabaseUnavailable. What the block did cannot
    be taken back, so nobody waits for the second row; where it is missing, the outcome is unknown.
    """
    async with telling(audit, caller, entry) as tells:
        await tells.begin()
        yield tells.details


@asynccontextmanager
async def telling(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[Telling]:
    """Do as `told`, for a block that calls `begin` itself before it does anything that has an effect."""
    tells = Telling(audit, caller, entry)
    try:
        yield tells
    except (Exception, asyncio.CancelledError) as failure:
        tells.end(failure)
        raise
    tells.end(None)


def _failure_of(written: asyncio.Future[None]) -> BaseException | None:
    return written.exception() if written.done() and not written.cancelled() else None


def _code(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled"
    if isinstance(failure, UpstreamError):
        failure = as_app_error(failure)
    return failure.error if isinstance(failure, AppError) else type(failure).__name__
