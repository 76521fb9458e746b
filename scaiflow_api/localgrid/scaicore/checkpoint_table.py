"""Checkpoints as rows. A pending one is resolved, expires, or is cancelled, and never changes again."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.scaicore import reviews
from scaiflow_api.localgrid.scaicore.checkpoint_row import ESCALATE, ESCALATION_TARGET, Checkpoint, assignment
from scaiflow_api.localgrid.scaicore.event_log import NewEvent, append
from scaiflow_api.localgrid.scaiqueue.message import Message
from scaiflow_api.localgrid.store import Store
from scaiflow_api.localgrid.wire_time import wire_time

PENDING = "scaicore.checkpoint_pending"
ENDED = "scaicore.checkpoint_resolved"
_RESOLVE = "resolve:"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a checkpoint shall end."""

    status: str
    now: datetime
    resolution: Value = None
    by: str | None = None
    """Who resolved or cancelled it; None: its time ran out, or its run ended it."""
    comment: str | None = None


def insert(connection: sqlite3.Connection, checkpoint: Checkpoint, now: datetime) -> None:
    """Keep a new checkpoint, have its queue ask, and tell."""
    checkpoint = reviews.published(connection, checkpoint, now.timestamp())
    connection.execute(
        "INSERT INTO checkpoints (id, tenant_id, core_id, execution_id, place, status, expires_at, details)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(checkpoint.id, checkpoint.tenant_id, checkpoint.core_id, checkpoint.execution_id),
            *(checkpoint.place, checkpoint.status, checkpoint.expires_at, _json(checkpoint.details)),
        ),
    )
    _tell(connection, PENDING, checkpoint, checkpoint.details["created_at"])


def end(connection: sqlite3.Connection, checkpoint: Checkpoint, ending: Ending) -> Checkpoint:
    """End a pending checkpoint, and tell."""
    now = wire_time(ending.now)
    details = {
        **checkpoint.details,
        "resolution": ending.resolution,
        "resolved_by": ending.by,
        "resolved_at": now,
        "comment": ending.comment,
    }
    ended = _update(connection, replace(checkpoint, status=ending.status, details=details))
    _tell(connection, ENDED, ended, now)
    reviews.withdraw(connection, ended, ending.now.timestamp())
    return ended


def end_by_message(connection: sqlite3.Connection, message: Message, ending: Ending) -> Checkpoint | None:
    """End the pending checkpoint that a message asks for, if it does. Raises ValueError: that is no answer."""
    if message.published["message_type"] != reviews.MESSAGE_TYPE or message.source["type"] != "core":
        return None
    checkpoint = find(connection, message.tenant_id, message.published["correlation_id"])
    if checkpoint is None or checkpoint.status != "pending":
        return None
    resolution = checkpoint.as_resolution(ending.resolution)
    return end(connection, checkpoint, replace(ending, resolution=resolution))


def reassign(connection: sqlite3.Connection, checkpoint: Checkpoint, assignee: str) -> Checkpoint:
    """Ask somebody else."""
    return _update(connection, replace(checkpoint, details={**checkpoint.details, **assignment(assignee)}))


def cancel_pending(connection: sqlite3.Connection, execution_id: str, now: datetime) -> None:
    """Cancel whatever a run that has ended still asks."""
    for checkpoint in _select(connection, "execution_id = ? AND status = 'pending'", (execution_id,)):
        end(connection, checkpoint, Ending("cancelled", now))


def withdraw(connection: sqlite3.Connection, checkpoint_id: str, now: datetime) -> None:
    """Cancel a checkpoint that a run no longer needs, if it is still pending."""
    for checkpoint in _select(connection, "id = ? AND status = 'pending'", (checkpoint_id,)):
        end(connection, checkpoint, Ending("cancelled", now))


