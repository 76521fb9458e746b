"""How the database goes about a list: no page of it reads or sorts a whole tenant."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.db.models import Flow, FlowAcl
from scaiflow_api.domains.flows.listing import NEWEST_CHANGE_FIRST, Order, SortKey, Wanted
from scaiflow_api.domains.flows.visible import Shape, page_of, values_of
from scaiflow_api.kit.ids import new_id

FLOWS, MINE, GROUPS = 3000, 150, 12
NOW = datetime(2026, 11, 28, tzinfo=UTC)
SORTED = {"sqlite": "TEMP B-TREE", "postgresql": "Sort", "mysql": "filesort"}
READ_WHOLE = {"sqlite": "SCAN flows", "postgresql": "Seq Scan on flows", "mysql": "'flows', 'ALL'"}
"""What a plan says then."""


def flow(number: int) -> dict[str, Any]:
    changed = NOW - timedelta(minutes=number)
    return {
        "id": new_id("flow"),
        "tenant_id": "tnt_acme",
        "owner_id": "usr_bob" if number < MINE else f"usr_{number % 20}",
        "name": f"Flow {number}",
        "name_key": f"flow {number}",
        "description": "of many",
        "version": "1.0.0",
        "revision": 1,
        "created_at": changed,
        "updated_at": changed,
        "deleted_at": changed if number % 10 == 0 else None,
    }


def grant(flow_id: str, number: int) -> dict[str, Any]:
    return {
        "id": new_id("acl"),
        "flow_id": flow_id,
        "principal_type": "group",
        "principal_id": f"grp_{number % GROUPS}",
        "level": "view",
        "granted_by": "usr_0",
        "granted_at": NOW,
    }


async def fill(connection: AsyncConnection) -> None:
    flows = [flow(number) for number in range(FLOWS)]
    await connection.execute(Flow.__table__.insert(), flows)
    grants = [grant(flow["id"], number) for number, flow in enumerate(flows[MINE:])]
    await connection.execute(FlowAcl.__table__.insert(), grants)
    mariadb = connection.dialect.name == "mysql"
    await connection.execute(text("ANALYZE TABLE flows, flow_acls" if mariadb else "ANALYZE"))


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await fill(connection)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def plan_of(connection: AsyncConnection, caller: Caller, order: Order) -> str:
    """Return how the database would find the first page."""
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    page = page_of(Shape.of(caller, Wanted(), connection.dialect.name), order, after=False)
    asked = page.params(**values_of(caller, Wanted()), size=51).compile(
        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
    )
    return "\n".join(str(tuple(row)) for row in await connection.exec_driver_sql(f"{explain} {asked}"))


@pytest.mark.parametrize(
    "order", [Order.by(key, None) for key in get_args(SortKey)], ids=lambda order: order.key
)
async def test_an_administrator_gets_a_page_in_the_order_of_an_index(
    filled: AsyncConnection, order: Order
) -> None:
    alice = Caller("usr_alice", "tnt_acme", SecretStr(""), admin_role=AdminRole.TENANT_ADMIN)

    plan = await plan_of(filled, alice, order)

    assert SORTED[filled.dialect.name] not in plan, plan


@pytest.mark.parametrize("groups", [0, 1, GROUPS])
async def test_flows_of_somebody_are_looked_up(filled: AsyncConnection, groups: int) -> None:
    member_of = frozenset(f"grp_{number}" for number in range(groups))

    plan = await plan_of(
        filled, Caller("usr_bob", "tnt_acme", SecretStr(""), groups=member_of), NEWEST_CHANGE_FIRST
    )

    assert READ_WHOLE[filled.dialect.name] not in plan, plan
