"""Random interleavings of saves, publishes, deletes, crashes and housekeeping lose no object that a row names.

Every worker stops before and after each call of the store. A play has scenes: somebody begins and is held up
somewhere, housekeeping comes and is held up somewhere, a rival does all it wants, and then they go on or die, or stay
for the next scene. Any time may pass in between, days even. The one thing assumed is that a writer does not fall
asleep between its last look at the clock and the deletion that follows it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from settable_clock import SettableClock
from sqlalchemy import select

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.publishing import PublishPackage
from scaiflow_api.domains.catalog.schemas import PublishRequest
from scaiflow_api.domains.catalog.service import CatalogService
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.housekeeping.errors import HousekeepingStopped
from scaiflow_api.domains.housekeeping.service import Housekeeping
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.turns import Turns
from scaiflow_api.storage import BlobInfo, FlowVersions, PackageFiles
from scaiflow_api.storage.memory import MemoryBlobs

GRACE_S = 600
PACKAGE = "the-package"

actor: ContextVar["Actor | None"] = ContextVar("actor", default=None)


class Actor:
    """A worker that goes on when it is told to."""

    def __init__(self, work: Callable[[], Awaitable[object]], name: str) -> None:
        self.name = name
        self.at = ""
        """Where it stands."""
        self._go_on = asyncio.Event()
        self._stands = asyncio.Event()
        self._task = asyncio.create_task(self._run(work))

    @property
    def done(self) -> bool:
        return self._task.done()

    async def _run(self, work: Callable[[], Awaitable[object]]) -> None:
        actor.set(self)
        try:
            await self.pause("the beginning")
            await work()
        except (AppError, HousekeepingStopped):
            pass  # refused, as may happen
        finally:
            self._stands.set()

    async def pause(self, at: str) -> None:
        self.at = at
        self._stands.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def step(self) -> None:
        """Let it go on to where it stops next."""
        await self._stands.wait()
        self._stands.clear()
        self._go_on.set()
        await self._stands.wait()
        if self.done or self._task.done():
            await self._task

    async def die(self) -> None:
        await self._stands.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class SteppedBlobs(MemoryBlobs):
    """Stops whoever calls, before and after."""

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        await self._stop("before put")
        await super().put(key, data, if_absent=if_absent)
        await self._stop("after put")

    async def delete(self, key: str) -> None:
        await self._stop("before delete")
        await super().delete(key)
        await self._stop("after delete")

    async def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        await self._stop("before list")
        listing = [blob async for blob in super().keys(prefix)]
        await self._stop("after list")
        for blob in listing:
            yield blob

    @staticmethod
    async def _stop(at: str) -> None:
        if (here := actor.get()) is not None:
            await here.pause(at)


class World:
    """One tenant, its store, and the workers on them; each worker is a process of its own."""

    def __init__(self, db: Database, content: dict[str, Any]) -> None:
        self.db = db
        self.content = content
        self.clock = SettableClock(datetime(2026, 11, 28, tzinfo=UTC))
        self.blobs = SteppedBlobs(self.clock)
        self.bob = Caller(subject="usr_bob", tenant_id=f"tnt_{uuid4().hex}", token=SecretStr("t"))
        self.actors: list[Actor] = []
        self.flow: Flow

    async def begin(self) -> None:
        self.flow, _ = await self._writer().create(self.bob, FlowCreate(content=self.content))

    async def start(self, name: str, steps: int) -> Actor:
        """Start a worker, and let it take its first steps."""
        worker = Actor(getattr(self, f"_{name}"), name)
        self.actors.append(worker)
        await self.step(worker, steps)
        return worker

    async def step(self, worker: Actor, steps: int = 1000) -> None:
        """Let a worker take so many steps, or go on to its end."""
        while steps and not worker.done:
            await worker.step()
            steps -= 1
        self.actors = [one for one in self.actors if not one.done]

    async def kill(self, worker: Actor) -> None:
        await worker.die()
        self.actors = [one for one in self.actors if not one.done]

    def wait(self, seconds: int) -> None:
        if not any(worker.at == "before delete" and worker.name != "gc" for worker in self.actors):
            self.clock.move(timedelta(seconds=seconds))

    async def end(self) -> None:
        for worker in list(self.actors):
            await self.step(worker)

    async def check(self) -> None:
        """Every row has its object, with the bytes that it names."""
        async with self.db.read() as session:
            versions = await session.execute(
                select(FlowVersion.flow_id, FlowVersion.version, FlowVersion.sha256)
                .join(Flow, Flow.id == FlowVersion.flow_id)
                .where(Flow.tenant_id == self.bob.tenant_id)
            )
            named = {FlowVersions.KEYS.of(self.bob.tenant_id, *row[:2]): row[2] for row in versions}
            packages = await session.execute(
                select(CatalogPackage.package_id, CatalogVersion.version, CatalogVersion.sha256)
                .join(CatalogVersion, CatalogVersion.catalog_package_id == CatalogPackage.id)
                .where(CatalogPackage.tenant_id == self.bob.tenant_id)
            )
            named |= {PackageFiles.KEYS.of(self.bob.tenant_id, *row[:2]): row[2] for row in packages}
        for key, sha256 in named.items():
            assert key in self.blobs._blobs, f"{key} is lost"
            assert hashlib.sha256(self.blobs._blobs[key][0]).hexdigest() == sha256, f"{key} is another's"

    async def _save(self) -> None:
        flow = await self._flows().open(self.bob, self.flow.id, Level.EDIT)
        await self._writer().update(self.bob, flow, FlowUpdate(content=self.content), None)

    async def _create(self) -> None:
        await self._writer().create(self.bob, FlowCreate(content=self.content))

    async def _delete(self) -> None:
        flow = await self._flows().open(self.bob, self.flow.id, Level.ADMIN)
        await self._writer().delete(self.bob, flow, None)

    async def _restore(self) -> None:
        flow = await self._flows().open_deleted(self.bob, self.flow.id)
        await self._writer().undelete(self.bob, flow)

    async def _publish(self) -> None:
        publisher = PublishPackage(
            self.db, PackageFiles(self.blobs), self._flows(), DEFAULT_LIMITS, self.clock, Turns()
        )
        await publisher.publish(self.bob, PublishRequest(package_id=PACKAGE, content=self.content))

    async def _unpublish(self) -> None:
        catalog = CatalogService(self.db, PackageFiles(self.blobs), DEFAULT_LIMITS, self.clock)
        entry = await catalog.open(self.bob, PACKAGE, Level.ADMIN)
        await catalog.delete(self.bob, entry.package)

    async def _gc(self) -> None:
        housekeeping = Housekeeping(self.db, self.blobs, self.clock, grace_s=GRACE_S)
        await housekeeping.run(housekeeping.begin(dry_run=False), force=True)

    def _flows(self) -> FlowService:
        return FlowService(self.db, FlowVersions(self.blobs))

    def _writer(self) -> FlowWriter:
        versions = FlowVersions(self.blobs)
        return FlowWriter(self.db, versions, DEFAULT_LIMITS, self.clock, Turns(), orphan_after_s=0)


works = st.sampled_from(["save", "save", "create", "publish", "delete", "restore", "unpublish"])
waits = st.sampled_from([0, 100, 700, 90_000])


@dataclass(frozen=True)
class Scene:
    work: str
    work_steps: int
    wait: int
    gc_steps: int
    rival: str | None
    wait_again: int
    gc_first: bool
    fate: str


scenes = st.builds(
    Scene,
    work=works,
    work_steps=st.integers(1, 4),
    wait=waits,
    gc_steps=st.sampled_from([1, 3, 5, 6, 1000]),
    rival=st.none() | works,
    wait_again=waits,
    gc_first=st.booleans(),
    fate=st.sampled_from(["goes on", "goes on", "dies", "stays"]),
)


async def perform(world: World, scene: Scene) -> None:
    worker = await world.start(scene.work, scene.work_steps)
    world.wait(scene.wait)
    gc = await world.start("gc", scene.gc_steps)
    if scene.rival is not None:
        await world.start(scene.rival, 1000)
    world.wait(scene.wait_again)
    if scene.gc_first:
        await world.step(gc)
    if scene.fate == "goes on":
        await world.step(worker)
    elif scene.fate == "dies":
        await world.kill(worker)
    await world.step(gc)
    await world.check()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(scenes, min_size=2, max_size=4))
async def test_no_row_loses_its_object(db: Database, echo: dict[str, Any], play: list[Scene]) -> None:
    world = World(db, echo)
    await world.begin()
    for scene in play:
        await perform(world, scene)
    await world.end()
    await world.check()
    world.clock.move(timedelta(seconds=2 * GRACE_S))
    await world.start("gc", 1000)
    await world.check()
    assert len(world.blobs._blobs) == await named_by_rows(world), "no orphan is left"


async def named_by_rows(world: World) -> int:
    async with world.db.read() as session:
        tenant = world.bob.tenant_id
        flows = select(FlowVersion.version).join(Flow, Flow.id == FlowVersion.flow_id)
        packages = select(CatalogVersion.version).join(
            CatalogPackage, CatalogPackage.id == CatalogVersion.catalog_package_id
        )
        rows = [
            *await session.scalars(flows.where(Flow.tenant_id == tenant)),
            *await session.scalars(packages.where(CatalogPackage.tenant_id == tenant)),
        ]
    return len(rows)


@pytest.mark.parametrize("killed_after", ["save", "create", "publish"])
async def test_what_dies_between_object_and_row_is_collected(
    db: Database, echo: dict[str, Any], killed_after: str
) -> None:
    """The play above in its simplest form, so that it is known to reach what it is about."""
    world = World(db, echo)
    await world.begin()
    worker = await world.start(killed_after, 1)
    while worker.at != "after put":
        await world.step(worker, 1)
    await world.kill(worker)
    assert len(world.blobs._blobs) == 2
    world.clock.move(timedelta(seconds=GRACE_S + 1))
    await world.start("gc", 1000)
    assert len(world.blobs._blobs) == 1
    await world.check()


async def test_a_publication_that_slept_while_another_took_its_version_is_refused(
    db: Database, echo: dict[str, Any]
) -> None:
    """Its object was collected as an orphan, and the version that it wanted is now somebody else's."""
    world = World(db, echo)
    await world.begin()
    sleeper = await world.start("publish", 1)
    while sleeper.at != "after put":
        await world.step(sleeper, 1)
    world.wait(GRACE_S + 1)
    await world.start("gc", 1000)
    assert len(world.blobs._blobs) == 1, "the orphan is gone"
    await world.start("publish", 1000)
    await world.step(sleeper)
    await world.check()
    async with world.db.read() as session:
        rows = await session.scalars(
            select(CatalogVersion.version)
            .join(CatalogPackage, CatalogPackage.id == CatalogVersion.catalog_package_id)
            .where(CatalogPackage.tenant_id == world.bob.tenant_id)
        )
        assert list(rows) == ["0.1.0"]
