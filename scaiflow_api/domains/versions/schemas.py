"""Versions and what differs between them, over the wire."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from scaiflow_api.domains.deploy.schemas import DeploymentItem
from scaiflow_api.domains.flows.changes import FlowChanges
from scaiflow_api.domains.flows.schemas import Prose
from scaiflow_api.web.schemas import AnswerModel, ApiModel


class FlowVersionItem(AnswerModel):
    """One version of a flow."""

    version: str
    is_current: bool
    last_modified: datetime
    author_id: str
    message: str
    sha256: str
    size: int


class RestoreVersion(ApiModel):
    """Without a `message` the new version says which one it restores."""

    example: ClassVar = {"message": "Back to what worked"}

    message: Prose | None = None


class FlowDifference(FlowChanges):
    """The difference between two versions."""

    from_version: str = Field(alias="from")
    to_version: str = Field(alias="to")


class Drift(AnswerModel):
    """How far the flow has moved from what its Core was given."""

    status: Literal["not_deployed", "in_sync", "drifted"]
    """`drifted`: the current version behaves differently. What only people see is no drift."""
    current_version: str
    deployment: DeploymentItem | None
    """The deploy that the Core has its manifest from; null: not deployed."""
    changes: FlowChanges | None
    """From what is deployed to the current version; null: not deployed."""
