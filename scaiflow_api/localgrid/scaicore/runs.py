"""Runs of Cores: started by an invocation, followed through their events, suspended at checkpoints.

A run is a task of its own. An invocation waits until it ends or waits for people, though not for ever: then it
answers RUNNING, the run goes on, and its end can be read from its events. What the last process left behind is taken
up again at start.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

import orjson

from scaiflow_api.compiler import ManifestError
from scaiflow_api.expressions import Value
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.config import GridConfig
from scaiflow_api.localgrid.models.registry import RoleRegistry
from scaiflow_api.localgrid.runtime.budget import BlockBudget
from scaiflow_api.localgrid.runtime.events import INVOCATION_FAILED
from scaiflow_api.localgrid.runtime.failures import RunFailed
from scaiflow_api.localgrid.runtime.interpreter import Run
from scaiflow_api.localgrid.runtime.model_calls import ModelProvider
from scaiflow_api.localgrid.scaicore import checkpoint_table, execution_table
from scaiflow_api.localgrid.scaicore.core_calls import CoreCalls
from scaiflow_api.localgrid.scaicore.event_log import NewEvent, append
from scaiflow_api.localgrid.scaicore.execution_table import Ancestry, Executions, Past, Unfinished
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.scaicore.journal import Journal
from scaiflow_api.localgrid.scaicore.live_run import LiveRun
from scaiflow_api.localgrid.scaicore.manifests import find_flow, read_verified
from scaiflow_api.localgrid.scaicore.plugins import GridPlugins
from scaiflow_api.localgrid.store import Store
from scaiflow_api.localgrid.wire_time import wire_time

_log = logging.getLogger(__name__)


class Runs:
    """Starts runs, takes them up again, and follows them to their end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        config: GridConfig,
        provider: ModelProvider,
        is_served: Callable[[str], bool],
        plugins: GridPlugins,
    ) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._provider = provider
        self._is_served = is_served
        self._plugins = plugins
        self._live: dict[str, LiveRun] = {}
        self._budgets: WeakValueDictionary[str, BlockBudget] = WeakValueDictionary()

    async def recover(self) -> None:
        """Take up again what the last process left behind."""
        for left in await Executions(self._store).unfinished():
            invocation = await _invocation_of(left)
            if invocation is None:
                await self._store.write(partial(_give_up, left=left, now=self._clock.now()))
            else:
                self._add(left.id, invocation, left.root_id, left.limit_s, left.past)
        # All are known before one goes on: a run may wait for another one.
        for live in list(self._live.values()):
            self._go(live, is_new=False)

    async def close(self) -> None:
        """Stop what still runs; the next `recover` takes it up."""
        running = list(self._live.values())
        for live in running:
            live.close()
        await asyncio.gather(*(live.task for live in running if live.task), return_exceptions=True)
        await asyncio.gather(*(live.journal.settle() for live in running), return_exceptions=True)

    async def invoke(self, invocation: Invocation) -> Execution:
        """Start a run and wait until it stands still, though not longer than `invoke_wait_s`."""
        live = self.start(invocation)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.invoke_wait_s):
                await live.standstill()
        return live.state

    def start(
        self, invocation: Invocation, ancestry: Ancestry | None = None, limit_s: float | None = None
    ) -> LiveRun:
        """Start a run that may take so many seconds, and no longer than any."""
        longest = self._config.run_timeout_s
        limit_s = longest if limit_s is None else min(limit_s, longest)
        execution_id = new_id("exec")
        root_id = execution_id if ancestry is None else ancestry.root_id
        live = self._add(execution_id, invocation, root_id, limit_s, Past())
        self._go(live, ancestry)
        return live

    def live(self, execution_id: str) -> LiveRun | None:
        """Return a run that has not ended."""
        return self._live.get(execution_id)

    async def find(self, tenant_id: str, execution_id: str) -> Execution | None:
        """Return an execution as it stands."""
        found = await Executions(self._store).find(tenant_id, execution_id)
        live = self.live(execution_id)
        return live.state if found is not None and live is not None else found

    async def cancel(self, execution_id: str) -> Execution | None:
        """End a run, and those that it waits for; None: it has ended already. Return how it ended."""
        live = self.live(execution_id)
        if live is None or live.task is None:
            return None
        _cancel(live)
        await asyncio.wait({live.task})
        return live.state

    async def cancel_runs_of(self, core_id: str) -> None:
        """End all runs of a Core."""
        for live in list(self._live.values()):
            if live.invocation.core.id == core_id:
                await self.cancel(live.id)

    def _add(
        self, execution_id: str, invocation: Invocation, root_id: str, limit_s: float, past: Past
    ) -> LiveRun:
        journal = Journal(self._store, self._clock, invocation, execution_id, past)
        live = LiveRun(invocation, journal, self._clock, limit_s, root_id, past.checkpoints)
        self._live[execution_id] = live
        return live

    def _go(self, live: LiveRun, ancestry: Ancestry | None = None, *, is_new: bool = True) -> None:
        budget = self._budgets.setdefault(live.root_id, BlockBudget(self._config.max_blocks))
        execute = self._execute_to_the_end(live, budget, ancestry, is_new=is_new)
        live.start(asyncio.create_task(execute, name=live.id))
        assert live.task is not None
        live.task.add_done_callback(lambda _: self._live.pop(live.id, None))

    async def _execute_to_the_end(
        self, live: LiveRun, budget: BlockBudget, ancestry: Ancestry | None, *, is_new: bool
    ) -> Execution:
        execution = await self._execute(live, budget, ancestry, is_new=is_new)
        await self._plugins.end(live.id)
        return execution

    async def _execute(
        self, live: LiveRun, budget: BlockBudget, ancestry: Ancestry | None, *, is_new: bool
    ) -> Execution:
        invocation, journal = live.invocation, live.journal
        if is_new:
            journal.begin(ancestry, live.limit_s)
        run = Run(
            invocation.module,
            invocation.flow,
            invocation.input,
            models=RoleRegistry(invocation.module.models, self._provider, self._is_served),
            cores=CoreCalls(self._store, self, live),
            plugins=self._plugins.of(invocation, live.id),
            record=journal,
            people=live,
            traffic=live,
            budget=budget,
        )
        try:
            async with asyncio.timeout(live.limit_s) as limit:
                with live.limited_by(limit):
                    output = _sendable(await run.execute())
        except RunFailed as failed:
            return await journal.fail(failed)
        except TimeoutError:
            return await journal.fail(live.why_ended())
        except Exception:
            # Nobody may be waiting for this task any more, so the bug is told here.
            _log.exception("a run of Core %s met a bug", invocation.core.id)
            return await journal.fail(
                RunFailed("INTERNAL_ERROR", "the grid's runtime has a bug; its log says more")
            )
        return await journal.complete(output)


