"""Checkpoints with a `hitl_target` as messages: a queue asks the people who work on it."""

import sqlite3
from dataclasses import replace

from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue import messages, publishing, queues, scopes
from scaiflow_api.localgrid.scaiqueue.message import Actor, NewMessage

MESSAGE_TYPE = "hitl_request"


def published(connection: sqlite3.Connection, checkpoint: Checkpoint, now: float) -> Checkpoint:
    """Publish the request of a new checkpoint that has a queue; return it with what became of that.

    One that no queue takes waits all the same: `context.routing_error` says why, and it can be resolved by its id.
    """
    target = checkpoint.details["context"].get("hitl_target")
    if target is None:
        return checkpoint
    try:
        told = {"message_id": _publish(connection, checkpoint, now)}
    except GridError as refused:
        told = {"routing_error": f"{refused.code}: {refused.message}"}
    context = {**checkpoint.details["context"], **told}
    return replace(checkpoint, details={**checkpoint.details, "context": context})


def withdraw(connection: sqlite3.Connection, checkpoint: Checkpoint, now: float) -> None:
    """Let the request of a checkpoint that has ended expire, unless somebody works on it."""
    message_id = checkpoint.details["context"].get("message_id")
    if message_id is not None:
        connection.execute(
            "UPDATE queue_messages SET expires_at = ? WHERE id = ? AND state IN ('pending', 'claimed')",
            (now, message_id),
        )


def _publish(connection: sqlite3.Connection, checkpoint: Checkpoint, now: float) -> str:
    details = checkpoint.details
    target = details["context"]["hitl_target"]
    if target["scope"] is None:
        raise GridError(404, "SCAIQUEUE_SCOPE_NOT_FOUND", "The review names no scope.")
    scope = scopes.get_by_slug(connection, checkpoint.tenant_id, target["scope"])
    messages.settle(connection, scope, now)
    queue = queues.get_by_slug(connection, scope.id, target["queue"])
    body = {
        "checkpoint_id": checkpoint.id,
        "core_id": checkpoint.core_id,
        "execution_id": checkpoint.execution_id,
        "node_id": details["context"]["node_id"],
        **{name: details[name] for name in ("flow_name", "instance_key", "prompt", "assignee_raw")},
    }
    new = NewMessage(
        message_type=MESSAGE_TYPE,
        body=body,
        priority_tier=details["priority"],
        correlation_id=checkpoint.id,
        idempotency_key=checkpoint.id,
        hitl_spec=target["hitl_spec"],
    )
    source = Actor(type="core", id=checkpoint.core_id, execution_id=checkpoint.execution_id)
    message, _ = publishing.publish(connection, scope, queue, new, source, now)
    return message.id
