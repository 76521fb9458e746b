"""Whoever was held up between object and row does not write the row any more: its object may be gone by then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from settable_clock import SettableClock
from sqlalchemy import func, select

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.catalog import CatalogPackage
from scaiflow_api.db.models.flow import Flow, FlowVersion
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.publishing import PublishPackage
from scaiflow_api.domains.catalog.schemas import PublishRequest
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.turns import Turns
from scaiflow_api.settings import Housekeeping
from scaiflow_api.storage import FlowVersions, PackageFiles, StoreUnavailable
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.storage.promptness import ROW_WITHIN

Json = dict[str, Any]
TOO_LONG = ROW_WITHIN + timedelta(seconds=1)


class SlowBlobs(MemoryBlobs):
    """A put takes as long as is said."""

    takes = timedelta()

    def __init__(self) -> None:
        self.clock = SettableClock(datetime(2026, 11, 28, 12, 0, tzinfo=UTC))
        super().__init__(self.clock)

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        await super().put(key, data, if_absent=if_absent)
        self.clock.move(self.takes)


@pytest.fixture
def blobs() -> SlowBlobs:
    return SlowBlobs()


@pytest.fixture
def writer(db: Database, blobs: SlowBlobs) -> FlowWriter:
    return FlowWriter(db, FlowVersions(blobs), DEFAULT_LIMITS, blobs.clock, Turns(), orphan_after_s=0)


def test_the_shortest_grace_period_is_much_longer() -> None:
    (bound,) = Housekeeping.model_fields["grace_s"].metadata

    assert timedelta(seconds=bound.ge) >= 5 * ROW_WITHIN


async def test_a_late_save_fails_and_its_number_is_skipped(
    db: Database, blobs: SlowBlobs, writer: FlowWriter, bob: Caller, echo: Json
) -> None:
    flow, _ = await writer.create(bob, FlowCreate(content=echo))
    blobs.takes = TOO_LONG
    with pytest.raises(StoreUnavailable):
        await writer.update(bob, flow, FlowUpdate(content=echo), None)
    blobs.takes = ROW_WITHIN
    saved, _ = await writer.update(bob, flow, FlowUpdate(content=echo), None)

    assert saved.version == "1.0.2", "the number of the late save is skipped"
    async with db.read() as session:
        assert set(await session.scalars(select(FlowVersion.version))) == {"1.0.0", "1.0.2"}


async def test_a_save_that_lost_leaves_its_object_when_it_is_late(
    blobs: SlowBlobs, writer: FlowWriter, bob: Caller, echo: Json
) -> None:
    """By then another save may have put its own there."""
    flow, _ = await writer.create(bob, FlowCreate(content=echo))
    await writer.delete(bob, flow, None)
    blobs.takes = TOO_LONG
    with pytest.raises(FlowNotFound):
        await writer.update(bob, flow, FlowUpdate(content=echo), None)

    assert FlowVersions.KEYS.of("tnt_acme", flow.id, "1.0.1") in [blob.key async for blob in blobs.keys("")]


async def test_a_late_flow_is_not_created(
    db: Database, blobs: SlowBlobs, writer: FlowWriter, bob: Caller, echo: Json
) -> None:
    blobs.takes = TOO_LONG
    with pytest.raises(StoreUnavailable):
        await writer.create(bob, FlowCreate(content=echo))

    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Flow)) == 0


async def test_a_late_package_is_not_published(
    db: Database, blobs: SlowBlobs, bob: Caller, echo: Json
) -> None:
    flows = FlowService(db, FlowVersions(blobs))
    publisher = PublishPackage(db, PackageFiles(blobs), flows, DEFAULT_LIMITS, blobs.clock, Turns())
    wanted = PublishRequest(package_id="echo", content=echo)
    blobs.takes = TOO_LONG
    with pytest.raises(StoreUnavailable):
        await publisher.publish(bob, wanted)
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(CatalogPackage)) == 0
    blobs.takes = ROW_WITHIN

    assert (await publisher.publish(bob, wanted)).package.version == "0.1.1"
