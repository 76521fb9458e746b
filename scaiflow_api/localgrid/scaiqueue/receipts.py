"""Broadcast: how far each consumer is with each message. The message itself stays for the others."""

import sqlite3
from dataclasses import replace

import orjson

from scaiflow_api.localgrid.scaiqueue.message import CLAIMED, PENDING, SELECT, Actor, Message, message_of
from scaiflow_api.localgrid.scaiqueue.queues import Queue


def claimable(
    connection: sqlite3.Connection, queue: Queue, consumer: Actor, *, most: int, now: float
) -> list[Message]:
    """Return up to `most` messages that the consumer has not had yet, or whose claim of it has run out."""
    rows = connection.execute(
        f"{SELECT} LEFT JOIN queue_receipts r"
        " ON r.message_id = m.id AND r.consumer_type = ? AND r.consumer_id = ?"
        " WHERE m.queue_id = ? AND m.state = 'pending' AND m.visible_at <= ? AND (r.state IS NULL"
        " OR (r.state IN ('pending', 'claimed') AND r.visible_at <= ?)) ORDER BY m.seq LIMIT ?",
        (consumer.type, consumer.id, queue.id, now, now, most),
    )
    return [overlaid(connection, message_of(row), consumer, now) for row in rows.fetchall()]


def overlaid(connection: sqlite3.Connection, message: Message, consumer: Actor, now: float) -> Message:
    """Return the message as this consumer has it."""
    row = connection.execute(
        "SELECT * FROM queue_receipts WHERE message_id = ? AND consumer_type = ? AND consumer_id = ?",
        (message.id, consumer.type, consumer.id),
    ).fetchone()
    if row is None:
        return message
    holds = row["state"] == CLAIMED and row["visible_at"] > now
    return replace(
        message,
        state=row["state"] if row["state"] != CLAIMED or holds else PENDING,
        attempts=row["attempts"],
        visible_at=row["visible_at"],
        claimed_by_type=consumer.type if holds else None,
        claimed_by_id=consumer.id if holds else None,
        failure_reason=row["failure_reason"],
        result=orjson.loads(row["result"]),
        completed_at=row["completed_at"],
    )


def keep(connection: sqlite3.Connection, consumer: Actor, message: Message) -> Message:
    """Keep how far the consumer is, and return the message."""
    connection.execute(
        "INSERT OR REPLACE INTO queue_receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(message.id, consumer.type, consumer.id, message.state, message.attempts, message.visible_at),
            *(message.failure_reason, orjson.dumps(message.result).decode(), message.completed_at),
        ),
    )
    return message
