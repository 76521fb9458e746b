"""Writing the audit log: one row for each thing done or refused, appended to the chain of its tenant.

A row of something done is written in the transaction that does it, as the last thing before the commit: the chain's
head is the last row to be locked, so two transactions never wait for each other. Rows that belong to no transaction
go through `db/audit_trail.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeAlias, cast

import orjson
from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.audit import AuditEvent, AuditHead
from scaiflow_api.db.prepared import Prepared
from scaiflow_api.db.upserts import insert_or_add
from scaiflow_api.kit.canonical_json import canonical_json
from scaiflow_api.kit.hash_chain import GENESIS, digest

SYSTEM = "system"
"""The actor of what nobody asked for over the API: a start, a command on the host."""

Outcome: TypeAlias = Literal["succeeded", "started", "failed", "denied"]
TargetType: TypeAlias = Literal[
    "flow", "acl", "core", "checkpoint", "package", "user", "tenant", "directory", "route"
]
Action: TypeAlias = Literal[
    "flow.created",
    "flow.updated",
    "flow.deleted",
    "flow.restored",
    "flow.transferred",
    "flow.deployed",
    "flow.undeployed",
    "flow.tested",
    "draft.discarded",
    "core.invoked",
    "run.cancelled",
    "checkpoint.resolved",
    "acl.granted",
    "acl.changed",
    "acl.revoked",
    "package.published",
    "package.updated",
    "package.deleted",
    "role.granted",
    "role.revoked",
    "tenant.credentials_set",
    "directory.synced",
    "access.denied",
]

Detail: TypeAlias = str | int | list[str] | None
_LONGEST_DETAIL = 128
"""Characters, as of ids; the column has room for ten such texts, however JSON must write them."""

# As tables: rows of mapped classes take longer to write.
_EVENTS = cast("Table", AuditEvent.__table__)
_HEADS = cast("Table", AuditHead.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be written down. `details` hold ids, words and numbers, never what somebody sent or stored."""

    tenant_id: str
    """Whose chain it belongs to."""
    action: Action
    target_type: TargetType
    target_id: str
    outcome: Outcome = "succeeded"
    flow_id: str | None = None
    before: str | None = None
    after: str | None = None
    """Hashes of the target: of the document where one was stored, else of its fields (`state_hash`)."""
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An entry, who caused it, and when."""

    by: Caller | None
    """None: the system itself."""
    entry: Entry
    at: datetime


async def record(session: AsyncSession, by: Caller | None, entry: Entry, now: datetime) -> None:
    """Append a row within the session's transaction; do nothing but commit after it. None: by the system itself."""
    await session.flush()
    occurrences = [Occurrence(by, entry, now)]
    await session.run_sync(lambda inner: write_down(inner.connection(), occurrences))


def write_down(connection: Connection, occurrences: Sequence[Occurrence]) -> None:
    """Append rows to one tenant's chain, in this order, through a connection in a transaction; as `record` does."""
    tenant_id, dialect = occurrences[0].entry.tenant_id, connection.dialect.name
    taken = _taking(dialect).first(connection, {"tenant_id": tenant_id, "rows": len(occurrences)})
    assert taken is not None, "the head is there, or was just made"
    rows, prev_hash = [], taken["hash"]
    for seq, one in enumerate(occurrences, start=taken["seq"] - len(occurrences) + 1):
        rows.append(_row(one, seq, prev_hash))
        prev_hash = rows[-1]["hash"]
    finish, moved = _MOVE_HEAD, {"of_tenant": tenant_id, "new_hash": prev_hash}
    if dialect == "postgresql":  # one statement can change two tables
        finish, moved = _APPEND_AND_MOVE, {**rows.pop(), **moved}
    if rows:
        _APPEND.run_all(connection, rows)
    finish.run(connection, moved)


def _row(occurrence: Occurrence, seq: int, prev_hash: str) -> dict[str, Any]:
    by, entry = occurrence.by, occurrence.entry
    details = _bounded(entry.details)
    row: dict[str, Any] = {
        "tenant_id": entry.tenant_id,
        "seq": seq,
        "at": occurrence.at,
        "actor_id": by.subject if by else SYSTEM,
        "actor_tenant_id": by.tenant_id if by else None,
        "action": entry.action,
        "outcome": entry.outcome,
        "target_type": entry.target_type,
        "target_id": entry.target_id[:128],
        "flow_id": entry.flow_id[:128] if entry.flow_id else None,
        "request_id": by.request_id if by else None,
        "before_hash": entry.before,
        "after_hash": entry.after,
        "prev_hash": prev_hash,
    }
    own = digest({**row, "at": moment_text(occurrence.at), "details": details})
    return {**row, "details": canonical_json(details).decode(), "hash": own}


def as_record(row: Any) -> dict[str, Any]:
    """Return a row of `audit_events` as the JSON object whose hash it holds; its moment may be text as it stands."""
    found = {column.name: getattr(row, column.name) for column in _EVENTS.columns}
    at = row.at if isinstance(row.at, str) else moment_text(row.at)
    return {**found, "at": at, "details": _parsed(row.details)}


def state_hash(**fields: Any) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a target's fields."""
    return hashlib.sha256(canonical_json(fields)).hexdigest()


def moment_text(moment: datetime) -> str:
    """Return for example `2026-11-28T12:30:15.000001Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _bounded(details: Mapping[str, Detail]) -> dict[str, Detail]:
    return {
        name: value[:_LONGEST_DETAIL] if isinstance(value, str) else value for name, value in details.items()
    }


def _parsed(details: str) -> Any:
    """Return the stored details; as they stand where somebody made them unreadable, so that the hash tells."""
    try:
        return orjson.loads(details)
    except orjson.JSONDecodeError:
        return details


_WRITE = insert(_EVENTS)
_MOVE = update(_HEADS).where(_HEADS.c.tenant_id == bindparam("of_tenant")).values(hash=bindparam("new_hash"))
_APPEND, _MOVE_HEAD = Prepared(_WRITE), Prepared(_MOVE)
_APPEND_AND_MOVE = Prepared(_WRITE.add_cte(_MOVE.cte("moved")))


@cache
def _taking(dialect: str) -> Prepared:
    """Return the statement that takes the next numbers, locks the head, and tells the last of them and its hash."""
    values = {
        "tenant_id": bindparam("tenant_id"),
        "seq": bindparam("rows", type_=_HEADS.c.seq.type),
        "hash": GENESIS,
    }
    return Prepared(
        insert_or_add(_HEADS, "seq", dialect).values(values).returning(_HEADS.c.seq, _HEADS.c.hash)
    )
