"""Drafts over the wire."""

from datetime import datetime
from typing import Any, ClassVar

from scaiflow_api.domains.flows.changes import FlowChanges
from scaiflow_api.domains.flows.schemas import Prose
from scaiflow_api.domains.preview.schemas import DiagnosticItem
from scaiflow_api.web.schemas import AnswerModel, ApiModel


class DraftState(AnswerModel):
    """Which draft it is."""

    flow_id: str
    epoch: str
    """Names the draft's history; a discarded draft begins a new one."""
    base_version: str
    """The version that the draft was begun with, or that was merged into it last."""
    updated_at: datetime


class DraftDetail(DraftState):
    """What people edit together, as a flow."""

    content: dict[str, Any]
    """It may be no valid flow: `diagnostics` tells."""
    diff: FlowChanges | None
    """What differs from the current version; null where the draft is no valid flow."""
    diagnostics: list[DiagnosticItem]
    """What keeps the draft from being saved; empty where nothing does."""


class SaveDraft(ApiModel):
    """Without a `message` the new version says that it was the draft."""

    example: ClassVar = {"message": "What we drew together"}

    message: Prose | None = None
