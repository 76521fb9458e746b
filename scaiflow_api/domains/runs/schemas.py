"""Runs over the wire."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, StringConstraints, field_validator

from scaiflow_api.kit.canonical_json import canonical_json
from scaiflow_api.upstreams.scaigrid_answers import Execution
from scaiflow_api.web.schemas import AnswerModel, ApiModel


class InvokeRequest(ApiModel):
    """What to run a Core on."""

    example: ClassVar = {"input": {"message": "hello"}}

    input: dict[str, Any]
    flow_name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Which of the Core's flows; its first when left out."""
    instance_key: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Which instance of an entity Core."""

    @field_validator("input")
    @classmethod
    def _is_exact(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse numbers and text that would not arrive as they were sent."""
        canonical_json(value)
        return value


class ResolveRequest(ApiModel):
    """The answer to what a run waits for."""

    example: ClassVar = {"resolution": "approve", "comment": "Looks right"}

    resolution: Annotated[str, StringConstraints(min_length=1, max_length=65_536)] | dict[str, Any]
    """An option of the checkpoint, or an object with what its fields ask for."""
    comment: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """For people."""

    @field_validator("resolution")
    @classmethod
    def _is_exact(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        """Refuse numbers and text that would not arrive as they were sent."""
        canonical_json(value)
        return value


class _HandedOn(AnswerModel):
    """Stands in the documentation alone: what ScaiGrid sends is handed on as it came, with all that it says."""

    model_config = ConfigDict(extra="allow")


class EventItem(_HandedOn):
    """A runtime event, as ScaiGrid sends it."""

    type: str | None = None
    """Such as `scaicore.runtime.block.entered`, or one that a flow emits."""
    core_id: str
    timestamp: str | None = None
    payload: Any = None
    """Depends on the type; `execution_id` names the run."""


class EventList(_HandedOn):
    """Events, and where to go on."""

    events: list[EventItem]
    next_cursor: str | None = None


class EventsAnswer(_HandedOn):
    """A page of events, in the envelope of ScaiGrid."""

    data: EventList


class CheckpointItem(_HandedOn):
    """A checkpoint, as ScaiGrid sends it."""

    id: str | None = None
    core_id: str
    execution_id: str | None = None
    checkpoint_type: str | None = None
    """Such as `approval`, `hitl_review` or `debug_breakpoint`."""
    status: str | None = None
    """`pending`, `resolved`, `expired` or `cancelled`."""
    prompt: str | None = None
    options: list[Any] | None = None
    context: Any = None
    """`node_id` names the node."""
    resolution: Any = None
    expires_at: str | None = None


class CheckpointList(AnswerModel):
    """Checkpoints, and where to go on."""

    checkpoints: list[CheckpointItem]
    next_cursor: str | None


class CheckpointsAnswer(AnswerModel):
    """A page of checkpoints, each as ScaiGrid sends it."""

    data: CheckpointList


class CheckpointAnswer(AnswerModel):
    """A checkpoint, as ScaiGrid sends it."""

    data: CheckpointItem


class ExecutionItem(AnswerModel):
    """What became of the run within the call."""

    execution_id: str | None
    status: str
    """`COMPLETED`, `SUSPENDED` (at `checkpoint_id`), `FAILED` (see `error`) or `RUNNING`."""
    output: Any
    checkpoint_id: str | None = None
    error: Any = None


class InvokeAnswer(AnswerModel):
    """The run, in ScaiGrid's envelope."""

    data: ExecutionItem

    @classmethod
    def of(cls, run: Execution) -> "InvokeAnswer":
        optional = {"checkpoint_id": run.checkpoint_id, "error": run.error}
        return cls(
            data=ExecutionItem(
                execution_id=run.execution_id,
                status=run.status,
                output=run.output,
                **{name: value for name, value in optional.items() if value is not None},
            )
        )
