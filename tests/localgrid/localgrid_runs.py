"""Runs on a store of their own, which can be stopped and taken up again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localgrid_ir import ScriptedModels
from localgrid_support import FakeClock, a_config

from scaiflow_api.compiler import ir, read_manifest
from scaiflow_api.compiler.manifest.writer import emit_yaml
from scaiflow_api.localgrid.scaibunker import schema as scaibunker
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaicore.checkpoint_table import Checkpoints, Ending
from scaiflow_api.localgrid.scaicore.core_table import Core, Cores
from scaiflow_api.localgrid.scaicore.desk import Desk
from scaiflow_api.localgrid.scaicore.event_log import EventLog, StoredEvent
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.scaicore.plugins import GridPlugins
from scaiflow_api.localgrid.scaicore.runs import Runs
from scaiflow_api.localgrid.scaiqueue import schema as scaiqueue
from scaiflow_api.localgrid.scaiqueue.post import Post
from scaiflow_api.localgrid.store import Store

TENANT = "tnt_acme"


@dataclass
class Bench:
    """One grid's runs, without its wire."""

    path: Path
    models: Any = field(default_factory=ScriptedModels)
    clock: FakeClock = field(default_factory=FakeClock)
    limits: dict[str, Any] = field(default_factory=dict)

    async def start(self) -> None:
        self.store = Store(self.path, scaiqueue.TABLES, scaibunker.TABLES)
        await self.store.open()
        config = a_config(self.path, **self.limits)
        bunkers = Bunkers(self.store, self.clock, self.path.with_suffix(".bunkers"))
        plugins = GridPlugins(Post(self.store, self.clock), bunkers)
        self.runs = Runs(self.store, self.clock, config, self.models, lambda _: True, plugins)
        self.desk = Desk(self.store, self.clock, self.runs)
        await self.runs.recover()

    async def stop(self) -> None:
        await self.runs.close()
        await self.store.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def core(self, module: ir.Module | str, slug: str = "main") -> Core:
        """Keep a running Core of a module, or of a manifest."""
        manifest = module if isinstance(module, str) else emit_yaml(module)
        core = Core(
            id=f"core_{slug}",
            tenant_id=TENANT,
            slug=slug,
            name=slug,
            status="running",
            manifest=manifest,
            metadata={},
            created_at="",
            updated_at="",
        )
        await Cores(self.store).add(core)
        return core

    async def invoke(self, core: Core, run_input: Any = None, flow: int = 0) -> Execution:
        module = read_manifest(core.manifest)
        return await self.runs.invoke(
            Invocation(core=core, module=module, flow=module.flows[flow], input=run_input or {})
        )

    async def pending(self) -> list[Checkpoint]:
        return await self.rows("pending")

    async def rows(self, *statuses: str) -> list[Checkpoint]:
        wanted = statuses or ("pending", "resolved", "expired", "cancelled")
        return await Checkpoints(self.store).page(
            TENANT, core_id=None, execution_id=None, statuses=wanted, after=0, limit=1000
        )

    async def resolve(self, checkpoint: Checkpoint, resolution: Any = "approve") -> None:
        def ending(found: Checkpoint) -> Ending:
            return Ending("resolved", self.clock.now(), found.as_resolution(resolution), "usr_bob")

        await self.desk.end(TENANT, checkpoint.id, ending)

    async def cancel(self, checkpoint: Checkpoint) -> None:
        await self.desk.end(TENANT, checkpoint.id, lambda _: Ending("cancelled", self.clock.now()))

    async def state(self, execution_id: str) -> Execution:
        """Return an execution once it stands still."""
        live = self.runs.live(execution_id)
        if live is not None:
            # What was answered is on its way: a lane goes on when its turn comes.
            for _ in range(3):
                await asyncio.sleep(0)
            await live.standstill()
        found = await self.runs.find(TENANT, execution_id)
        assert found is not None
        return found

    async def finish(
        self, execution: Execution, answer: Callable[[Checkpoint], Any] = lambda _: "approve"
    ) -> Execution:
        """Resolve whatever a run asks, until it has ended."""
        while execution.status == "SUSPENDED":
            for checkpoint in await self.pending():
                await self.resolve(checkpoint, answer(checkpoint))
            execution = await self.state(execution.id)
        return execution

    async def events(self, execution_id: str | None = None) -> list[StoredEvent]:
        found = await EventLog(self.store).after(TENANT, None, position=0, limit=100_000)
        return [e for e in found if execution_id in {None, e.payload["execution_id"]}]

    async def trace(self, execution_id: str | None = None) -> list[str]:
        """The events as `entered node_x`, with `pending` and `resolved` for checkpoints."""
        return [
            f"{e.type.rpartition('.')[2].removeprefix('checkpoint_')} {e.payload['node_id']}"
            for e in await self.events(execution_id)
        ]


@asynccontextmanager
async def bench_at(path: Path, **more: Any) -> AsyncIterator[Bench]:
    bench = Bench(path, **more)
    await bench.start()
    try:
        yield bench
    finally:
        await bench.stop()