def expire_due(connection: sqlite3.Connection, now: datetime) -> list[Checkpoint]:
    """Let time run out where it has; return the checkpoints that ended by that."""
    ended = []
    for checkpoint in _select(connection, "status = 'pending' AND expires_at <= ?", (now.timestamp(),)):
        action = checkpoint.details["expiry_action"]
        if action == ESCALATE:
            _escalate(connection, checkpoint, now)
        elif action.startswith(_RESOLVE):
            chosen = {checkpoint.decision_field: action.removeprefix(_RESOLVE)}
            ended.append(end(connection, checkpoint, Ending("resolved", now, chosen)))
        else:
            ended.append(end(connection, checkpoint, Ending("expired", now)))
    return ended


def of_execution(connection: sqlite3.Connection, execution_id: str) -> list[Checkpoint]:
    return _select(connection, "execution_id = ?", (execution_id,))


def find(connection: sqlite3.Connection, tenant_id: str, checkpoint_id: str) -> Checkpoint | None:
    found = _select(connection, "tenant_id = ? AND id = ?", (tenant_id, checkpoint_id))
    return found[0] if found else None


class Checkpoints:
    """Reads the checkpoints of one tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, tenant_id: str, checkpoint_id: str) -> Checkpoint | None:
        return await self._store.read(lambda connection: find(connection, tenant_id, checkpoint_id))

    async def page(
        self,
        tenant_id: str,
        *,
        core_id: str | None,
        execution_id: str | None,
        statuses: Sequence[str],
        after: int,
        limit: int,
    ) -> list[Checkpoint]:
        """Return up to `limit` checkpoints of these statuses, oldest first."""
        where, values = "tenant_id = ? AND seq > ?", [tenant_id, after]
        for name, wanted in (("core_id", core_id), ("execution_id", execution_id)):
            if wanted is not None:
                where, values = f"{where} AND {name} = ?", [*values, wanted]
        where += f" AND status IN ({', '.join('?' * len(statuses))})"
        return await self._store.read(
            lambda connection: _select(connection, where, [*values, *statuses], limit)
        )


def _escalate(connection: sqlite3.Connection, checkpoint: Checkpoint, now: datetime) -> None:
    """Ask others, for as long as it takes."""
    details = {
        **checkpoint.details,
        **assignment(ESCALATION_TARGET),
        "priority": "critical",
        "notification_sent": True,
        "reminder_count": checkpoint.details["reminder_count"] + 1,
    }
    escalated = _update(connection, replace(checkpoint, expires_at=None, details=details))
    _tell(connection, PENDING, escalated, wire_time(now), escalated=True)


def _update(connection: sqlite3.Connection, checkpoint: Checkpoint) -> Checkpoint:
    connection.execute(
        "UPDATE checkpoints SET status = ?, expires_at = ?, details = ? WHERE seq = ?",
        (checkpoint.status, checkpoint.expires_at, _json(checkpoint.details), checkpoint.seq),
    )
    return checkpoint


def _tell(
    connection: sqlite3.Connection, event_type: str, checkpoint: Checkpoint, now: str, **more: Any
) -> None:
    details = checkpoint.details
    shown = ["flow_name", "checkpoint_type", "assignee_raw", "priority"]
    if event_type == ENDED:
        shown += ["resolution", "resolved_by"]
    payload = {
        "execution_id": checkpoint.execution_id,
        **{name: details["context"][name] for name in ("node_id", "iteration") if name in details["context"]},
        "checkpoint_id": checkpoint.id,
        "status": checkpoint.status,
        **{name: details[name] for name in shown},
        **more,
    }
    append(connection, [NewEvent(checkpoint.tenant_id, checkpoint.core_id, event_type, now, payload)])


def _select(
    connection: sqlite3.Connection, where: str, values: Sequence[Any], limit: int = -1
) -> list[Checkpoint]:
    rows = connection.execute(
        f"SELECT * FROM checkpoints WHERE {where} ORDER BY seq LIMIT ?",  # noqa: S608 - constants only
        (*values, limit),
    )
    return [Checkpoint(**{**dict(row), "details": orjson.loads(row["details"])}) for row in rows.fetchall()]


def _json(details: dict[str, Any]) -> str:
    return orjson.dumps(details).decode()
