"""The `config` of a flow: models, plugins, queues, sandbox, publishing."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """What all parts of a document share: exact types, and unknown keys are kept."""

    model_config = ConfigDict(strict=True, extra="allow", populate_by_name=True, defer_build=True)


ROLE_PATTERN = r"^[a-z][a-z0-9_]*$"
Modality = Literal["text", "structured_output", "vision", "tts", "stt", "embedding", "image_generation"]
NonEmpty = Annotated[str, Field(min_length=1)]


class ModelFallback(Part):
    """A model that is tried when the ones before it are unavailable."""

    ref: NonEmpty
    model: NonEmpty


class ModelEntry(Part):
    """One role of the model registry."""

    role: Annotated[str, Field(pattern=ROLE_PATTERN)]
    """The name by which nodes ask for this model; unique in the registry."""
    ref: NonEmpty
    """The provider's key: `scaigrid`, `openai`, …"""
    model: NonEmpty
    """The provider's name of the model."""
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    modalities: list[Modality] = ["text"]
    system_context: str | None = None
    fallback: list[ModelFallback] = Field(default=[])


class CoreIdentity(Part):
    """Who the agent is and which models it has; the first one serves nodes that name no role."""

    name: str | None = None
    models: Annotated[list[ModelEntry], Field(min_length=1)] | None = None


class Bunker(Part):
    """The sandbox of a flow's compute nodes."""

    lifecycle: Literal["ephemeral", "session", "persistent", "appliance"] | None = None
    image: NonEmpty | None = None
    cpu_millicores: Annotated[int, Field(ge=1)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    disk_mb: Annotated[int, Field(ge=1)] | None = None
    gpu_count: Annotated[int, Field(ge=0)] | None = None
    network_profile: Literal["isolated", "registry", "allowlisted", "unrestricted", "transit"] | None = None


class Queue(Part):
    """One queue that the flow needs."""

    slug: NonEmpty
    display_name: str | None = None
    description: str | None = None
    consumer_mode: Literal["fifo", "priority", "deadline", "broadcast"] = "fifo"
    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    purpose: (
        Literal["intake", "processing", "review", "escalation", "completed", "dead-letter", "custom"] | None
    ) = None


class QueueTopology(Part):
    """The queues of a flow, in one scope."""

    scope: str | None = None
    queues: list[Queue] = Field(default=[])


class FlowConfig(Part):
    """What belongs to the flow as a whole."""

    core_identity: CoreIdentity | None = None
    plugins: list[Any] = Field(default=[])
    capabilities: list[Any] = Field(default=[])
    bunker: Bunker | None = None
    scaiqueue: QueueTopology | None = None
    publish_as_model: bool = False
    model_visibility_group_ids: list[str] = Field(default=[])
