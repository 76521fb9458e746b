"""`scaiflow gc`: what it prints, what it exits with, and what it refuses."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

DAYS = 24 * 3600
ORPHAN = "flows/tnt_acme/flow_x/v1.0.0.flow.json"


@pytest.fixture
def place(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings that name a database and a folder `blobs`."""
    monkeypatch.setenv("SCAIFLOW_DB_URL", database_url)
    monkeypatch.setenv("SCAIFLOW_STORE_URL", f"file:{tmp_path / 'blobs'}")
    monkeypatch.setenv("SCAIFLOW_LOG_LEVEL", "CRITICAL")
    return tmp_path


def leave(place: Path, key: str, *, age_s: float) -> Path:
    path = place / "blobs" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_a_round_is_told_in_two_lines(scaiflow, place: Path) -> None:
    orphan = leave(place, ORPHAN, age_s=2 * DAYS)
    leave(place, ".incoming/half", age_s=2 * DAYS)
    leave(place, "somebody.elses", age_s=2 * DAYS)
    leave(place, "flows/tnt_acme/flow_x/v1.0.1.flow.json", age_s=0)

    done = scaiflow("gc", "--force")

    assert (done.code, done.errors) == (0, "")
    assert done.lines == [
        "objects: 3 seen, 0 named by rows, 1 too young to judge, 1 not ours, 1 without a row",
        "removed: 1 objects (5 bytes), 1 unfinished files, 0 expired idempotency keys",
        f"without a row: {ORPHAN}",
        "not ours: somebody.elses",
    ]
    assert not orphan.exists()
    assert (place / "blobs" / "somebody.elses").exists()


def test_a_dry_run_removes_nothing(scaiflow, place: Path) -> None:
    orphan = leave(place, ORPHAN, age_s=2 * DAYS)
    half = leave(place, ".incoming/half", age_s=2 * DAYS)

    done = scaiflow("gc", "--dry-run", "--json")

    assert (done.code, orphan.exists(), half.exists()) == (0, True, True)
    report: dict[str, Any] = done.json
    assert {
        name: report[name] for name in ("dry_run", "complete", "unfinished_files", "idempotency_keys")
    } == {
        "dry_run": True,
        "complete": True,
        "unfinished_files": 1,
        "idempotency_keys": 0,
    }
    assert (report["objects"]["orphans"], report["objects"]["removed"]) == (1, 0)
    assert report["objects"]["orphan_examples"] == [ORPHAN]


def test_many_are_not_all_listed(scaiflow, place: Path) -> None:
    for number in range(25):
        leave(place, f"x{number}.y", age_s=0)

    assert scaiflow("gc").lines[-1] == "not ours: and 5 more"


def test_the_grace_period_is_a_setting(scaiflow, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = leave(place, ORPHAN, age_s=3600)
    monkeypatch.setenv("SCAIFLOW_GC_GRACE_S", "7200")
    assert scaiflow("gc", "--force").code == 0
    assert orphan.exists()
    monkeypatch.setenv("SCAIFLOW_GC_GRACE_S", "1800")
    assert scaiflow("gc", "--force").code == 0
    assert not orphan.exists()


class TestRefusals:
    """One sentence on standard error, and nothing removed."""

    def refusal(self, done) -> str:
        assert done.code == 1
        assert done.errors.startswith("scaiflow: ")
        return done.errors

    def test_a_store_that_the_database_does_not_know(self, scaiflow, place: Path) -> None:
        orphan = leave(place, ORPHAN, age_s=2 * DAYS)

        done = scaiflow("gc", "--json")

        assert "the database names none of the objects" in self.refusal(done)
        assert (done.json["complete"], done.json["objects"]["orphans"]) == (False, 1)
        assert orphan.exists()

    def test_a_database_without_the_schema(
        self, scaiflow, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SCAIFLOW_DB_URL", f"sqlite+aiosqlite:///{place / 'other.db'}")

        assert "'scaiflow migrate'" in self.refusal(scaiflow("gc"))

    @pytest.mark.parametrize("driver", ["postgresql+asyncpg", "mysql+asyncmy"])
    def test_a_database_that_is_away(
        self, scaiflow, place: Path, monkeypatch: pytest.MonkeyPatch, driver: str
    ) -> None:
        monkeypatch.setenv("SCAIFLOW_DB_URL", f"{driver}://u:hunter2@127.0.0.1:1/x")

        said = self.refusal(scaiflow("gc"))

        assert "cannot be used" in said
        assert "hunter2" not in said

    def test_a_store_that_cannot_be_opened(
        self, scaiflow, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SCAIFLOW_STORE_URL", "ftp://x")

        assert "SCAIFLOW_STORE_URL" in self.refusal(scaiflow("gc"))

    @pytest.mark.parametrize("grace", ["0", "599", "soon"])
    def test_a_grace_period_that_is_too_short(
        self, scaiflow, place: Path, monkeypatch: pytest.MonkeyPatch, grace: str
    ) -> None:
        monkeypatch.setenv("SCAIFLOW_GC_GRACE_S", grace)

        assert "SCAIFLOW_GC_GRACE_S" in self.refusal(scaiflow("gc"))
