"""Runs of Cores: started by an invocation, followed through their events.

A run is a task of its own. An invocation waits for it for a while and then answers RUNNING; the run goes on, and
its end can be read from its events. A run that the process did not survive is failed at the next start.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable

import orjson

from scaiflow_api.expressions import Value
from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.config import GridConfig
from scaiflow_api.localgrid.core_calls import CoreCalls
from scaiflow_api.localgrid.core_table import Cores
from scaiflow_api.localgrid.event_log import NewEvent, append
from scaiflow_api.localgrid.invocation import Execution, Invocation
from scaiflow_api.localgrid.journal import Journal, wire_time
from scaiflow_api.localgrid.models.registry import RoleRegistry
from scaiflow_api.localgrid.runtime.budget import BlockBudget
from scaiflow_api.localgrid.runtime.events import INVOCATION_FAILED
from scaiflow_api.localgrid.runtime.failures import RunFailed
from scaiflow_api.localgrid.runtime.interpreter import Run
from scaiflow_api.localgrid.runtime.model_calls import ModelProvider
from scaiflow_api.localgrid.store import Store

_log = logging.getLogger(__name__)


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
        budget = BlockBudget(self._config.max_blocks)
        task = self._start(invocation, budget, self._config.run_timeout_s)
        done, _ = await asyncio.wait({task}, timeout=self._config.invoke_wait_s)
        return task.result() if done else Execution(id=task.get_name(), status="RUNNING")

    def _start(self, invocation: Invocation, budget: BlockBudget, limit_s: float) -> asyncio.Task[Execution]:
        """Return the task of a new run, which bears the execution's id."""
        journal = Journal(self._store, self._clock, invocation)
        running = self._execute(invocation, journal, budget, limit_s)
        task = asyncio.create_task(running, name=journal.execution_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _execute(
        self, invocation: Invocation, journal: Journal, budget: BlockBudget, limit_s: float
    ) -> Execution:
        await journal.begin()
        run = Run(
            invocation.module,
            invocation.flow,
            invocation.input,
            models=RoleRegistry(invocation.module.models, self._provider, self._is_served),
            cores=CoreCalls(Cores(self._store), self._start, invocation, budget, self._config.run_timeout_s),
            sink=journal,
            budget=budget,
        )
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
