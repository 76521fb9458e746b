"""SQLite on an event loop: short questions on the spot, the rest in a thread, nothing left behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.session import Database

NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {}) SELECT x FROM n"
COUNT = f"SELECT count(*) FROM ({NUMBERS})"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", busy_timeout_ms=200)
    async with opened.write() as session:
        await session.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
    yield opened
    await opened.close()


async def asked(db: Database, question: str) -> object:
    async with db.read() as session:
        return await session.scalar(text(question))


async def loop_goes_on(during: "asyncio.Task[object]") -> int:
    """Return how often the loop came round while the task was not done."""
    rounds = 0
    while not during.done():
        rounds += 1
        await asyncio.sleep(0)
    return rounds


async def test_a_short_question_does_not_leave_the_loop(db: Database) -> None:
    await asked(db, "SELECT 1")  # opens a connection, and that may wait
    task = asyncio.create_task(asked(db, COUNT.format(10)))

    assert await loop_goes_on(task) == 1
    assert task.result() == 10


async def test_a_long_question_is_answered_while_the_loop_goes_on(db: Database) -> None:
    task = asyncio.create_task(asked(db, COUNT.format(300_000)))

    assert await loop_goes_on(task) > 5
    assert task.result() == 300_000


async def test_a_cancelled_question_stops_and_the_connection_is_good_for_the_next(db: Database) -> None:
    task = asyncio.create_task(asked(db, COUNT.format(10**12)))
    await asyncio.sleep(0.1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asked(db, "SELECT 2") == 2


async def test_a_cancelled_write_is_undone_and_lets_the_next_one_in(db: Database) -> None:
    async def write() -> None:
        async with db.write() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
            await session.execute(text(f"INSERT INTO t {COUNT.format(10**12)}"))

    task = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with db.write() as session:
        await session.execute(text("INSERT INTO t VALUES (2)"))
    assert await asked(db, "SELECT group_concat(id) FROM t") == "2"


async def test_a_long_write_is_not_torn_from_its_transaction(db: Database) -> None:
    many = ", ".join(f"({number})" for number in range(30_000))
    with pytest.raises(RuntimeError, match="half way"):
        async with db.write() as session:
            await session.execute(text("INSERT INTO t VALUES (-1)"))
            await session.execute(text(f"INSERT INTO t VALUES {many}"))
            assert await session.scalar(text("SELECT count(*) FROM t")) == 30_001
            raise RuntimeError("half way")

    assert await asked(db, "SELECT count(*) FROM t") == 0


async def test_another_process_is_waited_for_without_stopping_the_loop(db: Database, tmp_path: Path) -> None:
    await db.close()  # its connections would keep the other from locking the file as a whole
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")

    task = asyncio.create_task(asked(db, "SELECT count(*) FROM t"))
    assert await loop_goes_on(task) > 5
    with pytest.raises(DatabaseUnavailable):
        task.result()

    other.close()
    assert await asked(db, "SELECT count(*) FROM t") == 0


async def test_what_the_database_refuses_comes_as_sqlalchemy_says_it(db: Database) -> None:
    async with db.write() as session:
        await session.execute(text("INSERT INTO t VALUES (:id)"), [{"id": 1}, {"id": 2}])

    with pytest.raises(IntegrityError):
        async with db.write() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))

    assert await asked(db, "SELECT count(*) FROM t") == 2


async def test_more_readers_than_connections_take_turns(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'y.db'}", pool_size=2)

    found = await asyncio.gather(*(asked(db, COUNT.format(30_000 + number)) for number in range(8)))

    assert found == [30_000 + number for number in range(8)]
    await db.close()


async def test_a_session_that_failed_is_not_used_again(db: Database) -> None:
    async with db.read() as first:
        pass
    with pytest.raises(RuntimeError, match="half way"):
        async with db.read() as second:
            raise RuntimeError("half way")
    async with db.read() as third:
        pass

    assert second is first
    assert third is not first
