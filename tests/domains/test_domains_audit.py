"""What reaches beyond the database is told before it begins and when it has ended, however it ends."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db import audit_trail
from scaiflow_api.db.audit import Entry, as_record
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.deploy.errors import DeployInProgress
from scaiflow_api.upstreams.failures import UpstreamTimedOut

ENTRY = Entry(
    tenant_id="tnt_acme",
    action="core.invoked",
    target_type="core",
    target_id="core_1",
    flow_id="flow_1",
    details={"by": "test"},
)


def away(*_: object) -> None:
    raise DatabaseUnavailable


async def written(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """Return outcome and details of every row that is on the disk."""
    async with db.read() as session:
        rows = [as_record(row) for row in await session.scalars(select(AuditEvent).order_by(AuditEvent.seq))]
    return [(row["outcome"], row["details"]) for row in rows]


async def ends(db: Database, audit: AuditTrail) -> list[tuple[str, dict[str, Any]]]:
    """Return the same when what was told is written."""
    await audit.settled("tnt_acme")
    return await written(db)


async def test_a_good_end_is_told_with_what_became_known(
    db: Database, audit: AuditTrail, bob: Caller
) -> None:
    async with recording(audit, bob, ENTRY) as details:
        assert await written(db) == [("started", {"by": "test"})]
        details["execution_id"] = "exec_1"

    assert (await ends(db, audit))[1:] == [("succeeded", {"by": "test", "execution_id": "exec_1"})]


async def test_nobody_waits_for_the_end_to_be_written(
    db: Database, audit: AuditTrail, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "LINGER_S", 3600)
    async with recording(audit, bob, ENTRY):
        pass
    assert [outcome for outcome, _ in await written(db)] == ["started"]

    async with recording(audit, bob, ENTRY):
        assert [outcome for outcome, _ in await written(db)] == ["started", "succeeded", "started"]
    assert [outcome for outcome, _ in await ends(db, audit)][3:] == ["succeeded"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DeployInProgress(flow_id="flow_1"), "deploy_in_progress"),
        (UpstreamTimedOut("scaigrid", after_s=1), "scaigrid_timeout"),
        (ValueError("secret text"), "ValueError"),
    ],
)
async def test_a_failure_is_told_by_its_code_and_goes_on(
    db: Database, audit: AuditTrail, bob: Caller, failure: Exception, code: str
) -> None:
    with pytest.raises(type(failure)):
        async with recording(audit, bob, ENTRY):
            raise failure

    assert (await ends(db, audit))[1:] == [("failed", {"by": "test", "error": code})]


async def test_what_is_given_up_has_an_end_too(db: Database, audit: AuditTrail, bob: Caller) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with recording(audit, bob, ENTRY):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    cancelled = ("failed", {"by": "test", "error": "cancelled"})
    assert await ends(db, audit) == [("started", {"by": "test"}), cancelled]


async def test_what_is_given_up_while_its_start_is_told_never_begins_and_has_an_end(
    db: Database, audit: AuditTrail, bob: Caller
) -> None:
    begun = False

    async def work() -> None:
        nonlocal begun
        async with recording(audit, bob, ENTRY):
            begun = True

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [outcome for outcome, _ in await ends(db, audit)] == ["started", "failed"]
    assert not begun


async def test_nothing_begins_without_its_first_row(
    audit: AuditTrail, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "write_down", away)
    begun = False
    with pytest.raises(DatabaseUnavailable):
        async with recording(audit, bob, ENTRY):
            begun = True

    assert not begun


async def test_an_end_that_cannot_be_told_changes_nothing_of_what_was_done(
    db: Database, audit: AuditTrail, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recording(audit, bob, ENTRY):
        monkeypatch.setattr(audit_trail, "write_down", away)
    assert await ends(db, audit) == [("started", {"by": "test"})]
    monkeypatch.undo()
    with pytest.raises(ValueError, match="its own"):
        async with recording(audit, bob, ENTRY):
            monkeypatch.setattr(audit_trail, "write_down", away)
            raise ValueError("its own")

    assert await ends(db, audit) == [("started", {"by": "test"})] * 2


async def test_a_start_that_cannot_be_told_before_is_the_failure_and_leaves_no_end(
    db: Database, audit: AuditTrail, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "write_down", away)
    with pytest.raises(DatabaseUnavailable):
        async with recording(audit, bob, ENTRY):
            raise AssertionError("the block must not begin")
    monkeypatch.undo()

    assert await ends(db, audit) == []
