"""`scaiflow audit verify`: in the database, and of an export."""

import asyncio
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scaiflow_api.db.audit import Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.repository import Wanted
from scaiflow_api.domains.audit.service import AuditLog
from scaiflow_api.kit.clock import SystemClock

Scaiflow: TypeAlias = Callable[..., Any]
TENANTS = ("tnt_acme", "tnt_acme", "tnt_acme", "tnt_globex")


@pytest.fixture
def empty(migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of the settings, without rows."""
    path = tmp_path / "log.db"
    shutil.copy(migrated_database.removeprefix("sqlite+aiosqlite:///"), path)
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def log(empty: Path) -> Path:
    """Three rows of one tenant in it and one of another; and acme's export beside it, `audit.jsonl`."""

    async def fill() -> bytes:
        db = Database(f"sqlite+aiosqlite:///{empty}")
        audit = AuditTrail(db, SystemClock())
        for number, tenant_id in enumerate(TENANTS):
            entry = Entry(
                tenant_id=tenant_id,
                action="flow.created",
                target_type="flow",
                target_id=f"flow_{number}",
            )
            await audit.append(None, entry)
        lines = AuditLog(db, audit).lines(Wanted(tenant_id="tnt_acme"))
        exported = b"".join([part async for part in lines])
        await db.close()
        return exported

    (empty.parent / "audit.jsonl").write_bytes(asyncio.run(fill()))
    return empty


def damage(log: Path, statement: str) -> None:
    with sqlite3.connect(log) as connection:
        connection.execute(statement)
    connection.close()


def test_a_whole_log_is_said_to_be(scaiflow: Scaiflow, log: Path) -> None:
    last = json.loads((log.parent / "audit.jsonl").read_bytes().splitlines()[-1])

    done = scaiflow("audit", "verify")
    assert done.code == 0, done.errors
    acme, globex = done.lines
    assert acme == f"tnt_acme: whole; 3 rows, the last is 3:{last['hash']}"
    assert globex.startswith("tnt_globex: whole; 1 rows, the last is 1:")
    one = scaiflow("audit", "verify", "--tenant", "tnt_acme", "--noted", f"3:{last['hash']}")
    assert (one.code, one.lines) == (0, [acme])


def test_damage_is_named_and_fails_the_command(scaiflow: Scaiflow, log: Path) -> None:
    damage(log, "UPDATE audit_events SET actor_id = 'usr_eve' WHERE tenant_id = 'tnt_acme' AND seq = 2")
    damage(log, "DELETE FROM audit_events WHERE tenant_id = 'tnt_acme' AND seq = 3")

    done = scaiflow("audit", "verify")
    assert done.code == 1
    assert done.lines[0].startswith("tnt_acme: damaged; 2 rows")
    assert done.lines[1:3] == ["  row 2 was changed", "  row 3 was removed"]
    assert scaiflow("audit", "verify", "--tenant", "tnt_globex").code == 0

    found = scaiflow("audit", "verify", "--json")
    assert found.code == 1
    assert found.json["whole"] is False
    assert [(log["tenant_id"], log["whole"], log["rows"]) for log in found.json["logs"]] == [
        ("tnt_acme", False, 2),
        ("tnt_globex", True, 1),
    ]
    assert found.json["logs"][0]["findings"][1] == {
        "damage": "removed",
        "first_seq": 3,
        "last_seq": 3,
        "message": "row 3 was removed",
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("at = 'never'", "row 2 was changed"),
        ("at = 5", "row 2 was changed"),
        ("at = x'00ff'", "row 2 was changed"),
        ("actor_id = x'00ff'", "row 2 was changed"),
        ("details = '{'", "row 2 was changed"),
        ("seq = 'two'", "row 2 was removed"),
        ("seq = x'02'", "row 2 was removed"),
    ],
)
def test_values_that_sqlite_lets_in_and_we_never_write_are_damage(
    scaiflow: Scaiflow, log: Path, value: str, found: str
) -> None:
    damage(log, f"UPDATE audit_events SET {value} WHERE tenant_id = 'tnt_acme' AND seq = 2")

    done = scaiflow("audit", "verify")
    assert (done.code, done.errors) == (1, "")
    assert done.lines[1] == f"  {found}"


def test_a_head_that_is_no_number_is_no_head(scaiflow: Scaiflow, log: Path) -> None:
    damage(log, "UPDATE audit_heads SET seq = 'three' WHERE tenant_id = 'tnt_acme'")

    done = scaiflow("audit", "verify", "--tenant", "tnt_acme")
    assert (done.code, done.errors) == (1, "")
    assert done.lines[1] == "  row 3 is not the one that the head of the chain names"


