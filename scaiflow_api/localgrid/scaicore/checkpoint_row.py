"""One checkpoint: what is asked, of whom, and what was answered."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.checkpoint import Answer, Question
from scaiflow_api.localgrid.scaicore.invocation import Invocation
from scaiflow_api.localgrid.wire_time import iso_or_none, wire_time

STATUSES = ("pending", "resolved", "expired", "cancelled")
ESCALATION_TARGET = "role:tenant_admin"
"""Whom a checkpoint goes to that nobody answered in time, with `on_timeout: escalate`."""
ESCALATE = "escalate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A row: what the grid must find, and what the wire shows besides."""

    seq: int = 0
    id: str
    tenant_id: str
    core_id: str
    execution_id: str
    place: str
    """The step of the run that waits for it."""
    status: str
    expires_at: float | None
    details: dict[str, Any]
    """All other fields of the wire."""

    def as_dict(self) -> dict[str, Any]:
        """Return the row as it goes on the wire."""
        return {
            "id": self.id,
            "core_id": self.core_id,
            "tenant_id": self.tenant_id,
            "execution_id": self.execution_id,
            "status": self.status,
            "expires_at": iso_or_none(self.expires_at),
            **self.details,
        }

    @property
    def answer(self) -> Answer | None:
        """How it ended; None: it is pending."""
        return None if self.status == "pending" else Answer(self.status, self.details["resolution"])

    @property
    def option_ids(self) -> list[Value]:
        """What may be chosen; empty: anything may be answered."""
        options = self.details["options"] or self._decision.get("options") or []
        return [option.get("id") if isinstance(option, dict) else option for option in options]

    @property
    def decision_field(self) -> str:
        """The key of a resolution that says what was chosen."""
        return str(self._decision.get("field") or "decision")

    def as_resolution(self, given: Value) -> dict[str, Value]:
        """Return what is bound: an object, which a text becomes as the decision.

        Raises ValueError where it is neither, or decides for none of the options.
        """
        resolution: Value = {self.decision_field: given} if isinstance(given, str) else given
        if not isinstance(resolution, dict):
            raise ValueError("a resolution is a text or an object")  # noqa: TRY004 - the value is the caller's
        chosen, options = resolution.get(self.decision_field), self.option_ids
        if options and chosen is not None and chosen not in options:
            raise ValueError(f"{chosen!r} is none of the options: {', '.join(map(str, options))}")
        return resolution

    @property
    def _decision(self) -> dict[str, Any]:
        """The first section of the form that is a decision."""
        sections = self.details["context"].get("sections", ())
        return next((section for section in sections if section.get("type") == "decision"), {})


def new_checkpoint(
    invocation: Invocation, execution_id: str, place: str, question: Question, now: datetime
) -> Checkpoint:
    """Return the pending checkpoint of a question."""
    core, timeout_s = invocation.core, question.timeout_s
    context = {
        "node_id": question.node_id,
        **({"iteration": list(question.iteration)} if question.iteration else {}),
        **({"sections": list(question.sections)} if question.sections else {}),
        **({"hitl_target": dict(question.hitl_target)} if question.hitl_target else {}),
    }
    details = {
        "flow_name": invocation.flow.name,
        "block_index": question.block_index,
        "instance_key": invocation.instance_key,
        "checkpoint_type": question.checkpoint_type,
        "prompt": question.prompt,
        "options": list(question.options) or None,
        **assignment(question.assignee),
        "context": context,
        "priority": question.priority,
        "expiry_action": question.on_timeout,
        "escalation_target": ESCALATION_TARGET if question.on_timeout == ESCALATE else None,
        "notification_sent": False,
        "reminder_count": 0,
        "reminder_interval_m": None,
        **dict.fromkeys(("resolution", "resolved_by", "resolved_at", "comment", "state_s3_key")),
        "created_at": wire_time(now),
    }
    return Checkpoint(
        id=str(uuid.uuid4()),
        tenant_id=core.tenant_id,
        core_id=core.id,
        execution_id=execution_id,
        place=place,
        status="pending",
        expires_at=None if timeout_s is None else (now + timedelta(seconds=timeout_s)).timestamp(),
        details=details,
    )


def assignment(assignee: str | None) -> dict[str, Any]:
    """Return the fields that say who is asked: `<type>:<value>`, else it is routed to nobody."""
    kind, _, value = (assignee or "").partition(":")
    if kind not in {"user", "group", "role"} or not value:
        return {"assignee_raw": assignee, "assignee_type": "unrouted", "assignee_resolved": None}
    resolved = {"type": kind, "value": value}
    return {"assignee_raw": assignee, "assignee_type": kind, "assignee_resolved": resolved}
