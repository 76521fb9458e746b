"""What every way to a node leads through, within one body: other nodes, and the ways out that they choose between."""

from collections.abc import Iterable, Mapping, Sequence

from scaiflow_api.compiler.graph.dominators import DominatorTree
from scaiflow_api.compiler.graph.flow import Exit, FlowView
from scaiflow_api.compiler.graph.regions import Chain, Regions


class Dominance:
    """The dominator tree of a body. `exits` are those of the nodes that it starts at, then of its own, by rank."""

    def __init__(
        self,
        view: FlowView,
        regions: Regions,
        level: Chain,
        exits: Mapping[int, Sequence[Exit]],
        starts: Iterable[int],
    ) -> None:
        self._view = view
        self._regions = regions
        self._level = level
        self.tree = DominatorTree()
        self.vertex: dict[int, int] = {}
        """By place of a node."""
        self.branch: dict[int, int] = {}
        """By place of an edge that leaves a port with conditional edges: the vertex of its way out."""
        started = frozenset(starts)
        for node, ways_out in exits.items():
            self._add(node, [DominatorTree.ROOT] if node in started else self._leading_to(node), ways_out)

    def is_below(self, vertex: int, node: int) -> bool:
        """Return whether every way to a node leads through a vertex."""
        return self.tree.is_below(vertex, self.vertex[node])

    def _leading_to(self, node: int) -> list[int]:
        leading_here = []
        for edge in self._view.control_in[node]:
            source = edge.source
            if source not in self.vertex:
                inside = self._regions.representative(source, self._level)
                if inside is None or inside not in self.vertex:
                    continue
                source = inside
            leading_here.append(self.branch.get(edge.index, self.vertex[source]))
        return leading_here

    def _add(self, node: int, leading_here: Sequence[int], ways_out: Iterable[Exit]) -> None:
        vertex = self.vertex[node] = self.tree.add(leading_here)
        for way_out in ways_out:
            if way_out.conditional:
                for edge in way_out.conditional:
                    self.branch[edge.index] = self.tree.add([vertex])
                if way_out.sequential:
                    together = self.tree.add([vertex])
                    self.branch.update((edge.index, together) for edge in way_out.sequential)
