"""The events of one run, on their way into the store."""

import asyncio
import sqlite3
import time
from datetime import datetime
from functools import partial
from typing import Any

from scaiflow_api.expressions import Value
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.event_log import NewEvent, append
from scaiflow_api.localgrid.invocation import Execution, Invocation
from scaiflow_api.localgrid.runtime.events import (
    INVOCATION_COMPLETED,
    INVOCATION_FAILED,
    INVOCATION_STARTED,
    RuntimeEvent,
)
from scaiflow_api.localgrid.runtime.failures import RunFailed
from scaiflow_api.localgrid.store import Store

_MOST_WAITING = 512


def wire_time(moment: datetime) -> str:
    """Return a time as ScaiGrid writes it: UTC, milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class Journal:
    """Writes the events of one run into the store, in batches, as fast as the store takes them. A `Sink`."""

    def __init__(self, store: Store, clock: Clock, invocation: Invocation) -> None:
        self.execution_id = new_id("exec")
        self._store = store
        self._clock = clock
        self._invocation = invocation
        self._waiting: list[NewEvent] = []
        self._writer: asyncio.Task[None] | None = None
        self._started = time.monotonic()

    async def begin(self) -> None:
        """Note that it runs, and keep the first event."""
        core, invocation = self._invocation.core, self._invocation
        started = self._event(
            RuntimeEvent(INVOCATION_STARTED, {"input": dict(invocation.input), "node_id": None})
        )

        def keep(connection: sqlite3.Connection) -> None:
            row = (self.execution_id, core.id, core.tenant_id, invocation.flow.name)
            connection.execute("INSERT INTO running VALUES (?, ?, ?, ?)", row)
            append(connection, [started])

        await self._store.write(keep)

    def emit(self, event: RuntimeEvent) -> None:
        """Take an event. It is written with all others that wait when the store is free."""
        self._waiting.append(self._event(event))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())

    async def pace(self) -> None:
        """Let others have their turn, and wait while too many events wait to be written."""
        await asyncio.sleep(0)
        if len(self._waiting) > _MOST_WAITING:
            await self.settle()

    async def settle(self) -> None:
        """Wait until every event taken so far is written."""
        if self._writer is not None:
            # A branch that waits here may be cancelled; the events of the others are still to be written.
            await asyncio.shield(self._writer)

    async def complete(self, output: Value) -> Execution:
        await self._finish(INVOCATION_COMPLETED, {"output": output, "node_id": None})
        return Execution(id=self.execution_id, status="COMPLETED", output=output)

    async def fail(self, failed: RunFailed) -> Execution:
        error = failed.as_dict()
        await self._finish(INVOCATION_FAILED, {"error": error, "node_id": failed.node_id})
        return Execution(id=self.execution_id, status="FAILED", error=error)

    async def _finish(self, event_type: str, payload: dict[str, Any]) -> None:
        """Write the last event and forget that it runs, in one transaction."""
        await self.settle()
        duration_ms = int((time.monotonic() - self._started) * 1000)
        last = self._event(RuntimeEvent(event_type, {**payload, "duration_ms": duration_ms}))

        def keep(connection: sqlite3.Connection) -> None:
            append(connection, [last])
            connection.execute("DELETE FROM running WHERE execution_id = ?", (self.execution_id,))

        await self._store.write(keep)

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._store.write(partial(append, events=batch))

    def _event(self, event: RuntimeEvent) -> NewEvent:
        core, invocation = self._invocation.core, self._invocation
        payload = {"execution_id": self.execution_id, "flow_name": invocation.flow.name, **event.payload}
        if invocation.instance_key is not None and event.type.startswith("scaicore.runtime.invocation."):
            payload["instance_key"] = invocation.instance_key
        return NewEvent(core.tenant_id, core.id, event.type, wire_time(self._clock.now()), payload)
