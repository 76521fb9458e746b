"""Runs of Cores: started by an invocation, followed through their events.

A run is a task of its own. An invocation waits for it for a while and then answers RUNNING; the run goes on, and
its end can be read from its events. A run that the process did not survive is failed at the next start.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.config import GridConfig
from scaiflow_api.localgrid.core_table import Core
from scaiflow_api.localgrid.event_log import NewEvent, append
from scaiflow_api.localgrid.models.registry import RoleRegistry
from scaiflow_api.localgrid.runtime.events import (
    INVOCATION_COMPLETED,
    INVOCATION_FAILED,
    INVOCATION_STARTED,
    RuntimeEvent,
)
from scaiflow_api.localgrid.runtime.failures import RunFailed
from scaiflow_api.localgrid.runtime.interpreter import Run
from scaiflow_api.localgrid.runtime.model_calls import ModelProvider
from scaiflow_api.localgrid.store import Store

_log = logging.getLogger(__name__)

_MOST_WAITING = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The state of a run, as an invocation answers it."""

    id: str
    status: str
    """`RUNNING`, `COMPLETED` or `FAILED`."""
    output: Value = None
    error: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the execution as it goes on the wire."""
        error = {} if self.error is None else {"error": dict(self.error)}
        return {"execution_id": self.id, "status": self.status, "output": self.output, **error}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What shall run."""

    core: Core
    module: ir.Module
    flow: ir.Flow
    input: Mapping[str, Value]
    instance_key: str | None = None


def wire_time(moment: datetime) -> str:
    """Return a time as ScaiGrid writes it: UTC, milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class Runs:
    """Starts runs and follows them to their end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        config: GridConfig,
        provider: ModelProvider,
        is_served: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._provider = provider
        self._is_served = is_served
        self._tasks: set[asyncio.Task[Execution]] = set()

    async def recover(self) -> None:
        """Fail the runs that the last process left behind."""
        now = wire_time(self._clock.now())
        error = RunFailed("INTERRUPTED", "the grid was stopped while this ran").as_dict()

        def fail(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT * FROM running").fetchall()
            failed = [
                NewEvent(
                    row["tenant_id"],
                    row["core_id"],
                    INVOCATION_FAILED,
                    now,
                    {
                        "execution_id": row["execution_id"],
                        "flow_name": row["flow_name"],
                        "error": error,
                        "node_id": None,
                    },
                )
                for row in rows
            ]
            append(connection, failed)
            connection.execute("DELETE FROM running")

        await self._store.write(fail)

    async def close(self) -> None:
        """Stop what still runs; the next `recover` will tell."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def invoke(self, invocation: Invocation) -> Execution:
        """Start a run and wait for it, though not longer than `invoke_wait_s`."""
        journal = _Journal(self._store, self._clock, invocation)
        await journal.begin()
        task = asyncio.create_task(self._execute(invocation, journal), name=journal.execution_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=self._config.invoke_wait_s)
        return task.result() if done else Execution(id=journal.execution_id, status="RUNNING")

    async def _execute(self, invocation: Invocation, journal: "_Journal") -> Execution:
        run = Run(
            invocation.module,
            invocation.flow,
            invocation.input,
            models=RoleRegistry(invocation.module.models, self._provider, self._is_served),
            sink=journal,
            max_blocks=self._config.max_blocks,
        )
        limit_s = self._config.run_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                output = _sendable(await run.execute())
        except RunFailed as failed:
            return await journal.fail(failed)
        except TimeoutError:
            return await journal.fail(RunFailed("RUN_TIMEOUT", f"the run took longer than {limit_s:g} s"))
        except Exception:
            # Nobody may be waiting for this task any more, so the bug is told here.
            _log.exception("a run of Core %s met a bug", invocation.core.id)
            return await journal.fail(
                RunFailed("INTERNAL_ERROR", "the grid's runtime has a bug; its log says more")
            )
        finally:
            await journal.settle()
        return await journal.complete(output)


def _sendable(output: Value) -> Value:
    """Return `output`. Raises RunFailed when it is too deep to be written as JSON."""
    try:
        orjson.dumps(output)
    except orjson.JSONEncodeError:
        raise RunFailed(
            "OUTPUT_INVALID", "the output cannot be written as JSON; it may be nested too deeply"
        ) from None
    return output


class _Journal:
    """Writes the events of one run into the store, in batches, as fast as the store takes them."""

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
        await asyncio.sleep(0)
        if self._writer is not None and len(self._waiting) > _MOST_WAITING:
            await self._writer

    async def settle(self) -> None:
        """Wait until every event taken so far is written."""
        if self._writer is not None:
            await self._writer

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
