"""Rows of the audit log that stand alone: written together where they come together, each on the disk when said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from db_audit_rows import rows
from pydantic import SecretStr
from settable_clock import SettableClock
from sqlalchemy import Connection

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db import audit_trail
from scaiflow_api.db.audit import Entry, write_down
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.verification import verify_chain

Result = TypeVar("Result")

BOB = Caller(subject="usr_bob", tenant_id="tnt_acme", token=SecretStr("secret"), request_id="req-1")
ENTRY = Entry(tenant_id="tnt_acme", action="core.invoked", target_type="core", target_id="core_1")


class CountedDatabase(Database):
    """A database that counts the pieces of work that it is given to write."""

    pieces = 0

    async def carry_out(self, work: Callable[[Connection], Result]) -> Result:
        self.pieces += 1
        return await super().carry_out(work)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[CountedDatabase]:
    opened = CountedDatabase(database_url, pool_size=8)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC))


@pytest.fixture
async def audit(db: Database, clock: SettableClock) -> AsyncIterator[AuditTrail]:
    trail = AuditTrail(db, clock)
    yield trail
    await trail.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody waits for is not written by itself."""
    monkeypatch.setattr(audit_trail, "LINGER_S", 3600)


def about(name: str, tenant_id: str = "tnt_acme") -> Entry:
    return replace(ENTRY, target_id=name, tenant_id=tenant_id)


async def targets(db: Database, tenant_id: str = "tnt_acme") -> list[str]:
    return [row["target_id"] for row in await rows(db, tenant_id)]


async def test_what_comes_while_another_row_is_written_goes_together_in_its_order(
    db: CountedDatabase, audit: AuditTrail
) -> None:
    names = [f"core_{n}" for n in range(20)]
    await asyncio.gather(*(audit.append(BOB, about(name)) for name in names))

    assert await targets(db) == names
    assert db.pieces == 2
    assert (await verify_chain(db, "tnt_acme")).findings == []


@pytest.mark.usefixtures("patient")
async def test_a_row_that_nobody_waits_for_goes_along_with_the_next_one(
    db: CountedDatabase, audit: AuditTrail, clock: SettableClock
) -> None:
    audit.append_soon(BOB, about("first"))
    audit.append_soon(BOB, about("second"))
    assert await targets(db) == []
    clock.move(timedelta(seconds=1))

    await audit.append(BOB, about("third"))

    written = await rows(db)
    assert [row["target_id"] for row in written] == ["first", "second", "third"]
    assert [row["at"][17:19] for row in written] == ["15", "15", "16"]
    assert db.pieces == 1


async def test_it_is_written_soon_though_none_follows(
    db: Database, audit: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    def watched(*arguments: Any) -> None:
        write_down(*arguments)
        reached.set()

    monkeypatch.setattr(audit_trail, "write_down", watched)
    monkeypatch.setattr(audit_trail, "LINGER_S", 0)
    audit.append_soon(BOB, ENTRY)

    await reached.wait()
    await audit.settled("tnt_acme")
    assert await targets(db) == ["core_1"]


@pytest.mark.usefixtures("patient")
async def test_whoever_reads_or_ends_the_process_waits_for_what_was_told(
    db: Database, audit: AuditTrail
) -> None:
    for tenant_id in ("tnt_acme", "tnt_globex"):
        audit.append_soon(BOB, about("core_1", tenant_id))

    await audit.settled("tnt_acme")
    assert (await targets(db), await targets(db, "tnt_globex")) == (["core_1"], [])

    await audit.close()
    assert await targets(db, "tnt_globex") == ["core_1"]


async def test_a_row_that_cannot_be_written_keeps_no_other_from_it(db: Database, audit: AuditTrail) -> None:
    broken = replace(ENTRY, details={"number": float("nan")})  # type: ignore[dict-item]
    before, fault, after = await asyncio.gather(
        *(audit.append(BOB, entry) for entry in (about("before"), broken, about("after"))),
        return_exceptions=True,
    )

    assert (before, after) == (None, None)
    assert isinstance(fault, ValueError)
    assert await targets(db) == ["before", "after"]
    assert (await verify_chain(db, "tnt_acme")).findings == []


async def test_a_database_that_is_away_is_told_to_everybody_who_waits(
    audit: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(audit_trail, "write_down", away)
    audit.append_soon(BOB, ENTRY)
    answers = await asyncio.gather(*(audit.append(BOB, ENTRY) for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3


async def test_a_row_of_somebody_who_was_cancelled_is_written(db: Database, audit: AuditTrail) -> None:
    telling = asyncio.create_task(audit.append(BOB, ENTRY))
    await asyncio.sleep(0)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling

    await audit.settled("tnt_acme")
    assert await targets(db) == ["core_1"]


async def test_two_processes_make_one_chain(
    db: Database, audit: AuditTrail, clock: SettableClock, database_url: str
) -> None:
    beside = Database(database_url, pool_size=8)
    other = AuditTrail(beside, clock)

    async def told_by(trail: AuditTrail, name: str) -> None:
        for number in range(10):
            await trail.append(BOB, about(f"{name}_{number}"))
            trail.append_soon(BOB, about(f"{name}_{number}_end"))

    await asyncio.gather(*(told_by(trail, f"{n}") for n, trail in enumerate((audit, other, audit, other))))
    await other.close()
    await audit.close()
    await beside.close()

    report = await verify_chain(db, "tnt_acme")
    assert (report.rows, report.findings) == (80, [])
    written = await targets(db)
    for n in range(4):
        assert [name for name in written if name.startswith(f"{n}_")] == [
            f"{n}_{number}{end}" for number in range(10) for end in ("", "_end")
        ]
