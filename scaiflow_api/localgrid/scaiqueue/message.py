"""A message: what was published, and how far it has come."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from scaiflow_api.localgrid.wire_time import iso, iso_or_none

PENDING = "pending"
CLAIMED = "claimed"
COMPLETED = "completed"
DEAD_LETTERED = "dead_lettered"

MAX_MESSAGE_BYTES = 256 * 1024
"""Of what is published, and of a result."""

SCORES = {"critical": 1000, "high": 750, "normal": 500, "low": 250, "background": 0}
"""Priority tier → the score it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who publishes, claims or ends a claim."""

    type: str
    """`user` or `core`."""
    id: str
    manages: bool = False
    """May end the claims of others."""
    execution_id: str | None = None
    """Of a Core: the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What is published. Times are seconds since 1970."""

    message_type: str
    body: Any
    content_type: str = "application/json"
    priority_tier: str = "normal"
    priority_score: int | None = None
    """0 to 1000; None: that of the tier."""
    labels: Mapping[str, str] = field(default_factory=dict)
    correlation_id: str | None = None
    causation_id: str | None = None
    parent_id: str | None = None
    ttl_seconds: int | None = None
    deadline: float | None = None
    delay_until: float | None = None
    idempotency_key: str | None = None
    hitl_spec: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that was published. Times are seconds since 1970, or as they go on the wire."""

    seq: int
    id: str
    tenant_id: str
    scope_id: str
    queue_id: str
    published_to: str
    """The queue it was published to, which a dead letter has left."""
    published: Mapping[str, Any]
    source: Mapping[str, Any]
    published_at: str
    expires_at: float | None
    state: str
    attempts: int
    visible_at: float
    """Pending: cannot be claimed before; claimed: when the claim ends by itself."""
    claimed_by_type: str | None = None
    claimed_by_id: str | None = None
    failure_reason: str | None = None
    result: Any = None
    completed_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the message as it goes on the wire."""
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "scope_id": self.scope_id,
            "queue_id": self.queue_id,
            **self.published,
            "source_type": self.source["type"],
            "source_id": self.source["id"],
            "state": self.state,
            "attempts": self.attempts,
            "visible_at": iso(self.visible_at),
            "expires_at": iso_or_none(self.expires_at),
            "claimed_by_type": self.claimed_by_type,
            "claimed_by_id": self.claimed_by_id,
            "failure_reason": self.failure_reason,
            "result": self.result,
            "dead_lettered_from": self.published_to if self.queue_id != self.published_to else None,
            "published_at": self.published_at,
            "completed_at": self.completed_at,
        }


SELECT = "SELECT m.*, s.tenant_id FROM queue_messages m JOIN queue_scopes s ON s.id = m.scope_id"


def message_of(row: sqlite3.Row) -> Message:
    """Return the message of a row of `SELECT`."""
    return Message(
        seq=row["seq"],
        id=row["id"],
        tenant_id=row["tenant_id"],
        scope_id=row["scope_id"],
        queue_id=row["queue_id"],
        published_to=row["published_to"],
        published=orjson.loads(row["published"]),
        source=orjson.loads(row["source"]),
        published_at=row["published_at"],
        expires_at=row["expires_at"],
        state=row["state"],
        attempts=row["attempts"],
        visible_at=row["visible_at"],
        claimed_by_type=row["claimed_by_type"],
        claimed_by_id=row["claimed_by_id"],
        failure_reason=row["failure_reason"],
        result=orjson.loads(row["result"] or "null"),
        completed_at=row["completed_at"],
    )
