"""Work on rows that lie beside each other in an index, at the same moment: nobody waits in a circle.

MariaDB, left to itself, locks the gap in which a statement found nothing, and two that hold one gap cannot fill it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.util import await_only

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.drafts import Drafts
from scaiflow_api.db.models.catalog import CatalogPackage
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import Principals, lock_super_admins
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.repository import CatalogRepository
from scaiflow_api.domains.deploy.repository import DeploymentRepository
from scaiflow_api.domains.flows.rows import FlowRows

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ACME = "tnt_acme"
NAMES = ("a", "b")
MEET_WITHIN_S = 2.0

Work = Callable[[str], Awaitable[object]]


@pytest.fixture(autouse=True)
def several_writers(db: Database) -> None:
    if db.dialect == "sqlite":
        pytest.skip("it has one writer")


@pytest.fixture
async def flows(db: Database) -> dict[str, Flow]:
    found = {
        name: Flow(
            id=f"flow_{name}",
            tenant_id=ACME,
            owner_id="usr_bob",
            name=name,
            description="",
            version="1.0.0",
            revision=1,
            created_at=NOW,
            updated_at=NOW,
        )
        for name in NAMES
    }
    async with db.write() as session:
        session.add_all(found.values())
    return found


@contextmanager
def meeting_before(db: Database, statement: str) -> Iterator[None]:
    """Let the first two statements that begin so wait for each other."""
    both, left = asyncio.Barrier(2), list(NAMES)

    def meet(_: Connection, __: object, sql: str, *___: object) -> None:
        if left and sql.startswith(statement):
            left.pop()
            with suppress(TimeoutError, asyncio.BrokenBarrierError):
                await_only(asyncio.wait_for(both.wait(), MEET_WITHIN_S))

    event.listen(db._writer.sync_engine, "before_cursor_execute", meet)
    try:
        yield
        assert not left, "they never came so far"
    finally:
        event.remove(db._writer.sync_engine, "before_cursor_execute", meet)


async def both_at_once(work: Work) -> Sequence[object]:
    return await asyncio.gather(*(work(name) for name in NAMES))


async def test_the_first_deploys_of_two_flows(db: Database, flows: dict[str, Flow]) -> None:
    async def begin(name: str) -> None:
        row = Deployment(
            id=f"dep_{name}",
            tenant_id=ACME,
            flow_id=flows[name].id,
            flow_version="1.0.0",
            status="pending",
            deployed_by="usr_bob",
            started_at=NOW,
        )
        async with db.write() as session:
            await DeploymentRepository(session).begin(row)

    with meeting_before(db, "INSERT INTO deployments"):
        await both_at_once(begin)


async def test_giving_two_flows_away(db: Database, flows: dict[str, Flow]) -> None:
    async def give(name: str) -> None:
        await db.carry_out(
            lambda connection: FlowRows(connection).give(
                flows[name], "usr_erin", granted_by="usr_bob", acl_id=f"acl_{name}", now=NOW
            )
        )

    with meeting_before(db, "INSERT INTO flow_acls"):
        await both_at_once(give)


async def test_showing_two_packages_to_groups(db: Database) -> None:
    packages = {
        name: CatalogPackage(
            id=f"pkg_{name}",
            tenant_id=ACME,
            package_id=name,
            name=name,
            description="",
            version="0.1.0",
            author_id="usr_bob",
            visibility="groups",
            created_at=NOW,
            updated_at=NOW,
        )
        for name in NAMES
    }
    async with db.write() as session:
        session.add_all(packages.values())

    async def show(name: str) -> None:
        async with db.write() as session:
            await CatalogRepository(session).show_to(packages[name], ["grp_eng"])

    with meeting_before(db, "INSERT INTO catalog_package_groups"):
        await both_at_once(show)


async def test_discarding_two_drafts(db: Database, flows: dict[str, Flow]) -> None:
    drafts: dict[str, SyncDocument] = {}
    for name in NAMES:
        async with db.write() as session:
            of = Drafts(session)
            await of.begin(ACME, flows[name].id, epoch="epoch_m", version="1.0.0", seed=b"seed", now=NOW)
            found = await of.find(ACME, flows[name].id)
            assert found is not None
            drafts[name] = found

    async def discard(name: str) -> None:
        epoch = {"a": "epoch_z", "b": "epoch_b"}[name]  # both lie between the two old ones
        async with db.write() as session:
            assert await Drafts(session).begin_anew(
                drafts[name], epoch=epoch, version="1.0.0", seed=b"new", now=NOW
            )

    with meeting_before(db, "INSERT INTO sync_updates"):
        await both_at_once(discard)


async def test_granting_a_role_while_somebody_waits_to_change_one(db: Database) -> None:
    principals = Principals(db)
    await principals.grant("tnt_platform", "usr_root", AdminRole.SUPER_ADMIN, source="bootstrap", now=NOW)
    await principals.add(ACME, "usr_alice", email=None, name=None, now=NOW)

    async def wait_and_look() -> list[str]:
        async with db.write() as session:
            return [user.id for user in await lock_super_admins(session)]

    async with db.write() as session:
        await lock_super_admins(session)
        waiting = asyncio.create_task(wait_and_look())
        await asyncio.sleep(0.3)
        alice = await session.get_one(User, (ACME, "usr_alice"))
        alice.manual_role, alice.manual_role_source = AdminRole.SUPER_ADMIN.value, "manual"

    assert "usr_root" in await waiting
