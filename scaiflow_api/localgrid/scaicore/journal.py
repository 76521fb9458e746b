"""What one run tells and does, on its way into the store. A run that is taken up again reads it back."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from scaiflow_api.expressions import Value
from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.runtime.events import (
    INVOCATION_COMPLETED,
    INVOCATION_FAILED,
    INVOCATION_STARTED,
    RuntimeEvent,
)
from scaiflow_api.localgrid.runtime.failures import BlockFailed, RunFailed
from scaiflow_api.localgrid.runtime.lane import CutOff, Work
from scaiflow_api.localgrid.scaicore import checkpoint_table, execution_table
from scaiflow_api.localgrid.scaicore.event_log import NewEvent, append
from scaiflow_api.localgrid.scaicore.execution_table import Ancestry, Past
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.store import Store
from scaiflow_api.localgrid.wire_time import wire_time

_MOST_WAITING = 512


@dataclass(slots=True)
class _Batch:
    """What is written in one transaction."""

    events: list[NewEvent] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    steps: dict[str, str | None] = field(default_factory=dict)
    work: list[Callable[[sqlite3.Connection], None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.events or self.steps or self.work)


class Journal:
    """Writes what a run tells and does, in batches, as fast as the store takes them. Implements `Record`."""

    def __init__(
        self, store: Store, clock: Clock, invocation: Invocation, execution_id: str, past: Past | None = None
    ) -> None:
        self.execution_id = execution_id
        self._past = past or Past()
        self._store = store
        self._clock = clock
        self._invocation = invocation
        self._waiting = _Batch()
        self._writer: asyncio.Task[None] | None = None
        self._started = time.monotonic()
        self._is_closed = False

    def begin(self, ancestry: Ancestry | None, limit_s: float) -> None:
        """Note that it runs, and take the first event. Both are written before any effect."""
        invocation = self._invocation
        self._waiting.events.append(
            self._event(RuntimeEvent(INVOCATION_STARTED, {"input": dict(invocation.input), "node_id": None}))
        )
        self.write(
            partial(
                execution_table.insert,
                execution_id=self.execution_id,
                invocation=invocation,
                ancestry=ancestry,
                limit_s=limit_s,
            )
        )

    def close(self) -> None:
        """Keep nothing from now on: the run ends with the process, and what it does then says nothing about it."""
        self._is_closed = True

    def check_open(self) -> None:
        """Begin nothing that could not be kept. Raises CancelledError."""
        if self._is_closed:
            raise asyncio.CancelledError

    # Events

    def emit(self, lane: str, number: int, event: RuntimeEvent) -> None:
        """Take an event. It is written with all that waits when the store is free."""
        if self._is_closed or number < self._past.events.get(lane, 0):
            return
        self._waiting.events.append(self._event(event))
        self._waiting.told[lane] = number + 1
        self._write_soon()

    async def pace(self) -> None:
        """Let others have their turn, and wait while too much waits to be written."""
        await asyncio.sleep(0)
        if len(self._waiting.events) > _MOST_WAITING:
            await self.settle()

    async def settle(self) -> None:
        """Wait until everything taken so far is written."""
        if self._writer is not None:
            # A branch that waits here may be cancelled; the events of the others are still to be written.
            await asyncio.shield(self._writer)

    # Steps

    async def once(self, place: str, work: Work) -> Value:
        """Do work that must not be done twice, or return what came of it. Raises BlockFailed."""
        if place in self._past.steps:
            return _came_of(self._past.steps[place])
        self._keep(place, None)
        has_begun = False
        try:
            await self.settle()
            self.check_open()
            has_begun = True
            value = await work()
            outcome = _written({"value": value})
        except BlockFailed as failure:
            self._keep(place, _failed(failure))
            raise
        except asyncio.CancelledError:
            if self._is_closed and not has_begun:
                self._forget(place)
            self._keep(place, _written({"cut": True}))
            raise
        self._keep(place, outcome)
        return value

    def failure_at(self, place: str) -> BlockFailed | None:
        """Return the failure that was kept."""
        kept = self._past.steps.get(place)
        return None if kept is None else _failure(orjson.loads(kept)["failed"])

    def keep_failure(self, place: str, failure: BlockFailed) -> None:
        """Keep a failure that going through the flow again might not meet again."""
        self._keep(place, _failed(failure))

    def child_at(self, place: str) -> str | None:
        """Return the run that was called there."""
        return self._past.children.get(place)

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Have something written, behind all events taken so far."""
        if not self._is_closed:
            self._waiting.work.append(work)
            self._write_soon()

    # The end

    async def complete(self, output: Value) -> Execution:
        execution = Execution(id=self.execution_id, status="COMPLETED", output=output)
        await self._finish(execution, INVOCATION_COMPLETED, {"output": output, "node_id": None})
        return execution

    async def fail(self, failed: RunFailed) -> Execution:
        error = failed.as_dict()
        execution = Execution(id=self.execution_id, status="FAILED", error=error)
        await self._finish(execution, INVOCATION_FAILED, {"error": error, "node_id": failed.node_id})
        return execution

    async def _finish(self, execution: Execution, event_type: str, payload: dict[str, Any]) -> None:
        """Write the last event, end what still asks, and forget what only going on needs, in one transaction."""
        duration_ms = int((time.monotonic() - self._started) * 1000)
        last = self._event(RuntimeEvent(event_type, {**payload, "duration_ms": duration_ms}))
        now = self._clock.now()

        def keep(connection: sqlite3.Connection) -> None:
            checkpoint_table.cancel_pending(connection, self.execution_id, now)
            append(connection, [last])
            execution_table.end(connection, execution)

        self.write(keep)
        await self.settle()

    # Writing

    def _keep(self, place: str, outcome: str | None) -> None:
        if not self._is_closed:
            self._waiting.steps[place] = outcome
            self._write_soon()

    def _forget(self, place: str) -> None:
        """Take back that a step was begun, which is true even though the journal is closed."""
        self._waiting.work.append(
            partial(execution_table.forget_step, execution_id=self.execution_id, place=place)
        )
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, _Batch()
            await self._store.write(partial(self._write_batch, batch=batch))

    def _write_batch(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        append(connection, batch.events)
        execution_table.keep_lanes(connection, self.execution_id, batch.told)
        execution_table.keep_steps(connection, self.execution_id, batch.steps)
        for work in batch.work:
            work(connection)

    def _event(self, event: RuntimeEvent) -> NewEvent:
        core, invocation = self._invocation.core, self._invocation
        payload = {"execution_id": self.execution_id, "flow_name": invocation.flow.name, **event.payload}
        if invocation.instance_key is not None and event.type.startswith("scaicore.runtime.invocation."):
            payload["instance_key"] = invocation.instance_key
        return NewEvent(core.tenant_id, core.id, event.type, wire_time(self._clock.now()), payload)


def _written(outcome: dict[str, Any]) -> str:
    try:
        return orjson.dumps(outcome).decode()
    except orjson.JSONEncodeError as error:
        raise BlockFailed("OUTPUT_INVALID", f"the answer cannot be written as JSON: {error}") from None


def _failed(failure: BlockFailed) -> str:
    return _written({"failed": [failure.code, failure.message, failure.node_id]})


def _failure(kept: list[str]) -> BlockFailed:
    code, message, node_id = kept
    return BlockFailed(code, message).at(node_id)


def _came_of(outcome: str | None) -> Value:
    """Return the value of a step, or raise its failure."""
    if outcome is None:
        raise BlockFailed(
            "INTERRUPTED",
            "the grid was stopped while this was done; it is not done again, lest it happen twice",
        )
    kept: dict[str, Any] = orjson.loads(outcome)
    if "cut" in kept:
        raise CutOff
    if "failed" in kept:
        raise _failure(kept["failed"])
    value: Value = kept["value"]
    return value
