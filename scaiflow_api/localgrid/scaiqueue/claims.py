"""Messages in somebody's hands: claimed, and what becomes of the claim.

On a broadcast queue every consumer has a receipt of its own for each message, which tells how far this consumer
is with it; on the others the message itself tells that.
"""

import sqlite3
from dataclasses import replace
from typing import Any

import orjson

from scaiflow_api.localgrid.scaicore.event_log import NewEvent, append
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue import messages, queues, receipts
from scaiflow_api.localgrid.scaiqueue.message import (
    CLAIMED,
    COMPLETED,
    DEAD_LETTERED,
    MAX_MESSAGE_BYTES,
    PENDING,
    SELECT,
    Actor,
    Message,
    message_of,
)
from scaiflow_api.localgrid.scaiqueue.queues import Queue
from scaiflow_api.localgrid.scaiqueue.scopes import Scope
from scaiflow_api.localgrid.scaiqueue.states import ACTIVE, DRAINING
from scaiflow_api.localgrid.wire_time import iso

COMPLETED_EVENT = "scaiqueue.message.completed"

_ORDERS = {
    "fifo": "m.seq",
    "priority": "m.priority_score DESC, m.seq",
    "deadline": "m.deadline IS NULL, m.deadline, m.seq",
}
_LONGEST_BACKOFF_S = 300
MOST_AT_ONCE = 100
"""Messages of one claim."""


def claim(
    connection: sqlite3.Connection, scope: Scope, queue: Queue, consumer: Actor, *, most: int, now: float
) -> list[Message]:
    """Give up to `most` messages to a consumer, in the order of the queue."""
    if scope.state != ACTIVE or queue.state not in {ACTIVE, DRAINING}:
        return []
    if queue.is_broadcast:
        found = receipts.claimable(connection, queue, consumer, most=most, now=now)
    else:
        rows = connection.execute(
            f"{SELECT} WHERE m.queue_id = ? AND m.state = 'pending' AND m.visible_at <= ?"
            f" ORDER BY {_ORDERS[queue.consumer_mode]} LIMIT ?",
            (queue.id, now, most),
        )
        found = [message_of(row) for row in rows]
    claimed = [_claimed(message, queue, consumer, now) for message in found]
    return [_keep(connection, queue, consumer, message) for message in claimed]


def complete(
    connection: sqlite3.Connection, scope: Scope, message_id: str, actor: Actor, *, result: Any, now: float
) -> Message:
    """End a claim: the work is done. Raises GridError, as the other ends of a claim do."""
    message, queue = _held(connection, scope, message_id, actor, now)
    if len(orjson.dumps(result)) > MAX_MESSAGE_BYTES:
        raise GridError(413, "PAYLOAD_TOO_LARGE", f"A result may have {MAX_MESSAGE_BYTES:,} bytes.")
    done = replace(message, state=COMPLETED, result=result, completed_at=iso(now))
    if done.source["type"] == "core":
        append(connection, [_completed_event(done, now)])
    return _keep(connection, queue, actor, done)


def fail(
    connection: sqlite3.Connection,
    scope: Scope,
    message_id: str,
    actor: Actor,
    *,
    reason: str | None,
    now: float,
) -> Message:
    """End a claim: it is tried again later or, after as many attempts as the queue allows, a dead letter."""
    message, queue = _held(connection, scope, message_id, actor, now)
    failed = replace(_freed(message), failure_reason=reason)
    if message.attempts < queue.max_retries:
        wait_s = min(2 ** min(message.attempts - 1, 30), _LONGEST_BACKOFF_S)
        return _keep(connection, queue, actor, replace(failed, visible_at=now + wait_s))
    dead = replace(failed, state=DEAD_LETTERED)
    if not queue.is_broadcast:
        dead = replace(dead, queue_id=queues.get_by_slug(connection, scope.id, queues.DEAD_LETTER).id)
    return _keep(connection, queue, actor, dead)


def release(
    connection: sqlite3.Connection, scope: Scope, message_id: str, actor: Actor, *, now: float
) -> Message:
    """End a claim: another may have the message at once."""
    message, queue = _held(connection, scope, message_id, actor, now)
    return _keep(connection, queue, actor, replace(_freed(message), visible_at=now))


def extend(
    connection: sqlite3.Connection,
    scope: Scope,
    message_id: str,
    actor: Actor,
    *,
    seconds: int | None,
    now: float,
) -> Message:
    """Let a claim hold for so many seconds from now, None: for the queue's `visibility_timeout_s`."""
    message, queue = _held(connection, scope, message_id, actor, now)
    return _keep(
        connection, queue, actor, replace(message, visible_at=now + (seconds or queue.visibility_timeout_s))
    )


def _held(
    connection: sqlite3.Connection, scope: Scope, message_id: str, actor: Actor, now: float
) -> tuple[Message, Queue]:
    """Return a message whose claim this actor may end, and its queue."""
    message = messages.get(connection, scope, message_id)
    queue = queues.get(connection, scope.id, message.queue_id)
    if queue.is_broadcast:
        message = receipts.overlaid(connection, message, actor, now)
    is_own = (message.claimed_by_type, message.claimed_by_id) == (actor.type, actor.id)
    if message.state != CLAIMED or not (is_own or actor.manages):
        whose = "" if message.state != CLAIMED else " by somebody else"
        raise GridError(
            409, "SCAIQUEUE_MESSAGE_NOT_CLAIMED", f"The message is {message.state}{whose}; claim it first."
        )
    return message, queue


def _claimed(message: Message, queue: Queue, consumer: Actor, now: float) -> Message:
    return replace(
        message,
        state=CLAIMED,
        attempts=message.attempts + 1,
        visible_at=now + queue.visibility_timeout_s,
        claimed_by_type=consumer.type,
        claimed_by_id=consumer.id,
    )


def _freed(message: Message) -> Message:
    return replace(message, state=PENDING, claimed_by_type=None, claimed_by_id=None)


def _keep(connection: sqlite3.Connection, queue: Queue, consumer: Actor, message: Message) -> Message:
    if queue.is_broadcast:
        return receipts.keep(connection, consumer, message)
    connection.execute(
        "UPDATE queue_messages SET queue_id = ?, state = ?, attempts = ?, visible_at = ?, claimed_by_type = ?,"
        " claimed_by_id = ?, failure_reason = ?, result = ?, completed_at = ? WHERE id = ?",
        (
            *(message.queue_id, message.state, message.attempts, message.visible_at, message.claimed_by_type),
            *(message.claimed_by_id, message.failure_reason, orjson.dumps(message.result).decode()),
            *(message.completed_at, message.id),
        ),
    )
    return message


def _completed_event(message: Message, now: float) -> NewEvent:
    """Return what tells the Core that published a message that its work is done."""
    payload = {
        "execution_id": message.source["execution_id"],
        "node_id": None,
        "message_id": message.id,
        "scope_id": message.scope_id,
        "queue_id": message.queue_id,
        "message_type": message.published["message_type"],
        "correlation_id": message.published["correlation_id"],
        "result": message.result,
    }
    return NewEvent(message.tenant_id, message.source["id"], COMPLETED_EVENT, iso(now), payload)
