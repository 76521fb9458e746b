"""The flow document, version 2: what the canvas edits, the API stores and the compiler reads."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from pydantic import Field

from scaiflow_api.flowgraph.config import FlowConfig, Part

SCHEMA_ID = "https://scailabs.com/schemas/scaiflow/v2.json"
ID_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
_NUMBER = r"(0|[1-9][0-9]*)"
_PRE_RELEASE = rf"({_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER_PATTERN = (
    rf"^{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
"""Semantic versioning 2.0: also of a pre-release's parts, those that are numbers begin with no zero."""
VARIABLE_PATTERN = r"^[a-z_][a-zA-Z0-9_]*$"

Id = Annotated[str, Field(pattern=ID_PATTERN)]

NodeKind: TypeAlias = Literal[
    "entry_api",
    "entry_webhook",
    "entry_schedule",
    "llm_rigid",
    "llm_guarded",
    "llm_flexible",
    "logic_decision",
    "logic_loop",
    "logic_parallel",
    "tool_plugin",
    "tool_http",
    "data_variable_set",
    "checkpoint",
    "queue_publish",
    "queue_consume",
    "hitl_review",
    "hitl_decision",
    "queue_escalation",
    "compute_provision",
    "compute_exec",
    "compute_file_upload",
    "compute_file_download",
    "compute_destroy",
    "subflow_call",
]
EdgeKind: TypeAlias = Literal["sequential", "conditional", "data"]

NODE_KINDS: tuple[str, ...] = get_args(NodeKind)


class Port(Part):
    """Where an edge begins or ends at a node. `type` is free ScaiCore type syntax."""

    id: Id
    label: str | None = None
    type: str | None = None


class Position(Part):
    """Where the canvas draws a node, in pixels."""

    x: float
    y: float


class Node(Part):
    """One step. Its `config` belongs to its kind; without ports it has those of its kind."""

    id: Id
    type: NodeKind
    label: str
    position: Position
    config: dict[str, Any] = Field(default={})
    inputs: list[Port] = Field(default=[])
    outputs: list[Port] = Field(default=[])


class Endpoint(Part):
    """One end of an edge."""

    node: str
    port: str


class Edge(Part):
    """A way from one node to another; `condition` is required where `type` is `conditional`."""

    id: Id
    type: EdgeKind
    source: Endpoint
    target: Endpoint
    condition: str | None = None


class Variable(Part):
    """A named state slot of the flow."""

    name: Annotated[str, Field(pattern=VARIABLE_PATTERN)]
    type: str
    default: Any = None
    description: str | None = None


class TestFixture(Part):
    """An input and what the flow should answer to it."""

    __test__: ClassVar[bool] = False
    """It is not a test of this package's own suite."""

    name: str
    description: str | None = None
    input: dict[str, Any]
    expect: dict[str, Any]
    entry: str | None = None
    resolutions: dict[str, Any] = Field(default={})
    """Node id → the resolution of its checkpoint, or a list with one for each visit."""
    tags: list[str] = Field(default=[])


class FlowMetadata(Part):
    """For people; nothing here changes what a flow does."""

    author: str | None = None
    created: str | None = None
    description: str | None = None


class FlowGraph(Part):
    """A whole flow."""

    schema_: Annotated[str | None, Field(alias="$schema")] = None
    id: Id
    name: str
    version: Annotated[str, Field(pattern=SEMVER_PATTERN)]
    scaicore_target: str = "0.2"
    metadata: FlowMetadata = FlowMetadata()
    nodes: list[Node] = Field(default=[])
    edges: list[Edge] = Field(default=[])
    variables: list[Variable] = Field(default=[])
    config: FlowConfig = FlowConfig()
    tests: list[TestFixture] = Field(default=[])
