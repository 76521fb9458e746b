"""Transactions that commit together: each as if alone, and nobody is told of success before it is on the disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.session import Database

WRITERS = 40


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", deadline_s=5)
    async with opened.write() as session:
        await session.execute(text("CREATE TABLE pieces (number INTEGER PRIMARY KEY)"))
    yield opened
    await opened.close()


def write(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO pieces VALUES (:number)"), {"number": number})
        return number

    return work


async def written(db: Database) -> list[int]:
    async with db.read() as session:
        return list((await session.scalars(text("SELECT number FROM pieces ORDER BY number"))).all())


def count_commits(db: Database, counted: list[int]) -> None:
    event.listen(db._writer.sync_engine, "commit", lambda _: counted.append(1))


async def test_each_gets_its_own_answer_and_what_failed_is_undone_alone(db: Database) -> None:
    def fail(number: int) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            write(number)(connection)
            raise LookupError(number)

        return work

    works = [fail(number) if number % 3 == 0 else write(number) for number in range(WRITERS)]
    answers = await asyncio.gather(*map(db.carry_out, works), return_exceptions=True)

    sound = [number for number in range(WRITERS) if number % 3]
    assert [answer for answer in answers if isinstance(answer, int)] == sound
    assert [repr(answer) for answer in answers[::3]] == [f"LookupError({n})" for n in range(0, WRITERS, 3)]
    assert await written(db) == sound


async def test_a_piece_that_the_database_refuses_is_undone_alone(db: Database) -> None:
    answers = await asyncio.gather(*(db.carry_out(write(n)) for n in [1, 2, 2, 3]), return_exceptions=True)

    assert [type(answer).__name__ for answer in answers] == ["int", "int", "IntegrityError", "int"]
    assert await written(db) == [1, 2, 3]


async def test_what_gathers_during_a_commit_shares_the_next_one(db: Database) -> None:
    commits: list[int] = []
    count_commits(db, commits)

    await asyncio.gather(*(db.carry_out(write(number)) for number in range(WRITERS)))

    assert len(commits) == 3  # of 16, 16 and 8
    assert await written(db) == [*range(WRITERS)]


async def test_a_commit_that_fails_fails_for_all_and_leaves_nothing(db: Database) -> None:
    def refuse(_: Any) -> None:
        raise OSError("no space left on device")

    event.listen(db._writer.sync_engine, "commit", refuse)
    answers = await asyncio.gather(*(db.carry_out(write(n)) for n in range(5)), return_exceptions=True)
    event.remove(db._writer.sync_engine, "commit", refuse)

    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert await written(db) == []
    assert await db.carry_out(write(1)) == 1


async def test_a_transaction_that_the_database_gave_up_writes_nothing_of_the_others(db: Database) -> None:
    def give_up(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself where the disk is full
        raise LookupError

    works: list[Callable[[Connection], Any]] = [write(1), give_up, write(2)]
    answers = await asyncio.gather(*map(db.carry_out, works), return_exceptions=True)

    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert await written(db) == []
    assert await db.carry_out(write(3)) == 3


async def test_who_gives_up_before_its_turn_writes_nothing(db: Database) -> None:
    async with db.write():
        patient = asyncio.create_task(db.carry_out(write(1)))
        impatient = asyncio.create_task(db.carry_out(write(2)))
        await asyncio.sleep(0)
        impatient.cancel()
    await asyncio.wait((patient, impatient))

    assert impatient.cancelled()
    assert await patient == 1
    assert await written(db) == [1]


async def test_who_waits_for_longer_than_the_deadline_is_told_so(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", deadline_s=0.2)
    begun, end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        with suppress(DatabaseUnavailable):
            async with db.write():
                begun.set()
                await end.wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    with pytest.raises(DatabaseUnavailable):
        await db.carry_out(write(1))
    end.set()
    await holding
    await db.close()


async def test_each_is_carried_out_where_it_was_wanted_also_across_a_thread(db: Database) -> None:
    wanted: ContextVar[int] = ContextVar("wanted")

    async def want(number: int) -> tuple[int, int]:
        wanted.set(number)

        def work(connection: Connection) -> tuple[int, int]:
            write(number)(connection)
            rows = connection.exec_driver_sql(
                "WITH long AS (SELECT number FROM pieces) SELECT count(*) FROM long"
            )
            return wanted.get(), rows.scalar_one()

        return await db.carry_out(work)

    assert await asyncio.gather(*map(want, range(5))) == [(number, number + 1) for number in range(5)]
