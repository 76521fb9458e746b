"""Fills a database with a tenant as large as one wants: `python -m benchmarks.seeding URL FLOWS`.

The tenant is the demo's, so its people can sign in at the local grid: alice administers all of it, bob sees up to
2,000 flows (a quarter his own, a quarter granted to him, half to his groups), carol as many in a tenant of 1,000 as
in a larger one. Beside them are 300 users and 60 groups, and two grants for each flow. The schema must be there;
documents are not: lists need none.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from scaiflow_api.db.base import Base
from scaiflow_api.db.models import Flow, FlowAcl, FlowCount, FlowNameTail, Group, Membership, User
from scaiflow_api.db.models.flow import name_key
from scaiflow_api.db.name_counts import counted_parts
from scaiflow_api.db.name_tails import tails_of
from scaiflow_api.kit.ids import new_id

TENANT = "tnt_acme"
USERS, GROUPS = 300, 60
GRANTS_PER_FLOW = 2
SEEN = {"usr_bob": ("grp_eng", 2_000), "usr_carol": ("grp_ops", 980)}
_WORDS = ("invoice", "refund", "support", "triage", "digest", "claims", "lead", "contract", "ticket", "audit")
_NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
_AT_ONCE = 5_000


async def seed(url: str, flows: int) -> None:
    """Fill the database; the same size gives the same tenant, but for the ids."""
    draw = random.Random(flows)
    people = [f"usr_{number:03}" for number in range(USERS)]
    groups = [f"grp_{number:02}" for number in range(GROUPS)]
    rows = [_flow(draw, number, draw.choice(people)) for number in range(flows)]
    grants = list(_shares(draw, rows))
    grants += _random_grants(draw, rows, people, groups, GRANTS_PER_FLOW * flows - len(grants))
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await _insert(connection, User, [_user(person) for person in people])
        await _insert(connection, Group, [_group(group) for group in groups])
        members = [_member(person, group) for person in people for group in draw.sample(groups, 3)]
        await _insert(connection, Membership, members)
        await _insert(connection, Flow, rows)
        await _insert(connection, FlowNameTail, _tails(rows))
        await _insert(connection, FlowCount, _counts(rows))
        await _insert(connection, FlowAcl, grants)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        # What a database does by itself within a minute.
        await connection.execute(text(_look_over(engine.dialect)))
    await engine.dispose()


def _look_over(dialect: Dialect) -> str:
    """Return the statement that has the database count what its tables hold."""
    if dialect.name != "mysql":
        return "VACUUM ANALYZE" if dialect.name == "postgresql" else "ANALYZE"
    quoted = dialect.identifier_preparer.quote
    return f"ANALYZE TABLE {', '.join(quoted(table) for table in Base.metadata.tables)}"


def _flow(draw: random.Random, number: int, owner: str) -> dict[str, Any]:
    changed = _NOW - timedelta(seconds=draw.randrange(90 * 86_400))
    name = f"{draw.choice(_WORDS).title()} {draw.choice(_WORDS)} {number}"
    return {
        "id": new_id("flow"),
        "tenant_id": TENANT,
        "owner_id": owner,
        "name": name,
        "name_key": name_key(name),
        "description": "Answers what customers ask, and hands over to people where it cannot.",
        "version": f"1.0.{draw.randrange(40)}",
        "revision": draw.randrange(1, 50),
        "created_at": changed - timedelta(days=30),
        "updated_at": changed,
        "deleted_at": changed if draw.random() < 0.02 else None,
    }


def _tails(flows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows by which flows that are not deleted are found."""
    found = (
        {"tenant_id": TENANT, "tail": tail, "seen": seen, "flow_id": flow["id"]}
        for flow in flows
        if flow["deleted_at"] is None
        for tail, seen in tails_of(flow["name_key"])
    )
    return sorted(found, key=itemgetter("tail", "seen"))


def _counts(flows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how many flows, that are not deleted, have each of the counted parts in their names."""
    parts = Counter(
        part for flow in flows if flow["deleted_at"] is None for part in counted_parts(flow["name_key"])
    )
    return [{"part": part, "tenant_id": TENANT, "flows": number} for part, number in parts.items()]


def _shares(draw: random.Random, flows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Make each of the people of the demo the owner of some flows, and yield the grants to them."""
    for user, (group, most) in SEEN.items():
        seen = draw.sample(flows, min(most, len(flows)))
        seen.sort(key=lambda flow: flow["owner_id"] in SEEN)  # what another of them owns stays so
        quarter = len(seen) // 4
        for flow in seen[:quarter]:
            flow["owner_id"] = user
        yield from (_grant(draw, flow, "user", user) for flow in seen[quarter : 2 * quarter])
        yield from (_grant(draw, flow, "group", group) for flow in seen[2 * quarter :])


def _random_grants(
    draw: random.Random, flows: Sequence[dict[str, Any]], people: list[str], groups: list[str], number: int
) -> list[dict[str, Any]]:
    places: set[tuple[int, str, str]] = set()
    while len(places) < number:
        kind, names = draw.choice((("user", people), ("group", groups)))
        places.add((draw.randrange(len(flows)), kind, draw.choice(names)))
    return [_grant(draw, flows[flow], kind, name) for flow, kind, name in sorted(places)]


def _grant(draw: random.Random, flow: dict[str, Any], kind: str, principal: str) -> dict[str, Any]:
    return {
        "id": new_id("acl"),
        "flow_id": flow["id"],
        "principal_type": kind,
        "principal_id": principal,
        "level": draw.choice(("view", "view", "edit", "deploy", "admin")),
        "granted_by": flow["owner_id"],
        "granted_at": _NOW,
    }


def _user(person: str) -> dict[str, Any]:
    return {"tenant_id": TENANT, "id": person, "status": "ACTIVE", "created_at": _NOW}


def _group(group: str) -> dict[str, Any]:
    return {"tenant_id": TENANT, "id": group, "name": group, "created_at": _NOW}


def _member(person: str, group: str) -> dict[str, Any]:
    return {"tenant_id": TENANT, "user_id": person, "group_id": group, "created_at": _NOW}


async def _insert(connection: AsyncConnection, table: type[Any], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        await connection.execute(table.__table__.insert(), rows[start : start + _AT_ONCE])


if __name__ == "__main__":
    asyncio.run(seed(sys.argv[1], int(sys.argv[2])))
