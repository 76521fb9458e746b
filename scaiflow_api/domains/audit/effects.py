"""Telling the audit log of what happens beyond the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Detail, Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError


@dataclass(frozen=True, slots=True)
class Telling:
    """What the log is told of a block."""

    begun: asyncio.Future[None]
    """Done when the row of its begin is on the disk, or fails with DatabaseUnavailable; await it shielded."""
    details: dict[str, Detail]
    """Of the row of its end."""

    def never_began(self, failure: BaseException) -> bool:
        """Tell whether the block failed for want of its first row."""
        return self.begun.done() and not self.begun.cancelled() and self.begun.exception() is failure


@asynccontextmanager
async def told(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[dict[str, Detail]]:
    """Tell that the block begins, and how it ended; what it adds to the details stands in the row of its end.

    Without the first row nothing begins: raises DatabaseUnavailable. What the block did cannot be taken back, so
    nobody waits for the second one; where it is missing, how it ended is not known.
    """
    async with telling(audit, caller, entry) as tells:
        await asyncio.shield(tells.begun)
        yield tells.details


@asynccontextmanager
async def telling(audit: AuditTrail, caller: Caller, entry: Entry) -> AsyncIterator[Telling]:
    """Tell as `told`, for a block that does nothing that counts before the first row is written, `begun`."""
    tells = Telling(audit.appending(caller, replace(entry, outcome="started")), dict(entry.details))
    try:
        yield tells
    except (Exception, asyncio.CancelledError) as failure:
        if not tells.never_began(failure):
            _end(audit, caller, entry, tells.details, failure)
        raise
    audit.append_soon(caller, replace(entry, details=tells.details))


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
