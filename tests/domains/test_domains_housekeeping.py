"""Housekeeping removes what nobody names any more, and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from settable_clock import SettableClock
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.idempotency_keys import IdempotencyKeys, Place
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.db.models.idempotency_key import IdempotencyKey
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.publishing import PublishPackage
from scaiflow_api.domains.catalog.schemas import PublishRequest
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.housekeeping import orphans
from scaiflow_api.domains.housekeeping.errors import AlreadyRunning, ForeignStore, TurnLost
from scaiflow_api.domains.housekeeping.report import Report
from scaiflow_api.domains.housekeeping.service import Housekeeping
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.turns import Turns
from scaiflow_api.storage import BlobStore, FlowVersions, PackageFiles, StoreUnavailable
from scaiflow_api.storage.files import FileBlobs
from scaiflow_api.storage.memory import MemoryBlobs

Json = dict[str, Any]
GRACE = timedelta(hours=24)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 11, 28, 12, 0, tzinfo=UTC))


@pytest.fixture
def blobs(clock: SettableClock) -> MemoryBlobs:
    return MemoryBlobs(clock)


@pytest.fixture
def writer(db: Database, blobs: MemoryBlobs, clock: SettableClock) -> FlowWriter:
    return FlowWriter(db, FlowVersions(blobs), DEFAULT_LIMITS, clock, Turns(), orphan_after_s=0)


@pytest.fixture
def publisher(db: Database, blobs: MemoryBlobs, clock: SettableClock) -> PublishPackage:
    flows = FlowService(db, FlowVersions(blobs))
    return PublishPackage(db, PackageFiles(blobs), flows, DEFAULT_LIMITS, clock, Turns())


Sweep = Callable[..., Awaitable[Report]]


@pytest.fixture
def gc(db: Database, blobs: MemoryBlobs, clock: SettableClock) -> Sweep:
    """Run a round and return its report."""

    async def run(*, dry_run: bool = False, force: bool = False, store: BlobStore | None = None) -> Report:
        round_ = Housekeeping(db, store or blobs, clock, grace_s=GRACE.total_seconds())
        report = round_.begin(dry_run=dry_run)
        await round_.run(report, force=force)
        assert report.complete
        return report

    return run


async def save(writer: FlowWriter, caller: Caller, flow: Flow, echo: Json) -> Flow:
    return (await writer.update(caller, flow, FlowUpdate(content=echo), None))[0]


async def keys_of(store: BlobStore) -> set[str]:
    return {blob.key async for blob in store.keys("")}


@pytest.fixture
async def flow(writer: FlowWriter, bob: Caller, echo: Json) -> Flow:
    """A flow with two versions."""
    made = (await writer.create(bob, FlowCreate(content=echo)))[0]
    return await save(writer, bob, made, echo)


async def test_what_a_crash_left_goes_after_the_grace_period(
    gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock
) -> None:
    kept = await keys_of(blobs)
    left = {
        FlowVersions.KEYS.of("tnt_acme", flow.id, "1.0.2"),
        FlowVersions.KEYS.of("tnt_acme", "flow_never_made", "1.0.0"),
        FlowVersions.KEYS.of("tnt_globex", flow.id, "1.0.0"),
        PackageFiles.KEYS.of("tnt_acme", "never-published", "1.0.0"),
    }
    for key in left:
        await blobs.put(key, b"12345")

    clock.move(GRACE)
    early = (await gc()).objects
    clock.move(timedelta(seconds=1))
    with capture_logs() as logs:
        late = (await gc()).objects

    assert (early.seen, early.young, early.orphans, early.removed) == (6, 6, 0, 0)
    assert (late.seen, late.named, late.orphans, late.removed, late.removed_bytes) == (6, 2, 4, 4, 20)
    assert await keys_of(blobs) == kept
    assert {line["key"] for line in logs if line["event"] == "orphan removed"} == left


async def test_a_dry_run_says_what_would_go_and_removes_nothing(
    gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock
) -> None:
    orphan = FlowVersions.KEYS.of("tnt_acme", flow.id, "1.0.2")
    await blobs.put(orphan, b"12345")
    clock.move(2 * GRACE)
    before = await keys_of(blobs)

    found = (await gc(dry_run=True)).objects

    assert (found.orphans, found.orphan_bytes, found.orphan_examples, found.removed) == (1, 5, [orphan], 0)
    assert await keys_of(blobs) == before


async def test_a_deleted_flow_keeps_all_its_versions(
    gc: Sweep,
    blobs: MemoryBlobs,
    flow: Flow,
    writer: FlowWriter,
    bob: Caller,
    clock: SettableClock,
    db: Database,
) -> None:
    await writer.delete(bob, flow, None)
    clock.move(1000 * GRACE)

    assert (await gc()).objects.named == 2

    async with db.read() as session:
        deleted = await session.get_one(Flow, flow.id)
    back = await writer.undelete(bob, deleted)
    assert (await FlowService(db, FlowVersions(blobs)).document(back, "1.0.0"))["version"] == "1.0.0"


async def test_a_deleted_package_gives_its_files_and_numbers_back(
    gc: Sweep,
    blobs: MemoryBlobs,
    flow: Flow,
    publisher: PublishPackage,
    bob: Caller,
    clock: SettableClock,
    db: Database,
    echo: Json,
) -> None:
    wanted = PublishRequest(package_id="echo", content=echo)
    await publisher.publish(bob, wanted)
    await publisher.publish(bob, wanted)
    clock.move(2 * GRACE)
    assert (await gc()).objects.removed == 0
    async with db.write() as session:
        await session.execute(delete(CatalogVersion))
        await session.execute(delete(CatalogPackage))

    assert (await gc()).objects.removed == 2
    assert (await publisher.publish(bob, wanted)).package.version == "0.1.0"


async def test_what_a_row_names_stays_whichever_row(
    gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock, db: Database
) -> None:
    """A flow's current version is read without asking for the version's own row."""
    async with db.write() as session:
        await session.execute(delete(FlowVersion).where(FlowVersion.version == "1.0.1"))
    clock.move(2 * GRACE)

    assert (await gc()).objects.named == 2


async def test_what_is_not_named_like_ours_is_counted_and_never_touched(
    gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock
) -> None:
    foreign = {
        "README",
        "backup/flows/a/b/v1.0.0.flow.json",
        "flows/a/b/notes.txt",
        "flows/a/b/c/v1.flow.json",
    }
    for key in foreign:
        await blobs.put(key, b"")
    clock.move(2 * GRACE)

    found = (await gc()).objects

    assert (found.foreign, set(found.foreign_examples), found.removed) == (4, foreign, 0)
    assert foreign <= await keys_of(blobs)


async def test_ids_of_every_alphabet_find_their_rows(
    gc: Sweep, writer: FlowWriter, echo: Json, bob: Caller, clock: SettableClock, blobs: MemoryBlobs
) -> None:
    for tenant_id in ("a/b", "..", "Ü", "TNT", "tnt"):
        caller = replace(bob, tenant_id=tenant_id)
        await writer.create(caller, FlowCreate(content={**echo, "version": "1.0.0-rc.1+build.5"}))
    clock.move(2 * GRACE)

    found = (await gc()).objects

    assert (found.named, found.orphans, found.foreign) == (5, 0, 0)


async def test_more_orphans_than_are_remembered_all_go(
    gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_AT_ONCE", 7)
    monkeypatch.setattr(orphans, "_PAGE", 3)
    for number in range(20):
        await blobs.put(FlowVersions.KEYS.of("tnt_acme", f"flow_{number % 4}", f"1.0.{number}"), b"x")
    clock.move(2 * GRACE)

    found = (await gc()).objects

    assert (found.seen, found.orphans, found.removed) == (22, 20, 20)
    assert len(await keys_of(blobs)) == 2


class TestTheWrongDatabase:
    """A database that knows none of the objects."""

    async def test_removes_nothing_unless_by_force(
        self, gc: Sweep, blobs: MemoryBlobs, flow: Flow, clock: SettableClock, db: Database
    ) -> None:
        clock.move(2 * GRACE)
        async with db.write() as session:
            await session.execute(update(Flow).values(tenant_id="tnt_other"))

        with pytest.raises(ForeignStore, match="SCAIFLOW_DB_URL"):
            await gc()
        assert len(await keys_of(blobs)) == 2
        assert (await gc(dry_run=True)).objects.orphans == 2
        assert (await gc(force=True)).objects.removed == 2

    async def test_an_empty_store_is_nobodys(self, gc: Sweep) -> None:
        assert (await gc()).objects.seen == 0


class TestRaces:
    """What happens between the look and the removal."""

    async def test_a_row_that_came_meanwhile_saves_its_object(
        self,
        db: Database,
        flow: Flow,
        clock: SettableClock,
        blobs: MemoryBlobs,
        gc: Sweep,
        writer: FlowWriter,
    ) -> None:
        orphan = FlowVersions.KEYS.of("tnt_acme", flow.id, "1.0.2")
        await blobs.put(orphan, b"x")
        other = FlowVersions.KEYS.of("tnt_acme", flow.id, "1.0.3")
        await blobs.put(other, b"x")
        clock.move(2 * GRACE)

        async def row_comes(key: str) -> None:
            async with db.write() as session:
                await session.execute(
                    update(FlowVersion).where(FlowVersion.version == "1.0.1").values(version="1.0.3")
                )

        found = (await gc(store=Watched(blobs, before_delete={orphan: row_comes}))).objects

        assert (found.orphans, found.removed) == (2, 1)
        assert other in await keys_of(blobs)

    async def test_an_object_that_took_the_place_of_an_orphan_stays(
        self, flow: Flow, clock: SettableClock, blobs: MemoryBlobs, gc: Sweep
    ) -> None:
        first, second = (FlowVersions.KEYS.of("tnt_acme", flow.id, f"1.0.{number}") for number in (2, 3))
        await blobs.put(first, b"x")
        await blobs.put(second, b"x")
        clock.move(2 * GRACE)

        async def replaced(key: str) -> None:
            await blobs.delete(second)
            await blobs.put(second, b"x", if_absent=True)

        found = (await gc(store=Watched(blobs, before_delete={first: replaced}))).objects

        assert (found.orphans, found.removed) == (2, 1)
        assert second in await keys_of(blobs)

    async def test_one_at_a_time(self, gc: Sweep, flow: Flow, db: Database) -> None:
        async with Leases(db).hold("gc", ttl_s=60, wait_s=0):
            with pytest.raises(AlreadyRunning):
                await gc()
            assert (await gc(dry_run=True)).complete
        assert (await gc()).complete

    async def test_who_lost_the_turn_stops(
        self,
        db: Database,
        flow: Flow,
        clock: SettableClock,
        blobs: MemoryBlobs,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        keys = [FlowVersions.KEYS.of("tnt_acme", flow.id, f"1.0.{number}") for number in (2, 3)]
        for key in keys:
            await blobs.put(key, b"x")
        clock.move(2 * GRACE)
        monkeypatch.setattr("scaiflow_api.domains.housekeeping.service._LEASE_S", 0.03)

        async def turn_is_lost(key: str) -> None:
            async with db.write() as session:
                await session.execute(update(Lease).values(holder="another"))
            await asyncio.sleep(0.1)  # as long as it takes to notice at the next renewal

        store = Watched(blobs, before_delete={keys[0]: turn_is_lost})
        round_ = Housekeeping(db, store, clock, grace_s=GRACE.total_seconds())
        report = round_.begin(dry_run=False)
        with pytest.raises(TurnLost):
            await round_.run(report)

        assert (report.objects.removed, report.complete) == (1, False)
        assert keys[1] in await keys_of(blobs)

    async def test_a_store_that_fails_half_way_leaves_a_true_report(
        self, db: Database, flow: Flow, clock: SettableClock, blobs: MemoryBlobs
    ) -> None:
        keys = [FlowVersions.KEYS.of("tnt_acme", flow.id, f"1.0.{number}") for number in (2, 3)]
        for key in keys:
            await blobs.put(key, b"x")
        clock.move(2 * GRACE)

        async def down(key: str) -> None:
            raise StoreUnavailable

        store = Watched(blobs, before_delete={keys[1]: down})
        round_ = Housekeeping(db, store, clock, grace_s=GRACE.total_seconds())
        report = round_.begin(dry_run=False)
        with pytest.raises(StoreUnavailable):
            await round_.run(report)

        assert (report.objects.orphans, report.objects.removed, report.complete) == (2, 1, False)


class Watched(MemoryBlobs):
    """A view of another store in which something happens before a key is deleted."""

    def __init__(
        self, store: MemoryBlobs, before_delete: dict[str, Callable[[str], Awaitable[None]]]
    ) -> None:
        super().__init__()
        self._blobs = store._blobs
        self._before_delete = before_delete

    async def delete(self, key: str) -> None:
        if happens := self._before_delete.get(key):
            await happens(key)
        await super().delete(key)


class TestTheRest:
    """What else has had its time."""

    async def test_unfinished_files_are_swept(
        self, gc: Sweep, clock: SettableClock, tmp_path: Path, store: FileBlobs
    ) -> None:
        leftover = tmp_path / "blobs" / ".incoming" / "half"
        leftover.write_bytes(b"half")
        os.utime(leftover, (clock.now().timestamp() - GRACE.total_seconds() - 1,) * 2)

        assert (await gc(dry_run=True, store=store)).unfinished_files == 1
        assert leftover.exists()
        assert (await gc(store=store)).unfinished_files == 1
        assert not leftover.exists()

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        opened = FileBlobs(tmp_path / "blobs")
        yield opened
        await opened.close()

    async def test_expired_keys_are_removed_and_leases_stay(
        self, gc: Sweep, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scaiflow_api.domains.housekeeping.service._KEYS_AT_ONCE", 2)
        keys = IdempotencyKeys(db)
        for number in range(5):
            await keys.claim(Place("tnt_acme", f"usr_{number}", "POST /flows", "k"), "f")
        async with db.write() as session:
            await session.execute(update(IdempotencyKey).values(expires_ms=1))
        await keys.claim(Place("tnt_globex", "usr_x", "POST /flows", "k"), "f")
        await Leases(db).take("deploy:flow_x", "h", ttl_s=-1)

        assert (await gc(dry_run=True)).idempotency_keys == 5
        assert (await gc()).idempotency_keys == 5
        assert (await gc()).idempotency_keys == 0
        assert await Leases(db).take("deploy:flow_x", "h", ttl_s=1)
