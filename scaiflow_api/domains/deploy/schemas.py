"""Request and response bodies of the routes on deployments."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.domains.flows.changes import FlowChanges
from scaiflow_api.domains.preview.schemas import EXAMPLE_FLOW, Content
from scaiflow_api.web.schemas import AnswerModel, ApiModel

PENDING, RUNNING, DEPLOYED, FAILED = "pending", "running", "deployed", "failed"
UNDEPLOYED = "undeployed"
UNFINISHED = (PENDING, RUNNING)
INTERRUPTED = "interrupted"
"""The error of a deploy whose process ended."""

GroupId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class DeployRequest(ApiModel):
    """How to deploy; what is left out is taken from the flow's `config`."""

    example: ClassVar = {"dry_run": True}

    publish_as_model: bool | None = None
    group_ids: Annotated[list[GroupId], Field(max_length=500)] | None = None
    """Groups that may use the published model; empty: ScaiGrid's default."""
    version: Annotated[str, StringConstraints(max_length=64)] | None = None
    """An older version to deploy instead of the current one: a rollback."""
    dry_run: bool = False
    """Change nothing; answer what a deploy would do."""


class QueueDifference(AnswerModel):
    """A queue that is there already and is used as it is, though the flow says otherwise."""

    queue: str
    field: str
    wanted: Any
    found: Any


class QueuesAnswer(AnswerModel):
    """The scope and the queues of the flow, found or made."""

    scope_id: str
    scope_slug: str
    queue_ids: dict[str, str]
    """Slug → id."""
    differences: list[QueueDifference]


class DeployAnswer(AnswerModel):
    """What is running now."""

    core_id: str
    published_slug: str | None
    published_model_id: str | None
    scaiqueue_provisioning: QueuesAnswer | None = None
    """Null for a flow without queues."""
    deployment_id: str
    flow_version: str


class PlannedCore(AnswerModel):
    """What would become of the flow's Core."""

    action: Literal["create", "replace", "adopt", "conflict"]
    """`adopt`: take over one that carries the flow's id. `conflict`: another has the name; a deploy would fail."""
    core_id: str | None
    """Of the Core that would be replaced or adopted."""
    status: str | None
    """Its status now; one that does not run would be started."""


class PlannedQueues(AnswerModel):
    """What would become of the flow's scope and queues."""

    scope_slug: str
    scope_id: str | None
    """Null: the scope would be created."""
    queue_ids: dict[str, str]
    """Those that are there already: slug → id."""
    create: list[str]
    """The slugs of those that would be created."""
    differences: list[QueueDifference]


class PlannedPublication(AnswerModel):
    """What would become of the chat model."""

    action: Literal["none", "publish", "sync", "keep"]
    """`sync`: bring it up to date. `keep`: it is published, and this deploy would leave it as it is."""
    published_slug: str | None
    """Of the model that is there already."""
    group_ids: list[str]
    """Who may use it after `publish` or `sync`; empty: ScaiGrid's default."""


class DeployPlan(AnswerModel):
    """What a deploy would do. Nothing was changed."""

    dry_run: Literal[True] = True
    flow_version: str
    manifest: str
    """The YAML that ScaiGrid would be given."""
    diagnostics: list[dict[str, Any]]
    """Warnings and notes of the compiler."""
    core: PlannedCore
    scaiqueue: PlannedQueues | None
    """Null for a flow without queues."""
    publication: PlannedPublication
    last_deployment: "DeploymentItem | None"
    """The deploy that the Core has its manifest from; null: not deployed."""
    changes: FlowChanges | None
    """From the last deployment to this one; null: not deployed."""


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
    def of(cls, row: Deployment, *, interrupted: bool = False) -> "DeploymentItem":
        """Show a row; one that is not finished was `interrupted` when nobody works on the flow any more."""
        status, error = row.status, row.error
        if interrupted and status in UNFINISHED:
            status, error = FAILED, INTERRUPTED
        return cls(
            id=row.id,
            core_id=row.core_id,
            deployed_at=row.finished_at or row.started_at,
            deployed_by=row.deployed_by,
            published_slug=row.published_slug,
            published_model_id=row.published_model_id,
            flow_version=row.flow_version,
            status=status,
            error=error,
        )


class DevDeployRequest(ApiModel):
    """A document to deploy as it is."""

    example: ClassVar = {"content": EXAMPLE_FLOW}

    content: Content
    publish_as_model: bool = False


class DevDeployAnswer(AnswerModel):
    """What is running now."""

    core_id: str
    published_slug: str | None
