"""Messages on their way into a queue."""

import sqlite3
import uuid
from dataclasses import asdict
from typing import Any

import orjson

from scaiflow_api.localgrid.scaigrid.envelope import MAX_NESTING, is_within
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid
from scaiflow_api.localgrid.scaiqueue import messages
from scaiflow_api.localgrid.scaiqueue.message import (
    MAX_MESSAGE_BYTES,
    SCORES,
    SELECT,
    Actor,
    Message,
    NewMessage,
    message_of,
)
from scaiflow_api.localgrid.scaiqueue.queues import Queue
from scaiflow_api.localgrid.scaiqueue.scopes import Scope
from scaiflow_api.localgrid.scaiqueue.states import ACTIVE
from scaiflow_api.localgrid.wire_time import iso, iso_or_none


def publish(
    connection: sqlite3.Connection, scope: Scope, queue: Queue, new: NewMessage, source: Actor, now: float
) -> tuple[Message, bool]:
    """Keep a message; return it, or the one published earlier with its key, and whether it is new.

    Raises GridError: the queue takes no messages now, is full, has another body under that key, or the message
    is too large.
    """
    for name, value in (("body", new.body), ("hitl_spec", new.hitl_spec)):
        if not is_within(value, MAX_NESTING):
            raise invalid(f"the value is nested deeper than {MAX_NESTING}", name)
    earlier = _with_key(connection, queue, new)
    if earlier is not None:
        return earlier, False
    _demand_room(scope, queue)
    published = _published(new)
    text = orjson.dumps(published)
    if len(text) > MAX_MESSAGE_BYTES:
        raise GridError(413, "PAYLOAD_TOO_LARGE", f"A message may have {MAX_MESSAGE_BYTES:,} bytes.")
    message_id = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO queue_messages (id, scope_id, queue_id, published_to, idempotency_key, correlation_id,"
        " priority_score, deadline, expires_at, published, source, published_at, state, visible_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
        (
            *(message_id, scope.id, queue.id, queue.id, new.idempotency_key, new.correlation_id),
            *(published["priority_score"], new.deadline),
            None if new.ttl_seconds is None else now + new.ttl_seconds,
            *(
                text.decode(),
                orjson.dumps(_source(source)).decode(),
                iso(now),
                max(now, new.delay_until or now),
            ),
        ),
    )
    return messages.get(connection, scope, message_id), True


def _with_key(connection: sqlite3.Connection, queue: Queue, new: NewMessage) -> Message | None:
    if new.idempotency_key is None:
        return None
    row = connection.execute(
        f"{SELECT} WHERE m.published_to = ? AND m.idempotency_key = ?", (queue.id, new.idempotency_key)
    ).fetchone()
    if row is None:
        return None
    earlier = message_of(row)
    if earlier.published["body"] != orjson.loads(orjson.dumps(new.body)):
        raise GridError(
            409,
            "SCAIQUEUE_IDEMPOTENCY_CONFLICT",
            f"The message {earlier.id} has the key {new.idempotency_key!r} and another body.",
        )
    return earlier


def _demand_room(scope: Scope, queue: Queue) -> None:
    if queue.system:
        raise GridError(409, "SCAIQUEUE_STATE_CONFLICT", f"{queue.slug} is a queue of the system.")
    if scope.state != ACTIVE:
        raise GridError(409, "SCAIQUEUE_SCOPE_PAUSED", f"The scope {scope.slug!r} is {scope.state}.")
    if queue.state != ACTIVE:
        raise GridError(409, "SCAIQUEUE_QUEUE_PAUSED", f"The queue {queue.slug!r} is {queue.state}.")
    if queue.max_depth is not None and queue.depth_pending + queue.depth_claimed >= queue.max_depth:
        raise GridError(
            409, "SCAIQUEUE_QUEUE_FULL", f"The queue {queue.slug!r} has its {queue.max_depth} messages."
        )


def _published(new: NewMessage) -> dict[str, Any]:
    score = SCORES[new.priority_tier] if new.priority_score is None else new.priority_score
    return {
        **asdict(new),
        "priority_score": score,
        "deadline": iso_or_none(new.deadline),
        "delay_until": iso_or_none(new.delay_until),
    }


def _source(source: Actor) -> dict[str, Any]:
    return {"type": source.type, "id": source.id, "execution_id": source.execution_id}
