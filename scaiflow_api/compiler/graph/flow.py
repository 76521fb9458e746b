"""A flow document as the rules and the lowering see it: nodes with their kinds and ports, edges between them."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from scaiflow_api import flowgraph
from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.kinds.base import NodeConfig


class FlowNode(Struct, frozen=True):
    """One node; `index` is its place in the document."""

    index: int
    source: flowgraph.Node
    kind: EntryKind | StepKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """Port ids: its own, or those of its kind where it has none."""

    @property
    def id(self) -> str:
        return self.source.id

    @property
    def path(self) -> str:
        return f"nodes[{self.index}]"

    @property
    def is_entry(self) -> bool:
        return isinstance(self.kind, EntryKind)

    @classmethod
    def of(cls, index: int, node: flowgraph.Node) -> "FlowNode":
        kind = KINDS[node.type]
        inputs = tuple(port.id for port in node.inputs or kind.inputs)
        outputs = tuple(port.id for port in node.outputs or kind.outputs)
        return cls(index, node, kind, inputs, outputs)


class FlowEdge(Struct, frozen=True):
    """One edge whose ends exist; `source` and `target` are places of nodes in the document."""

    index: int
    id: str
    type: str
    source: int
    source_port: str
    target: int
    target_port: str
    condition: str | None

    @property
    def path(self) -> str:
        return f"edges[{self.index}]"


class Exit(Struct, frozen=True):
    """The control edges that leave one port, in the order of the document.

    The first conditional edge whose condition holds is taken, else all sequential ones.
    """

    conditional: tuple[FlowEdge, ...]
    sequential: tuple[FlowEdge, ...]


class FlowView(Struct, frozen=True, eq=False, dict=True):
    """A document free of `SF0xx` problems."""

    document: Mapping[str, Any]
    """Its JSON, in canonical form."""
    graph: flowgraph.FlowGraph
    nodes: Sequence[FlowNode]
    edges: Sequence[FlowEdge] = ()
    """Those whose ends exist."""
    configs: Mapping[int, NodeConfig] = field(default_factory=dict)
    """By place of the node; a node whose configuration is broken has none."""

    @cached_property
    def by_id(self) -> dict[str, FlowNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def entries(self) -> list[FlowNode]:
        return [node for node in self.nodes if node.is_entry]

    @cached_property
    def control_out(self) -> dict[int, list[FlowEdge]]:
        return _grouped((edge.source, edge) for edge in self.edges if edge.type != "data")

    @cached_property
    def control_in(self) -> dict[int, list[FlowEdge]]:
        return _grouped((edge.target, edge) for edge in self.edges if edge.type != "data")

    @cached_property
    def data_in(self) -> dict[int, list[FlowEdge]]:
        return _grouped((edge.target, edge) for edge in self.edges if edge.type == "data")

    @cached_property
    def ranked(self) -> list[int]:
        """The nodes in ascending rank; those on and behind a cycle are left out.

        Again and again, among the nodes all of whose predecessors (control and data) are taken, the first in the
        document.
        """
        waiting = [0] * len(self.nodes)
        followers: list[list[int]] = [[] for _ in self.nodes]
        for edge in self.edges:
            waiting[edge.target] += 1
            followers[edge.source].append(edge.target)
        ready = [index for index, count in enumerate(waiting) if count == 0]
        order = []
        while ready:
            node = heapq.heappop(ready)
            order.append(node)
            for target in followers[node]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    heapq.heappush(ready, target)
        return order

    def exits(self, node: int) -> list[Exit]:
        """Return the ports that control edges leave by, in the order of their first edges."""
        ports: dict[str, list[FlowEdge]] = defaultdict(list)
        for edge in self.control_out.get(node, ()):
            ports[edge.source_port].append(edge)
        return [
            Exit(
                tuple(edge for edge in edges if edge.type == "conditional"),
                tuple(edge for edge in edges if edge.type == "sequential"),
            )
            for edges in ports.values()
        ]


def _grouped(pairs: Any) -> dict[int, list[FlowEdge]]:
    groups: dict[int, list[FlowEdge]] = defaultdict(list)
    for key, edge in pairs:
        groups[key].append(edge)
    return dict(groups)


def short_id(node_id: str) -> str:
    """Return the name that expressions use for a node: its id without `node_`."""
    return node_id.removeprefix("node_")