def test_text_that_cannot_be_read_is_said_in_a_sentence(scaiflow: Scaiflow, log: Path) -> None:
    damage(log, "UPDATE audit_events SET actor_id = CAST(x'ff' AS TEXT) WHERE tenant_id = 'tnt_acme'")

    done = scaiflow("audit", "verify")
    assert done.code == 1
    assert done.errors.splitlines()[-1].startswith("scaiflow: the database of SCAIFLOW_DB_URL ")


def test_a_log_that_was_written_anew_is_found_by_a_noted_row(scaiflow: Scaiflow, log: Path) -> None:
    done = scaiflow("audit", "verify", "--tenant", "tnt_acme", "--noted", f"2:{'0' * 64}")

    assert done.code == 1
    assert done.lines[1] == "  row 2 is not the one that was noted: it or rows before it were rewritten"


def test_a_log_that_is_gone_is_missed_when_it_is_asked_for(scaiflow: Scaiflow, log: Path) -> None:
    damage(log, "DELETE FROM audit_events")
    damage(log, "DELETE FROM audit_heads")

    assert scaiflow("audit", "verify").code == 0
    done = scaiflow("audit", "verify", "--tenant", "tnt_acme")
    assert (done.code, done.errors) == (1, "scaiflow: there is no audit log of the tenant 'tnt_acme'\n")


def test_the_documented_way_to_verify_works(log: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exported = (log.parent / "audit.jsonl").read_text()

    def verify(text: str) -> None:
        exec(program, {"open": lambda *_, **__: io.StringIO(text)})

    verify(exported)
    for damaged in (exported.replace("flow_1", "flow_7"), exported.partition("\n")[2]):
        with pytest.raises(AssertionError):
            verify(damaged)


def test_an_export_is_verified_without_a_database(
    scaiflow: Scaiflow, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAIFLOW_DB_URL", "sqlite+aiosqlite:////nowhere/at/all.db")
    exported = log.parent / "audit.jsonl"
    lines = exported.read_bytes().splitlines(keepends=True)

    assert scaiflow("audit", "verify", "--file", exported).code == 0
    assert scaiflow("audit", "verify", "--file", "-", stdin=b"".join(lines)).code == 0
    changed = scaiflow("audit", "verify", "--file", "-", stdin=b"".join(lines).replace(b"flow_1", b"flow_7"))
    assert (changed.code, changed.lines[1:]) == (1, ["  row 2 was changed"])
    part = lines[0] + lines[2]
    missing = scaiflow("audit", "verify", "--file", "-", stdin=part)
    assert (missing.code, missing.lines[1:]) == (1, ["  row 2 was removed"])
    assert scaiflow("audit", "verify", "--file", "-", "--filtered", stdin=part).code == 0
    swapped = scaiflow("audit", "verify", "--file", "-", stdin=lines[1] + lines[0] + lines[2])
    assert swapped.code == 1


@pytest.mark.parametrize("line", [b"", b"x", b"[]", b"{}", b'{"seq": true}', b"\xff", b"9" * 5000])
def test_what_is_no_row_is_said_to_be_none(scaiflow: Scaiflow, log: Path, line: bytes) -> None:
    first = (log.parent / "audit.jsonl").read_bytes().splitlines(keepends=True)[0]

    done = scaiflow("audit", "verify", "--file", "-", stdin=first + line + b"\n")

    assert (done.code, done.errors) == (1, "scaiflow: <stdin>: line 2 is no row of an audit log\n")


def test_what_cannot_be_used_is_said(
    scaiflow: Scaiflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    no_tables = scaiflow("audit", "verify")
    assert (no_tables.code, "scaiflow migrate" in no_tables.errors) == (1, True)
    monkeypatch.setenv("SCAIFLOW_DB_URL", "no address")
    assert "no SQLAlchemy async URL" in scaiflow("audit", "verify").errors
    no_file = scaiflow("audit", "verify", "--file", "none.jsonl")
    assert (no_file.code, no_file.errors) == (
        2,
        "scaiflow: cannot read none.jsonl: No such file or directory\n",
    )
    assert scaiflow("audit", "verify", "--noted", "1:abc").code == 2
    assert scaiflow("audit", "verify", "--tenant", "t", "--noted", "last").code == 2
    assert scaiflow("audit").code == 2


@pytest.mark.usefixtures("empty")
def test_an_empty_log_is_whole(scaiflow: Scaiflow) -> None:
    done = scaiflow("audit", "verify")

    assert (done.code, done.lines, done.errors) == (0, [], "the audit log is empty\n")
