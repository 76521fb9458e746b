"""Deployments over the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.web.schemas import AnswerModel, ApiModel

GroupId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class DeployRequest(ApiModel):
    """How to deploy; what is left out is taken from the flow's `config`."""

    publish_as_model: bool | None = None
    group_ids: Annotated[list[GroupId], Field(max_length=500)] | None = None
    """Groups that may use the published model; empty: ScaiGrid's default."""
    version: Annotated[str, StringConstraints(max_length=64)] | None = None
    """An older version to deploy instead of the current one: a rollback."""


class DeployAnswer(AnswerModel):
    """What is running now."""

    core_id: str
    published_slug: str | None
    published_model_id: str | None
    scaiqueue_provisioning: None = None
    """Always null: a flow that declares queues is refused."""
    deployment_id: str
    flow_version: str


class UndeployAnswer(AnswerModel):
    """What is gone from ScaiGrid now; empty when there was nothing."""

    core_ids: list[str]


class DeploymentItem(AnswerModel):
    """One deploy in the history."""

    id: str
    core_id: str | None
    deployed_at: datetime
    deployed_by: str
    published_slug: str | None
    published_model_id: str | None
    flow_version: str
    status: str
    """`pending`, `running`, `deployed`, `failed`, or `undeployed` since its Core was deleted."""
    error: str | None
    """The code of what it failed with; `interrupted` when the process ended."""

    @classmethod
    def of(cls, row: Deployment) -> "DeploymentItem":
        return cls(
            id=row.id,
            core_id=row.core_id,
            deployed_at=row.finished_at or row.started_at,
            deployed_by=row.deployed_by,
            published_slug=row.published_slug,
            published_model_id=row.published_model_id,
            flow_version=row.flow_version,
            status=row.status,
            error=row.error,
        )