def _cancel(live: LiveRun) -> None:
    live.end(RunFailed("CANCELLED", "the execution was cancelled"))
    for called in live.called:
        _cancel(called)


async def _invocation_of(left: Unfinished) -> Invocation | None:
    """Return what a run was doing; None: its Core is gone, or cannot be read any more."""
    if left.core is None:
        return None
    try:
        module = await asyncio.to_thread(read_verified, left.core.manifest)
    except ManifestError:
        return None
    flow = find_flow(module, left.flow_name)
    if flow is None:
        return None
    return Invocation(
        core=left.core,
        module=module,
        flow=flow,
        input=left.input,
        instance_key=left.instance_key,
        depth=left.depth,
    )


def _give_up(connection: sqlite3.Connection, left: Unfinished, now: datetime) -> None:
    failed = RunFailed("INTERRUPTED", "the grid was stopped while this ran, and its Core is gone").as_dict()
    payload = {"execution_id": left.id, "flow_name": left.flow_name, "error": failed, "node_id": None}
    checkpoint_table.cancel_pending(connection, left.id, now)
    event = NewEvent(left.tenant_id, left.core_id, INVOCATION_FAILED, wire_time(now), payload)
    append(connection, [event])
    execution_table.end(connection, Execution(id=left.id, status="FAILED", error=failed))


def _sendable(output: Value) -> Value:
    """Return `output`. Raises RunFailed when it is too deep to be written as JSON."""
    try:
        orjson.dumps(output)
    except orjson.JSONEncodeError:
        raise RunFailed(
            "OUTPUT_INVALID", "the output cannot be written as JSON; it may be nested too deeply"
        ) from None
    return output
