"""`scaiflow migrate`: forward, back, and one sentence where no migration leads."""

import sqlite3
from pathlib import Path

import pytest

from scaiflow_api.db.schema import NEWEST


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "flows.db"
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{path}")
    monkeypatch.setenv("SCAIFLOW_STORE_URL", f"file:{tmp_path / 'blobs'}")
    return path


def revision_of(database: Path) -> str | None:
    row = sqlite3.connect(database).execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def test_the_schema_goes_forward_and_back(scaiflow, database: Path) -> None:
    forward = scaiflow("migrate")
    assert (forward.code, revision_of(database)) == (0, NEWEST)

    back = scaiflow("migrate", "base", "--down")
    assert (back.code, revision_of(database)) == (0, None)


@pytest.mark.parametrize("command", [["migrate"], ["migrate", "base", "--down"]])
def test_a_schema_newer_than_this_version_is_one_sentence(
    scaiflow, database: Path, command: list[str]
) -> None:
    scaiflow("migrate")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    refused = scaiflow(*command)

    assert (refused.code, refused.errors.count("\n")) == (1, 1)
    assert "'9999'" in refused.errors
    assert "a newer ScaiFlow has used this database" in refused.errors


def test_a_revision_that_there_is_not_is_one_sentence(scaiflow, database: Path) -> None:
    forward = scaiflow("migrate", "0815")
    assert not database.exists()
    scaiflow("migrate")
    back = scaiflow("migrate", "0815", "--down")

    for refused in (forward, back):
        assert (refused.code, refused.errors.count("\n")) == (1, 1)
        assert "'0815'" in refused.errors


@pytest.mark.parametrize("down", [[], ["--down"]])
def test_a_database_that_cannot_be_used_is_one_sentence(scaiflow, database: Path, down: list[str]) -> None:
    database.mkdir()

    refused = scaiflow("migrate", "base", *down)

    assert (refused.code, refused.errors.count("\n")) == (1, 1)
    assert "SCAIFLOW_DB_URL cannot be used" in refused.errors
