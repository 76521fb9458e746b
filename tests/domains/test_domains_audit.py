"""What reaches beyond the database is told before it begins and when it has ended, however it ends."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry, as_record
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit import effects
from scaiflow_api.domains.audit.effects import told
from scaiflow_api.domains.deploy.errors import DeployInProgress
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.upstreams.failures import UpstreamTimedOut

CLOCK = SystemClock()
ENTRY = Entry(
    tenant_id="tnt_acme",
    action="core.invoked",
    target_type="core",
    target_id="core_1",
    flow_id="flow_1",
    details={"by": "test"},
)


async def ends(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """Return outcome and details of every row."""
    async with db.read() as session:
        rows = [as_record(row) for row in await session.scalars(select(AuditEvent).order_by(AuditEvent.seq))]
    return [(row["outcome"], row["details"]) for row in rows]


async def test_a_good_end_is_told_with_what_became_known(db: Database, bob: Caller) -> None:
    async with told(db, CLOCK, bob, ENTRY) as details:
        assert await ends(db) == [("started", {"by": "test"})]
        details["execution_id"] = "exec_1"

    assert (await ends(db))[1:] == [("succeeded", {"by": "test", "execution_id": "exec_1"})]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DeployInProgress(flow_id="flow_1"), "deploy_in_progress"),
        (UpstreamTimedOut("scaigrid", after_s=1), "scaigrid_timeout"),
        (ValueError("secret text"), "ValueError"),
    ],
)
async def test_a_failure_is_told_by_its_code_and_goes_on(
    db: Database, bob: Caller, failure: Exception, code: str
) -> None:
    with pytest.raises(type(failure)):
        async with told(db, CLOCK, bob, ENTRY):
            raise failure

    assert (await ends(db))[1:] == [("failed", {"by": "test", "error": code})]


async def test_what_is_given_up_has_an_end_too(db: Database, bob: Caller) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with told(db, CLOCK, bob, ENTRY):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await ends(db) == [("started", {"by": "test"}), ("failed", {"by": "test", "error": "cancelled"})]


async def test_nothing_begins_that_cannot_be_told(
    db: Database, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(effects, "append", away)
    begun = False
    with pytest.raises(DatabaseUnavailable):
        async with told(db, CLOCK, bob, ENTRY):
            begun = True

    assert not begun


async def test_an_end_that_cannot_be_told_changes_nothing_of_what_was_done(
    db: Database, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailable

    async with told(db, CLOCK, bob, ENTRY):
        monkeypatch.setattr(effects, "append", away)
    with pytest.raises(ValueError, match="its own"):
        monkeypatch.undo()
        async with told(db, CLOCK, bob, ENTRY):
            monkeypatch.setattr(effects, "append", away)
            raise ValueError("its own")

    assert await ends(db) == [("started", {"by": "test"})] * 2
