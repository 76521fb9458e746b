"""A flow document as the rules and the lowering see it: nodes with their kinds and ports, edges between them."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from msgspec import Struct, field

from scaiflow_api import flowgraph
from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.kinds.base import NodeConfig

USUAL_PORTS = {
    name: (tuple(port.id for port in kind.inputs), tuple(port.id for port in kind.outputs))
    for name, kind in KINDS.items()
}
"""The ids of the ports that nodes of a kind have where they declare none themselves: inputs, outputs."""


class FlowNode(Struct, frozen=True, eq=False, gc=False):
    """One node; `index` is its place in the document."""

    index: int
    id: str
    type: str
    label: str
    config: Mapping[str, Any]
    """As the author wrote it."""
    kind: EntryKind | StepKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """Port ids: its own, or those of its kind where it has none."""

    @property
    def path(self) -> str:
        return f"nodes[{self.index}]"

    @property
    def is_entry(self) -> bool:
        return isinstance(self.kind, EntryKind)

    @property
    def has_usual_outputs(self) -> bool:
        return self.outputs is USUAL_PORTS[self.type][1]

    @classmethod
    def of(cls, index: int, node: Mapping[str, Any]) -> "FlowNode":
        """Return the node at a place of a document that has the shape of a flow."""
        kind = node["type"]
        inputs, outputs = USUAL_PORTS[kind]
        if node.get("inputs"):
            inputs = tuple([port["id"] for port in node["inputs"]])
        if node.get("outputs"):
            outputs = tuple([port["id"] for port in node["outputs"]])
        return cls(
            index, node["id"], kind, node["label"], node.get("config", {}), KINDS[kind], inputs, outputs
        )


class FlowEdge(Struct, frozen=True, eq=False, gc=False):
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


class Exit(Struct, frozen=True, eq=False, gc=False):
    """The control edges that leave one port, in the order of the document.

    The first conditional edge whose condition holds is taken, else all sequential ones.
    """

    port: str
    conditional: tuple[FlowEdge, ...]
    sequential: tuple[FlowEdge, ...]

    @classmethod
    def of(cls, edges: Sequence[FlowEdge]) -> "Exit":
        """Return the port that these edges leave, of which there is at least one."""
        if len(edges) == 1:
            (edge,) = edges
            return cls(edge.source_port, *(((edge,), ()) if edge.type == "conditional" else ((), (edge,))))
        conditional = tuple([edge for edge in edges if edge.type == "conditional"])
        sequential = tuple([edge for edge in edges if edge.type == "sequential"])
        return cls(edges[0].source_port, conditional, sequential)


class Torn(Struct, frozen=True):
    """Nodes at one end of a control edge that is broken: what they miss may be just this edge."""

    sources: frozenset[int] = frozenset()
    targets: frozenset[int] = frozenset()
    conditions: tuple[str, ...] = ()
    """Those of broken edges. Nothing says whether they can be read."""


class FlowView(Struct, frozen=True, eq=False, dict=True):
    """A document free of `SF0xx` problems."""

    document: Mapping[str, Any]
    """Its JSON, in canonical form."""
    graph: flowgraph.FlowGraph
    """Without nodes and edges."""
    nodes: Sequence[FlowNode]
    edges: Sequence[FlowEdge] = ()
    """Those whose ends exist."""
    configs: Mapping[int, NodeConfig] = field(default_factory=dict)
    """By place of the node; a node whose configuration is broken has none."""
    torn: Torn = Torn()

    @cached_property
    def by_id(self) -> dict[str, FlowNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def entries(self) -> list[FlowNode]:
        return [node for node in self.nodes if node.is_entry]

    @cached_property
    def control_out(self) -> dict[int, list[FlowEdge]]:
        return _grouped([edge for edge in self.edges if edge.type != "data"], SOURCE)

    @cached_property
    def control_in(self) -> dict[int, list[FlowEdge]]:
        return _grouped([edge for edge in self.edges if edge.type != "data"], TARGET)

    @cached_property
    def data_in(self) -> dict[int, list[FlowEdge]]:
        return _grouped([edge for edge in self.edges if edge.type == "data"], TARGET)

    @cached_property
    def exits(self) -> dict[int, list[Exit]]:
        """By node that control edges leave: the ports they leave by, in the order of their first edges."""
        return {node: _exits(edges) for node, edges in self.control_out.items()}

    @cached_property
    def groups(self) -> list[tuple[list[int], set[int]]]:
        """The entries that share nodes, together with all that they reach by control edges.

        Groups in the order of their first entries, entries in the order of the document. A node that nothing
        reaches is in no group. Entries are not among the nodes reached.
        """
        leader = {entry.index: entry.index for entry in self.entries}
        owner: dict[int, int] = {}
        reached: dict[int, list[int]] = {}

        def find(entry: int) -> int:
            while leader[entry] != entry:
                leader[entry] = leader[leader[entry]]
                entry = leader[entry]
            return entry

        for entry in leader:
            pending = [entry]
            found = reached[entry] = []
            while pending:
                for edge in self.control_out.get(pending.pop(), ()):
                    target = edge.target
                    if target not in owner:
                        if target not in leader:
                            owner[target] = entry
                            found.append(target)
                            pending.append(target)
                    elif owner[target] != entry:
                        # What lies behind it was reached from there before.
                        first, second = sorted((find(entry), find(owner[target])))
                        leader[second] = first
        groups: dict[int, tuple[list[int], set[int]]] = {}
        for entry, found in reached.items():
            entries, nodes = groups.setdefault(find(entry), ([], set()))
            entries.append(entry)
            nodes.update(found)
        return list(groups.values())

    @cached_property
    def reached(self) -> frozenset[int]:
        """The nodes that control edges lead to from an entry."""
        return frozenset[int]().union(*(nodes for _, nodes in self.groups))

    @cached_property
    def displaced(self) -> frozenset[int]:
        """The nodes of which nobody can say when they run: a broken edge leads to them, or to nodes before them."""
        found = set(self.torn.targets)
        ahead = list(found)
        while ahead:
            targets = {edge.target for edge in self.control_out.get(ahead.pop(), ())} - found
            found |= targets
            ahead += targets
        return frozenset(found)

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


SOURCE = attrgetter("source")
TARGET = attrgetter("target")


def _grouped(edges: Iterable[FlowEdge], end: Callable[[FlowEdge], int]) -> dict[int, list[FlowEdge]]:
    groups: dict[int, list[FlowEdge]] = defaultdict(list)
    for edge in edges:
        groups[end(edge)].append(edge)
    return dict(groups)


def _exits(edges: list[FlowEdge]) -> list[Exit]:
    if len(edges) == 1:
        return [Exit.of(edges)]
    ports: dict[str, list[FlowEdge]] = defaultdict(list)
    for edge in edges:
        ports[edge.source_port].append(edge)
    return [Exit.of(leaving) for leaving in ports.values()]


def short_id(node_id: str) -> str:
    """Return the name that expressions use for a node: its id without `node_`."""
    return node_id.removeprefix("node_")
