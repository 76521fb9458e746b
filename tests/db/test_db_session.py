"""Transactions: nothing is lost, nothing is half done, and a database that is away is said to be."""

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from mirror import mirror
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import Principals
from scaiflow_api.db.session import Database

NOW = datetime(2026, 11, 23, 12, 30, 15, 123456, tzinfo=UTC)


def a_flow(**changed: object) -> Flow:
    values = {
        "id": "flow_1",
        "tenant_id": "tnt_acme",
        "owner_id": "usr_bob",
        "name": "Flow",
        "description": "",
        "version": "1.0.0",
        "revision": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Flow(**{**values, **changed})


async def test_concurrent_read_modify_writes_lose_nothing(db: Database) -> None:
    async with db.write() as session:
        session.add(a_flow(revision=0))

    async def raise_revision() -> None:
        async with db.write() as session:
            flow = await session.scalar(select(Flow).where(Flow.id == "flow_1").with_for_update())
            assert flow is not None
            await asyncio.sleep(0)
            await session.execute(update(Flow).where(Flow.id == "flow_1").values(revision=flow.revision + 1))

    await asyncio.gather(*(raise_revision() for _ in range(40)))

    async with db.read() as session:
        assert await session.scalar(select(Flow.revision)) == 40


async def test_a_failed_block_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        async with db.write() as session:
            session.add(a_flow())
            await session.flush()
            raise RuntimeError("half way")

    async with db.read() as session:
        assert await session.scalar(select(Flow)) is None


async def test_a_cancelled_block_leaves_nothing_and_the_next_one_can_write(db: Database) -> None:
    entered = asyncio.Event()

    async def stuck() -> None:
        async with db.write() as session:
            session.add(a_flow())
            await session.flush()
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with db.write() as session:
        session.add(a_flow(id="flow_2"))
    async with db.read() as session:
        assert (await session.scalars(select(Flow.id))).all() == ["flow_2"]


@pytest.mark.parametrize("way", ["read", "write"])
async def test_a_cancelled_block_stays_cancelled_when_undoing_it_fails(db: Database, way: str) -> None:
    """Whoever answers a database that is away by trying again would otherwise go on, and never end."""
    entered = asyncio.Event()

    async def stuck() -> None:
        async with db.write() if way == "write" else db.read():
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OperationalError("ROLLBACK", {}, Exception("server closed the connection")) from None

    task = asyncio.create_task(stuck())
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_block_in_the_end_of_a_cancelled_task_still_says_that_the_database_is_away(
    db: Database,
) -> None:
    async def ends() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with pytest.raises(DatabaseUnavailable):
                async with db.write():
                    raise OperationalError("UPDATE", {}, Exception("server closed the connection"))

    task = asyncio.create_task(ends())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_connection_is_kept_for_the_next_writer_unless_a_block_failed_in_it(db: Database) -> None:
    async def used() -> object:
        async with db.write() as session:
            await session.execute(text("SELECT 1"))
            return (await (await session.connection()).get_raw_connection()).dbapi_connection

    first = await used()
    assert await used() is first
    with pytest.raises(RuntimeError):
        async with db.write() as session:
            session.add(a_flow())
            await session.flush()
            raise RuntimeError
    assert len(db._writers._kept) == 0

    await used()
    async with db.read() as session:
        assert await session.scalar(select(Flow)) is None


async def test_a_writer_that_comes_late_does_not_meet_a_connection_that_died(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = {"postgresql": ("pg_backend_pid()", "SELECT pg_terminate_backend({})")}
    killed["mysql"] = ("CONNECTION_ID()", "KILL {}")
    if db.dialect not in killed:
        pytest.skip("its connections do not die")
    own, kill = killed[db.dialect]
    async with db.write() as session:
        number = await session.scalar(text(f"SELECT {own}"))
    async with db.read() as session:
        await session.execute(text(kill.format(number)))
    monkeypatch.setattr("scaiflow_api.db.kept_sessions.FRESH_S", 0.0)

    async with db.write() as session:
        session.add(a_flow())

    async with db.read() as session:
        assert await session.scalar(select(Flow.id)) == "flow_1"


async def test_times_keep_their_zone_and_their_microseconds(db: Database) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    async with db.write() as session:
        session.add(a_flow(updated_at=elsewhere))

    async with db.read() as session:
        flow = await session.scalar(select(Flow))

    assert flow is not None
    assert (flow.updated_at, flow.updated_at.tzinfo) == (NOW, UTC)


async def test_ids_are_case_sensitive_and_text_may_be_anything(db: Database) -> None:
    async with db.write() as session:
        session.add(a_flow(id="flow_a", name="Straße 🦜"))
        session.add(a_flow(id="flow_A"))

    async with db.read() as session:
        found = await session.scalar(select(Flow.name).where(Flow.id == "flow_a"))

    assert found == "Straße 🦜"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://nobody@127.0.0.1:1/none",
        "mysql+asyncmy://nobody@127.0.0.1:1/none",
        "sqlite+aiosqlite:////nowhere/at/all.db",
    ],
)
async def test_a_database_that_is_away_is_said_to_be(url: str) -> None:
    db = Database(url)

    with pytest.raises(DatabaseUnavailable):
        await db.check()

    await db.close()
    # A connection that failed ends in a thread of the driver's, which still reports to this loop.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


