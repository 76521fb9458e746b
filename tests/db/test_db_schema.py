"""The schema goes up, down and up again, and is what the code says."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from databases import scratch_database
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from scaiflow_api.db.base import Base
from scaiflow_api.db.schema import NEWEST, check, configuration, downgrade, is_current, upgrade


@pytest.fixture
def empty_database(database_server: str, tmp_path: Path) -> Iterator[str]:
    if database_server == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    with asyncio.Runner() as runner:
        scratch = scratch_database(database_server)
        yield runner.run(scratch.__aenter__())
        runner.run(scratch.__aexit__(None, None, None))


async def tables_of(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    return set(names) - {"alembic_version"}


async def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        answer = await connection.execute(text(statement))
        rows = [tuple(row) for row in answer] if answer.returns_rows else []
    await engine.dispose()
    return rows


def test_up_down_and_up(empty_database: str) -> None:
    upgrade(empty_database)
    assert asyncio.run(tables_of(empty_database)) == set(Base.metadata.tables)
    downgrade(empty_database)
    assert asyncio.run(tables_of(empty_database)) == set()
    upgrade(empty_database)
    assert asyncio.run(tables_of(empty_database)) == set(Base.metadata.tables)


def test_bringing_the_schema_forward_warns_of_nothing(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        upgrade(empty_database)

    assert caplog.messages == []


def test_people_and_their_roles_survive_the_way_back(empty_database: str) -> None:
    """Of the columns that came later only their own content is lost."""

    upgrade(empty_database, "0002")
    columns = "tenant_id, id, email, status, manual_role, manual_role_source"
    asyncio.run(
        ask(
            empty_database,
            f"INSERT INTO users ({columns}, created_at) VALUES "
            "('tnt_acme', 'usr_a', 'a@b.c', 'ACTIVE', 'super_admin', 'manual', '2026-11-24 08:00:00')",
        )
    )
    before = asyncio.run(ask(empty_database, f"SELECT {columns} FROM users"))
    upgrade(empty_database)
    assert asyncio.run(ask(empty_database, f"SELECT {columns} FROM users")) == before
    downgrade(empty_database, "0002")
    assert asyncio.run(ask(empty_database, f"SELECT {columns} FROM users")) == before


def test_code_and_migrations_agree(empty_database: str) -> None:
    upgrade(empty_database)

    check(empty_database)


def test_a_start_knows_whether_the_schema_is_the_newest(empty_database: str) -> None:
    assert ScriptDirectory.from_config(configuration(empty_database)).get_current_head() == NEWEST
    assert not is_current(empty_database)
    upgrade(empty_database)
    assert is_current(empty_database)


def test_several_processes_that_start_at_once_bring_the_schema_up_together(empty_database: str) -> None:
    migrate = f"from scaiflow_api.db.schema import upgrade; upgrade({empty_database!r})"
    processes = [
        subprocess.Popen([sys.executable, "-c", migrate], stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]

    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]

    assert [code for _, code in ended] == [0] * 4, ended
    assert is_current(empty_database)
    assert asyncio.run(tables_of(empty_database)) == set(Base.metadata.tables)


def test_names_that_were_there_before_can_be_searched(empty_database: str) -> None:
    upgrade(empty_database, "0006")
    columns = "id, tenant_id, owner_id, name, description, version, revision, created_at, updated_at"
    rows = ", ".join(
        f"('flow_{number}', 't', 'u', '{name}', '', '1.0.0', 1, '2026-01-01', '2026-01-01')"
        for number, name in enumerate(["ÄRGER", "plain"])
    )
    asyncio.run(ask(empty_database, f"INSERT INTO flows ({columns}) VALUES {rows}"))

    upgrade(empty_database)
    assert asyncio.run(ask(empty_database, "SELECT name_key FROM flows ORDER BY id")) == [
        ("ärger",),
        ("plain",),
    ]
    found = "SELECT flow_id, COUNT(*) FROM flow_name_tails GROUP BY flow_id ORDER BY flow_id"
    assert asyncio.run(ask(empty_database, found)) == [("flow_0", 4), ("flow_1", 5)]
    downgrade(empty_database, "0006")
    assert asyncio.run(ask(empty_database, "SELECT name FROM flows ORDER BY id")) == [("ÄRGER",), ("plain",)]


def test_flows_that_were_there_before_are_counted(empty_database: str) -> None:
    upgrade(empty_database, "0013")
    columns = (
        "id, tenant_id, owner_id, name, name_key, description, version, created_at, updated_at, deleted_at"
    )
    flows = [
        ("t", "Äb", "äb", "NULL"),
        ("t", "bb", "bb", "NULL"),
        ("other", "b", "b", "NULL"),
        ("t", "ab", "ab", "'2026-01-02'"),
    ]
    for number, (tenant, name, key, deleted) in enumerate(flows):
        texts = f"'flow_{number}', '{tenant}', 'u', '{name}', '{key}', '', '1.0.0'"
        values = f"{texts}, '2026-01-01', '2026-01-01', {deleted}"
        asyncio.run(ask(empty_database, f"INSERT INTO flows ({columns}, revision) VALUES ({values}, 1)"))

    for _ in range(2):
        upgrade(empty_database)
        found = asyncio.run(ask(empty_database, "SELECT tenant_id, part, flows FROM flow_counts"))
        assert set(found) == {
            ("t", b"", 2),
            ("t", b"b", 2),
            ("t", "ä".encode(), 1),
            ("other", b"", 1),
            ("other", b"b", 1),
        }
        downgrade(empty_database, "0013")
        assert len(asyncio.run(ask(empty_database, "SELECT id FROM flows"))) == 4


def test_text_is_compared_code_point_by_code_point(empty_database: str, database_server: str) -> None:
    """Also where the server was set up for a language; on SQLite there is no other way."""
    if database_server == "sqlite":
        return
    upgrade(empty_database)
    downgrade(empty_database, "0011")
    upgrade(empty_database)
    of_tables = "FROM information_schema.columns WHERE data_type IN ('varchar', 'character varying') AND "
    here = "table_schema = current_schema()" if database_server == "postgres" else "table_schema = database()"

    found = ask(
        empty_database,
        f"SELECT DISTINCT collation_name {of_tables} {here} AND table_name <> 'alembic_version'",
    )

    assert asyncio.run(found) == [("C" if database_server == "postgres" else "utf8mb4_bin",)]
