"""What of a flow its fixtures have been through."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from scaiflow_api.domains.testruns.schemas import Coverage
from scaiflow_api.domains.testruns.trail import Trail
from scaiflow_api.flowgraph import Edge, FlowGraph

_CONTROL = frozenset({"sequential", "conditional"})


class FlowMap:
    """A flow's nodes and the edges between which its runs choose, for telling what runs have seen of them."""

    def __init__(self, graph: FlowGraph) -> None:
        self._nodes = [node.id for node in graph.nodes]
        self._first_entry = next((n.id for n in graph.nodes if n.type.startswith("entry_")), None)
        control = [edge for edge in graph.edges if edge.type in _CONTROL]
        self._into: dict[str, list[Edge]] = defaultdict(list)
        for edge in control:
            self._into[edge.target.node].append(edge)
        deciding = {(e.source.node, e.source.port) for e in control if e.type == "conditional"}
        self._choices = [edge for edge in control if (edge.source.node, edge.source.port) in deciding]

    def coverage(self, runs: Iterable[tuple[str | None, Trail]]) -> Coverage:
        """Return what runs have seen together; with each comes the entry that it began at, if not the first.

        An edge was taken when a decision tells so, or when its target ran and no other edge can have led there.
        """
        nodes: set[str] = set()
        arms: set[str] = set()
        fell_through: set[str] = set()
        for entry, trail in runs:
            ran = trail.nodes | {found for found in (entry or self._first_entry,) if found is not None}
            nodes |= ran
            arms |= trail.arms | self._implied(ran)
            fell_through |= trail.fell_through
        taken = [e.id for e in self._choices if e.id in arms or _is_fall_through(e, fell_through)]
        ran_here = [node for node in self._nodes if node in nodes]
        return Coverage(nodes=ran_here, edges_taken=taken, node_pct=_percent(ran_here, self._nodes))

    def _implied(self, ran: set[str]) -> set[str]:
        """Return the edges into nodes that ran and can have been reached over one edge only."""
        found = set()
        for node in ran:
            ways = [edge.id for edge in self._into[node] if edge.source.node in ran]
            if len(ways) == 1:
                found.add(ways[0])
        return found


def _is_fall_through(edge: Edge, fell_through: set[str]) -> bool:
    return edge.type == "sequential" and edge.source.node in fell_through


def _percent(part: Sequence[str], whole: Sequence[str]) -> float:
    return round(100 * len(part) / len(whole), 1) if whole else 0.0
