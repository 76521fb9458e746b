"""Which nodes and edges of a flow its fixtures ran through."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scaiflow_api.domains.testruns.schemas import Coverage
from scaiflow_api.domains.testruns.trail import Trail
from scaiflow_api.flowgraph import Edge, FlowGraph

_CONTROL = frozenset({"sequential", "conditional"})


@dataclass(frozen=True, slots=True)
class Seen:
    """The nodes and edges that one run is known to have passed."""

    nodes: frozenset[str]
    edges: frozenset[str]


class FlowMap:
    """A flow's nodes and the edges between which its runs choose; it tells which of them runs have passed."""

    def __init__(self, graph: FlowGraph) -> None:
        self._nodes = [node.id for node in graph.nodes]
        self._first_entry = next((n.id for n in graph.nodes if n.type.startswith("entry_")), None)
        control = [edge for edge in graph.edges if edge.type in _CONTROL]
        deciding = {(e.source.node, e.source.port) for e in control if e.type == "conditional"}
        self._choices = [edge for edge in control if (edge.source.node, edge.source.port) in deciding]
        self._fall_throughs = [edge for edge in self._choices if edge.type == "sequential"]
        into: dict[str, list[Edge]] = defaultdict(list)
        for edge in control:
            into[edge.target.node].append(edge)
        chosen = {edge.target.node for edge in self._choices}
        self._ways = {node: [(edge.id, edge.source.node) for edge in into[node]] for node in chosen}
        """Nodes that a choice may lead to → all edges there, and where they come from."""

    def seen(self, entry: str | None, trail: Trail) -> Seen:
        """Return what a run has passed that began at `entry`, by default the first one.

        An edge counts as taken when a decision says so, or when its target ran and no other edge can have led there.
        """
        begun = entry or self._first_entry
        ran = trail.nodes | ({begun} if begun is not None else set())
        edges = set(trail.arms)
        edges.update(edge.id for edge in self._fall_throughs if edge.source.node in trail.fell_through)
        for node in self._ways.keys() & ran:
            ways = [edge_id for edge_id, source in self._ways[node] if source in ran]
            if len(ways) == 1:
                edges.add(ways[0])
        return Seen(frozenset(ran), frozenset(edges))

    def coverage(self, runs: Iterable[Seen]) -> Coverage:
        """Return what some runs have passed together, in the order of the flow."""
        nodes: set[str] = set()
        edges: set[str] = set()
        for run in runs:
            nodes |= run.nodes
            edges |= run.edges
        ran = [node for node in self._nodes if node in nodes]
        taken = [edge.id for edge in self._choices if edge.id in edges]
        return Coverage(nodes=ran, edges_taken=taken, node_pct=_percent(ran, self._nodes))


def _percent(part: Sequence[str], whole: Sequence[str]) -> float:
    return round(100 * len(part) / len(whole), 1) if whole else 0.0
