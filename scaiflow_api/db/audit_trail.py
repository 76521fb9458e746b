"""Rows of the audit log that belong to no transaction: refusals, and what reaches beyond the database.

Rows of one tenant that arrive while another is being written share the next transaction: syncing the disk takes
longest, and takes as long for ten rows as for one. The row of how something ended is not urgent: it is written with
the tenant's next row, or after `LINGER_S`. A process that dies before that leaves a start without an end.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry, Occurrence, write_down
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.session import Database
from scaiflow_api.kit.clock import Clock

log = structlog.get_logger(__name__)

LINGER_S: Final = 0.02
_AT_ONCE: Final = 100
"""Rows in one transaction."""


class AuditTrail:
    """Writes rows that stand alone. One per process; `close` writes what is left."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._queues: dict[str, _Queue] = {}

    async def append(self, by: Caller | None, entry: Entry) -> None:
        """Write a row; it is on the disk when this returns. Raises DatabaseUnavailable.

        The row is written even if the caller is cancelled meanwhile.
        """
        await asyncio.shield(self._put(by, entry, urgent=True))

    def append_soon(self, by: Caller | None, entry: Entry) -> None:
        """Write a row for which nobody waits. A failure to write it is logged."""
        self._put(by, entry, urgent=False).add_done_callback(partial(_log_failure, entry))

    async def settled(self, tenant_id: str) -> None:
        """Wait until all rows of a tenant that this process was given are written, or could not be."""
        if (queue := self._queues.get(tenant_id)) is not None:
            queue.hurry()
            await asyncio.wait(queue.written)

    async def close(self) -> None:
        """Write what is left."""
        while self._queues:
            await self.settled(next(iter(self._queues)))

    def _put(self, by: Caller | None, entry: Entry, *, urgent: bool) -> asyncio.Future[None]:
        queue = self._queues.get(entry.tenant_id)
        if queue is None:
            queue = self._queues[entry.tenant_id] = _Queue(
                self._db, lambda: self._queues.pop(entry.tenant_id)
            )
        return queue.put(Occurrence(by, entry, self._clock.now()), urgent=urgent)


def _log_failure(entry: Entry, written: asyncio.Future[None]) -> None:
    if not written.cancelled() and (failure := written.exception()) is not None:
        log.error("audit row not written", action=entry.action, outcome=entry.outcome, exc_info=failure)


@dataclass(frozen=True, slots=True)
class _Waiting:
    occurrence: Occurrence
    urgent: bool
    written: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    context: Context = field(default_factory=copy_context)
    """The context of the caller, in whose trace the writing belongs."""


class _Queue:
    """The rows of one tenant, written in batches one after the other. Tenants do not wait for each other."""

    def __init__(self, db: Database, emptied: Callable[[], object]) -> None:
        self._db = db
        self._emptied = emptied
        self._rows: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def written(self) -> list[asyncio.Future[None]]:
        """A future for each row that waits; it is done when the row is written, or could not be."""
        return [row.written for row in self._rows]

    def put(self, occurrence: Occurrence, *, urgent: bool) -> asyncio.Future[None]:
        row = _Waiting(occurrence, urgent)
        self._rows.append(row)
        self._go_on(at_once=urgent)
        return row.written

    def hurry(self) -> None:
        self._go_on(at_once=True)

    def _go_on(self, *, at_once: bool) -> None:
        if self._task is not None:
            return
        if at_once:
            self._begin()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._begin)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lot = self._rows[:_AT_ONCE]
        context = next((row.context for row in lot if row.urgent), lot[0].context)
        self._task = asyncio.create_task(self._work(lot), context=context)

    async def _work(self, lot: list[_Waiting]) -> None:
        try:
            await self._write(lot)
        finally:
            self._task = None
            del self._rows[: len(lot)]
            for row in lot:
                row.written.cancel()  # no effect but where this task was cancelled
            if self._rows:
                self._go_on(at_once=any(row.urgent for row in self._rows))
            else:
                self._emptied()

    async def _write(self, lot: list[_Waiting]) -> None:
        occurrences = [row.occurrence for row in lot]
        try:
            await self._db.carry_out(lambda connection: write_down(connection, occurrences))
        except Exception as failure:
            if len(lot) > 1 and not isinstance(failure, DatabaseUnavailable):
                # One of them cannot be written; the others can.
                for row in lot:
                    await self._write([row])
                return
            for row in lot:
                row.written.set_exception(failure)
        else:
            for row in lot:
                row.written.set_result(None)
