"""Queues as rows. Callers have found the scope, and with it the tenant, before."""

import sqlite3
from dataclasses import dataclass, fields
from typing import Any

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue.states import state_after

DEAD_LETTER = "_dead_letter"
_OF_THE_SYSTEM = (DEAD_LETTER, "_events", "_audit", "_integrity", "_corrections")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQueue:
    """A queue to make."""

    slug: str
    display_name: str | None = None
    description: str | None = None
    consumer_mode: str = "fifo"
    """`fifo`, `priority`, `deadline` or `broadcast`."""
    max_retries: int = 5
    """A message that failed in so many attempts is a dead letter."""
    visibility_timeout_s: int = 30
    """How long a claim holds a message, in seconds."""
    max_depth: int | None = None
    """How many messages may wait or be claimed at the same time; None: any number."""
    system: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue. `seq` orders them by creation."""

    seq: int
    id: str
    scope_id: str
    slug: str
    display_name: str
    description: str | None
    consumer_mode: str
    max_retries: int
    visibility_timeout_s: int
    max_depth: int | None
    system: bool
    state: str
    created_at: str
    updated_at: str
    depth_pending: int
    depth_claimed: int

    @property
    def is_broadcast(self) -> bool:
        """Whether every consumer gets every message."""
        return self.consumer_mode == "broadcast"

    def as_dict(self) -> dict[str, Any]:
        """Return the queue as it goes on the wire."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "seq"}
        return {**values, "overflow_policy": "reject"}


_SELECT = (
    "SELECT q.*, (SELECT count(*) FROM queue_messages WHERE queue_id = q.id AND state = 'pending') depth_pending,"
    " (SELECT count(*) FROM queue_messages WHERE queue_id = q.id AND state = 'claimed') depth_claimed"
    " FROM queues q WHERE q.scope_id = ?"
)


def add(connection: sqlite3.Connection, scope_id: str, new: NewQueue, now: str) -> Queue:
    """Keep a new queue. Raises GridError 409 for a slug that is taken."""
    queue_id = new_id("q")
    added = connection.execute(
        "INSERT INTO queues (id, scope_id, slug, display_name, description, consumer_mode, max_retries,"
        " visibility_timeout_s, max_depth, system, state, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?) ON CONFLICT (scope_id, slug) DO NOTHING",
        (
            *(queue_id, scope_id, new.slug, new.display_name or new.slug, new.description, new.consumer_mode),
            *(new.max_retries, new.visibility_timeout_s, new.max_depth, new.system, now, now),
        ),
    )
    if not added.rowcount:
        raise GridError(409, "SLUG_CONFLICT", f"A queue with the slug {new.slug!r} exists in this scope.")
    return get(connection, scope_id, queue_id)


def add_those_of_the_system(connection: sqlite3.Connection, scope_id: str, now: str) -> None:
    """Make the queues that every scope has."""
    for slug in _OF_THE_SYSTEM:
        add(connection, scope_id, NewQueue(slug=slug, system=True), now)


def get(connection: sqlite3.Connection, scope_id: str, queue_id: str) -> Queue:
    """Return a queue of the scope. Raises GridError 404."""
    return _one(connection, f"{_SELECT} AND q.id = ?", scope_id, queue_id)


def get_by_slug(connection: sqlite3.Connection, scope_id: str, slug: str) -> Queue:
    """Return a queue of the scope. Raises GridError 404."""
    return _one(connection, f"{_SELECT} AND q.slug = ?", scope_id, slug)


def page(connection: sqlite3.Connection, scope_id: str, *, after: int, limit: int) -> list[Queue]:
    """Return up to `limit` queues in order of creation."""
    rows = connection.execute(f"{_SELECT} AND q.seq > ? ORDER BY q.seq LIMIT ?", (scope_id, after, limit))
    return [_queue(row) for row in rows]


def move(connection: sqlite3.Connection, scope_id: str, queue_id: str, verb: str, now: str) -> Queue:
    """Pause, resume, drain, archive or unarchive a queue and return it. Raises GridError."""
    state = state_after(_own(connection, scope_id, queue_id).state, verb)
    connection.execute("UPDATE queues SET state = ?, updated_at = ? WHERE id = ?", (state, now, queue_id))
    return get(connection, scope_id, queue_id)


def delete(connection: sqlite3.Connection, scope_id: str, queue_id: str) -> None:
    """Delete a queue with its messages. Raises GridError."""
    _own(connection, scope_id, queue_id)
    connection.execute("DELETE FROM queues WHERE id = ?", (queue_id,))


def _own(connection: sqlite3.Connection, scope_id: str, queue_id: str) -> Queue:
    """Return a queue that somebody made. Raises GridError, also for one of the system."""
    queue = get(connection, scope_id, queue_id)
    if queue.system:
        raise GridError(
            409, "SCAIQUEUE_STATE_CONFLICT", f"{queue.slug} is a queue of the system and stays as it is."
        )
    return queue


def _one(connection: sqlite3.Connection, query: str, scope_id: str, value: str) -> Queue:
    row = connection.execute(query, (scope_id, value)).fetchone()
    if row is None:
        raise GridError(404, "SCAIQUEUE_QUEUE_NOT_FOUND", f"There is no queue {value!r} in this scope.")
    return _queue(row)


def _queue(row: sqlite3.Row) -> Queue:
    return Queue(**{**dict(row), "system": bool(row["system"])})
