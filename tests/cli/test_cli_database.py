"""Commands that need a database which is there: each says the same when it is not, and leaves nothing behind."""

import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Scaiflow = Callable[..., Any]

COMMANDS = [
    ["gc"],
    ["admin", "grant", "usr_bob", "--role", "tenant_admin"],
    ["audit", "verify"],
    ["audit", "verify", "--json"],
]


@pytest.mark.parametrize("command", [*COMMANDS, ["migrate", "base", "--down"]], ids=" ".join)
@pytest.mark.parametrize("name", ["none.db", "no-folder/none.db"])
def test_a_file_that_is_not_there_is_named_and_not_made(
    scaiflow: Scaiflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str
) -> None:
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///./{name}")

    done = scaiflow(*command)

    assert (done.code, done.output, done.errors.count("\n")) == (1, b"", 1)
    assert done.errors.startswith(f"scaiflow: there is no database at {tmp_path / name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_without_our_tables_is_one_sentence(
    scaiflow: Scaiflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE theirs (id INTEGER)").close()
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")

    done = scaiflow(*command)

    assert (done.code, done.output) == (1, b"")
    assert done.errors == (
        "scaiflow: the database has no schema of this version: run 'scaiflow migrate' first\n"
    )


@pytest.mark.parametrize(
    ("name", "said"), [("none.db", "there is no database at"), ("other.db", "run 'scaiflow migrate' first")]
)
def test_a_server_that_may_not_change_the_schema_does_not_start_without_it(
    scaiflow: Scaiflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE theirs (id INTEGER)").close()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    for variable, value in {
        "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{tmp_path / name}",
        "SCAIFLOW_STORE_URL": "memory:",
        "SCAIFLOW_SKIP_CREATE_ALL": "true",
        "SCAIFLOW_API_PORT": port,
    }.items():
        monkeypatch.setenv(variable, value)

    done = scaiflow("serve")

    assert (done.code, done.errors.count("\n"), said in done.errors) == (1, 1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]
