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


class Telling:
    """What the log is told of a block."""

    def __init__(self, audit: AuditTrail, caller: Caller, entry: Entry) -> None:
        self._audit = audit
        self._caller = caller
        self._entry = entry
        self._begun: asyncio.Future[None] | None = None
        self.details: dict[str, Detail] = dict(entry.details)
        """Of the row of the block's end."""

    async def begin(self) -> None:
        """Tell that the block begins, if that was not told; it is on the disk when this returns.

        Raises DatabaseUnavailable.
        """
        if self._begun is None:
            self._begun = self._audit.appending(self._caller, self._started())
        await asyncio.shield(self._begun)

    def end(self, failure: BaseException | None) -> None:
        """Tell how the block ended: nothing, where that is for want of its first row."""
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
    """Tell that the block begins, and how it ended; what it adds to the details stands in the row of its end.

    Without the first row nothing begins: raises DatabaseUnavailable. What the block did cannot be taken back, so
    nobody waits for the second one; where it is missing, how it ended is not known.
    """
    async with telling(audit, caller, entry) as tells:
        await tells.begin()
        yield tells.details


@asynccontextmanager
async def telling(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[Telling]:
    """Tell as `told`, for a block that calls `begin` itself, before it does anything that counts."""
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