async def test_a_mariadb_that_hangs_up_at_once_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """On uvloop its transport then has no socket any more, which the driver calls a RuntimeError."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def hung_up(*address: Any, **options: Any) -> Any:
        transport, protocol = await connect(*address, **options)
        monkeypatch.setattr(transport, "get_extra_info", lambda name, default=None: default)
        return transport, protocol

    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    db = Database(f"mysql+asyncmy://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/none")
    monkeypatch.setattr(loop, "create_connection", hung_up)

    with pytest.raises(DatabaseUnavailable):
        await db.check()

    await db.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("code", ["53100", "53300", "57P01", "57P03", "40P01", "40001", "25006", "58030"])
async def test_what_postgresql_cannot_do_now_is_no_bug(db: Database, code: str) -> None:
    """A full disk, no connection left, a shutdown, a start, a deadlock, a failover, a broken disk."""
    if db.dialect != "postgresql":
        pytest.skip("the codes are PostgreSQL's")
    with pytest.raises(DatabaseUnavailable):
        async with db.write() as session:
            await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))


async def test_a_full_disk_is_said_to_be_one_and_loses_nothing(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with db.write() as session:
        await session.execute(text("CREATE TABLE t (x TEXT)"))
        await session.execute(text("INSERT INTO t VALUES ('kept')"))
        await session.execute(text("PRAGMA max_page_count = 8"))

    with pytest.raises(DatabaseUnavailable):
        async with db.write() as session:
            await session.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))
    async with db.write() as session:
        await session.execute(text("PRAGMA max_page_count = 1000000"))
        await session.execute(text("INSERT INTO t VALUES ('later')"))

    async with db.read() as session:
        assert (await session.scalars(text("SELECT x FROM t"))).all() == ["kept", "later"]
    await db.close()


async def test_a_transaction_ends_at_its_deadline(database_url: str) -> None:
    """On the server it sleeps; on SQLite it waits for another one."""
    db = Database(database_url, deadline_s=1)  # a commit on a busy machine must fit in
    slow = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT SLEEP(60)"}.get(db.dialect)

    if slow is None:
        async with db._turn:
            with pytest.raises(DatabaseUnavailable):
                async with db.write():
                    pass
    else:
        for transaction in (db.read, db.write):
            with pytest.raises(DatabaseUnavailable):
                async with transaction() as session:
                    await session.execute(text(slow))

    async with db.write() as session:
        session.add(a_flow())
    async with db.read() as session:
        assert await session.scalar(select(Flow.id)) == "flow_1"
    await db.close()


async def test_a_writer_of_another_process_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", busy_timeout_ms=50)
    async with db.write() as session:
        await session.execute(text("CREATE TABLE t (id INTEGER)"))
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable):
        async with db.write() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
    other.execute("COMMIT")
    async with db.write() as session:
        await session.execute(text("INSERT INTO t VALUES (2)"))
    async with db.read() as session:
        assert await session.scalar(text("SELECT group_concat(id) FROM t")) == "2"

    other.close()
    await db.close()


class TestPrincipals:
    """What the mirror says of a principal."""

    async def test_somebody_new_is_added_once(self, db: Database) -> None:
        principals = Principals(db)

        first, second = await asyncio.gather(
            *(
                principals.add("tnt_acme", "usr_new", email="n@acme.example", name="New", now=NOW)
                for _ in range(2)
            )
        )

        assert first == second
        assert (first.status, first.admin_role, first.email) == ("ACTIVE", None, "n@acme.example")
        async with db.read() as session:
            assert len((await session.scalars(select(User))).all()) == 1

    async def test_a_role_is_kept_with_its_source(self, db: Database) -> None:
        principals = Principals(db)
        await principals.grant("tnt_acme", "usr_alice", AdminRole.TENANT_ADMIN, source="bootstrap", now=NOW)
        await principals.grant("tnt_acme", "usr_alice", AdminRole.SUPER_ADMIN, source="bootstrap", now=NOW)

        standing = await principals.find("tnt_acme", "usr_alice")

        assert standing is not None
        assert (standing.admin_role, standing.admin_role_source) == (AdminRole.SUPER_ADMIN, "bootstrap")
        assert await principals.find("tnt_globex", "usr_alice") is None

    async def test_a_start_never_lowers_a_role(self, db: Database) -> None:
        principals = Principals(db)
        await principals.grant("tnt_acme", "usr_alice", AdminRole.SUPER_ADMIN, source="manual", now=NOW)
        await principals.grant("tnt_acme", "usr_alice", AdminRole.TENANT_ADMIN, source="bootstrap", now=NOW)

        standing = await principals.find("tnt_acme", "usr_alice")

        assert standing is not None
        assert (standing.admin_role, standing.admin_role_source) == (AdminRole.SUPER_ADMIN, "manual")

    async def test_groups_are_those_that_stand_in_the_mirror(self, db: Database) -> None:
        principals = Principals(db)
        await mirror(db, "tnt_acme", users=["usr_bob"], groups={"grp_a": ["usr_bob"], "grp_b": ["usr_bob"]})
        await mirror(db, "tnt_globex", users=["usr_bob"], groups={"grp_c": ["usr_bob"]})
        await mirror(db, "tnt_acme", users=["usr_new"], groups={"grp_d": ["usr_new"]}, synced=False)
        async with db.write() as session:
            group = await session.get(Group, ("tnt_acme", "grp_b"))
            assert group is not None
            group.deleted_at = NOW

        async def groups_of(tenant_id: str, user_id: str) -> frozenset[str]:
            """Return the groups of somebody whose token names two."""
            standing = await principals.find(tenant_id, user_id)
            assert standing is not None
            assert (await principals.find_all([(tenant_id, user_id)]))[tenant_id, user_id] == standing
            return standing.groups_with(frozenset({"grp_d", "grp_x"}))

        assert await groups_of("tnt_acme", "usr_bob") == {"grp_a"}
        assert await groups_of("tnt_globex", "usr_bob") == {"grp_c"}
        # Never synced: the mirror knows what it was told, and nothing of what it was not.
        assert await groups_of("tnt_acme", "usr_new") == {"grp_d", "grp_x"}
        async with db.write() as session:
            membership = await session.get(Membership, ("tnt_acme", "usr_new", "grp_d"))
            assert membership is not None
            membership.deleted_at = NOW
        assert await groups_of("tnt_acme", "usr_new") == {"grp_x"}


def test_sqlite_files_survive_a_power_cut(tmp_path: Path) -> None:
    async def pragmas() -> tuple[object, object]:
        db = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
        async with db.read() as session:
            connection = await session.connection()
            journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
            synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
        await db.close()
        return journal, synchronous

    assert asyncio.run(pragmas()) == ("wal", 2)
