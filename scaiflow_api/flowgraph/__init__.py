"""The flow document: its models, its limits, its JSON Schema."""

from scaiflow_api.flowgraph.config import (
    Bunker,
    CoreIdentity,
    FlowConfig,
    ModelEntry,
    ModelFallback,
    Queue,
    QueueTopology,
)
from scaiflow_api.flowgraph.limits import DEFAULT_LIMITS, FlowTooLarge, Limits
from scaiflow_api.flowgraph.models import (
    NODE_KINDS,
    Edge,
    Endpoint,
    FlowGraph,
    FlowMetadata,
    Node,
    Port,
    Position,
    TestFixture,
    Variable,
)
from scaiflow_api.flowgraph.parse import FlowDocument, parse_again, parse_document
from scaiflow_api.flowgraph.problems import Problem
from scaiflow_api.flowgraph.quick import sound_text

__all__ = [
    "DEFAULT_LIMITS",
    "NODE_KINDS",
    "Bunker",
    "CoreIdentity",
    "Edge",
    "Endpoint",
    "FlowConfig",
    "FlowDocument",
    "FlowGraph",
    "FlowMetadata",
    "FlowTooLarge",
    "Limits",
    "ModelEntry",
    "ModelFallback",
    "Node",
    "Port",
    "Position",
    "Problem",
    "Queue",
    "QueueTopology",
    "TestFixture",
    "Variable",
    "parse_again",
    "parse_document",
    "sound_text",
]
