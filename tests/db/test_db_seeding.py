"""The tenant that lists are measured on."""

from sqlalchemy import func, select

from benchmarks.seeding import TENANT, seed
from scaiflow_api.db.models import Flow, FlowAcl, FlowCount
from scaiflow_api.db.name_counts import ALL_NAMES
from scaiflow_api.db.session import Database


async def test_any_database_can_be_filled_with_a_tenant_whose_kept_counts_are_right(
    database_url: str, db: Database
) -> None:
    await seed(database_url, 200)

    async with db.read() as session:
        live = await session.scalar(
            select(func.count()).where(Flow.tenant_id == TENANT, Flow.deleted_at.is_(None))
        )
        kept = await session.scalar(
            select(FlowCount.flows).where(FlowCount.tenant_id == TENANT, FlowCount.part == ALL_NAMES)
        )
        with_t = await session.scalar(
            select(func.count()).where(Flow.name_key.contains("t"), Flow.deleted_at.is_(None))
        )
        kept_with_t = await session.scalar(select(FlowCount.flows).where(FlowCount.part == b"t"))
        grants = await session.scalar(select(func.count()).select_from(FlowAcl))
    assert (kept, kept_with_t, grants) == (live, with_t, 400)
