"""Request and response bodies of the routes on the audit log."""

from typing import Any

from scaiflow_api.db.audit import Action, Outcome, TargetType
from scaiflow_api.web.schemas import AnswerModel


class AuditItem(AnswerModel):
    """One row, with the very members that its hash is made of; docs/audit.md says how."""

    tenant_id: str
    seq: int
    """1, 2, 3, … within the tenant."""
    at: str
    actor_id: str
    """`system`: a start of the server, or a command on its host."""
    actor_tenant_id: str | None
    action: Action
    outcome: Outcome
    target_type: TargetType
    target_id: str
    flow_id: str | None
    request_id: str | None
    """The `X-Request-Id` of the answer."""
    before_hash: str | None
    after_hash: str | None
    details: dict[str, Any]
    prev_hash: str
    hash: str


class AuditPage(AnswerModel):
    """Rows of one tenant, the last one first."""

    events: list[AuditItem]
    next_cursor: str | None
