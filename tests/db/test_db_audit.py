"""Writing the audit log: every row gets its place in the chain, whoever else is writing, or is not there at all."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from db_audit_rows import rows
from pydantic import SecretStr
from sqlalchemy import text

from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.db.audit import Entry, record, state_hash
from scaiflow_api.db.principals import Principals
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.verification import tenants_with_a_log, verify_chain
from scaiflow_api.kit.hash_chain import GENESIS, Finding, digest

NOW = datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC)
BOB = Caller(subject="usr_bob", tenant_id="tnt_acme", token=SecretStr("secret"), request_id="req-1")
ENTRY = Entry(
    tenant_id="tnt_acme", action="flow.created", target_type="flow", target_id="flow_1", flow_id="flow_1"
)


async def append(db: Database, by: Caller | None, entry: Entry, now: datetime) -> None:
    async with db.write() as session:
        await record(session, by, entry, now)


async def test_a_row_holds_what_was_told_and_its_hash(db: Database) -> None:
    told = replace(ENTRY, before=state_hash(a=1), after=state_hash(a=2), details={"version": "1.0.0"})
    await append(db, BOB, told, NOW.astimezone(timezone(timedelta(hours=5))))
    await append(db, None, ENTRY, NOW)

    first, second = await rows(db)

    assert first == {
        "tenant_id": "tnt_acme",
        "seq": 1,
        "at": "2026-11-28T12:30:15.123456Z",
        "actor_id": "usr_bob",
        "actor_tenant_id": "tnt_acme",
        "action": "flow.created",
        "outcome": "succeeded",
        "target_type": "flow",
        "target_id": "flow_1",
        "flow_id": "flow_1",
        "request_id": "req-1",
        "before_hash": state_hash(a=1),
        "after_hash": state_hash(a=2),
        "details": {"version": "1.0.0"},
        "prev_hash": GENESIS,
        "hash": digest(first),
    }
    assert (second["actor_id"], second["actor_tenant_id"], second["request_id"]) == ("system", None, None)
    assert (second["seq"], second["prev_hash"], second["hash"]) == (2, first["hash"], digest(second))


async def test_writers_at_the_same_moment_make_one_chain(db: Database, database_url: str) -> None:
    """Also writers of two processes, and the first rows of a tenant, when there is no head yet to wait for."""
    tenants = ["tnt_acme", "tnt_globex"]
    other = Database(database_url, pool_size=8)
    await asyncio.gather(
        *(
            append(writer, BOB, replace(ENTRY, tenant_id=tenants[n % 2]), NOW)
            for n in range(32)
            for writer in (db, other)
        )
    )
    await other.close()

    assert await tenants_with_a_log(db) == tenants
    for tenant_id in tenants:
        assert [row["seq"] for row in await rows(db, tenant_id)] == list(range(1, 33))
        report = await verify_chain(db, tenant_id)
        assert (report.rows, report.findings) == (32, [])


async def test_what_was_rolled_back_leaves_no_row_and_no_gap(db: Database) -> None:
    await append(db, BOB, ENTRY, NOW)
    with pytest.raises(RuntimeError):
        async with db.write() as session:
            await record(session, BOB, ENTRY, NOW)
            raise RuntimeError("after the row was written")
    await append(db, BOB, ENTRY, NOW)

    assert [row["seq"] for row in await rows(db)] == [1, 2]
    assert (await verify_chain(db, "tnt_acme")).findings == []


async def test_long_and_strange_texts_fit_and_keep_the_chain_whole(db: Database) -> None:
    strange = '\U0001f99c\u00e9\u2028"\\\x01' * 200
    told = replace(
        ENTRY,
        target_id=strange,
        flow_id=strange,
        details=dict.fromkeys(("method", "route", "error", "needed", "held"), strange),
    )
    await append(db, BOB, told, NOW)

    (row,) = await rows(db)

    assert row["target_id"] == row["flow_id"] == strange[:128]
    assert row["details"]["needed"] == strange[:128]
    by_others = {name: value for name, value in row.items() if name != "hash"}
    text = json.dumps(by_others, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == row["hash"]
    assert (await verify_chain(db, "tnt_acme")).findings == []


async def test_texts_that_json_writes_long_fit(db: Database) -> None:
    await append(db, BOB, replace(ENTRY, details={f"name_{n}": "\x01" * 500 for n in range(10)}), NOW)

    (row,) = await rows(db)

    assert row["details"]["name_9"] == "\x01" * 128


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE audit_events SET actor_id = 'usr_eve' WHERE seq = 3", Finding("changed", 3, 3)),
        ("UPDATE audit_events SET at = '2020-01-01 00:00:00' WHERE seq = 3", Finding("changed", 3, 3)),
        ("UPDATE audit_events SET details = 'no JSON' WHERE seq = 3", Finding("changed", 3, 3)),
        ("UPDATE audit_events SET flow_id = NULL WHERE seq IN (3, 4)", Finding("changed", 3, 4)),
        ("DELETE FROM audit_events WHERE seq BETWEEN 2 AND 4", Finding("removed", 2, 4)),
        ("DELETE FROM audit_events WHERE seq > 4", Finding("removed", 5, 6)),
        ("DELETE FROM audit_events", Finding("removed", 1, 6)),
        ("DELETE FROM audit_heads", Finding("head", 6, 6)),
        ("UPDATE audit_heads SET seq = 5", Finding("inserted", 6, 6)),
        ("UPDATE audit_heads SET hash = 'x'", Finding("head", 6, 6)),
        ("UPDATE audit_events SET seq = -6 WHERE seq = 6", Finding("inserted", -6, -6)),
    ],
)
async def test_what_is_done_in_the_database_behind_our_back_is_found(
    db: Database, statement: str, finding: Finding
) -> None:
    for _ in range(6):
        await append(db, BOB, ENTRY, NOW)
    async with db.write() as session:
        await session.execute(text(statement))

    assert "tnt_acme" in await tenants_with_a_log(db)
    assert finding in (await verify_chain(db, "tnt_acme")).findings


async def test_a_row_that_was_moved_to_another_tenant_is_missed_here_and_strange_there(db: Database) -> None:
    for tenant_id in ("tnt_acme", "tnt_acme", "tnt_globex"):
        await append(db, BOB, replace(ENTRY, tenant_id=tenant_id), NOW)
    async with db.write() as session:
        await session.execute(
            text("UPDATE audit_events SET tenant_id = 'tnt_globex' WHERE tenant_id = 'tnt_acme' AND seq = 2")
        )

    assert (await verify_chain(db, "tnt_acme")).findings == [Finding("removed", 2, 2)]
    assert (await verify_chain(db, "tnt_globex")).findings == [
        Finding("changed", 2, 2),
        Finding("inserted", 2, 2),
    ]


async def test_a_role_given_at_the_start_is_told_once(db: Database) -> None:
    principals = Principals(db)
    for _ in range(3):
        await principals.grant("tnt_acme", "usr_alice", AdminRole.TENANT_ADMIN, source="bootstrap", now=NOW)
    await principals.add("tnt_acme", "usr_bob", email=None, name=None, now=NOW)

    (row,) = await rows(db)

    assert (row["action"], row["actor_id"], row["target_id"]) == ("role.granted", "system", "usr_alice")
    assert row["details"] == {"role": "tenant_admin", "source": "bootstrap"}
