"""Which names are bound for certain when a node runs: one pass over the flow, in the order of running.

Sets of names are bits of an int. What runs for certain once a node runs is found from the end of the flow to its
beginning, what ran for certain before it from the beginning to the end; a name may be offered by one node on one
path and by another on the next. Whether an offer comes early enough is for the caller to ask.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_

from scaiflow_api.compiler.graph.flow import Exit, FlowEdge, FlowView
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT

EVERYTHING = -1
"""All bits: what can be said of a node that never runs."""


class Certainty:
    """`before[node]` has the names that are bound whenever the node runs, but for those it offers itself."""

    def __init__(
        self,
        view: FlowView,
        ranked: Sequence[int],
        offered: Mapping[int, int],
        looked_at: Mapping[FlowEdge, int],
        always_taken: frozenset[int],
    ) -> None:
        """`offered` is by node; `looked_at` has, by conditional edge, what its condition has made sure of.

        `always_taken` has the places of the conditional edges whose condition is `true`.
        """
        self._view = view
        self._offered = offered
        self._looked_at = looked_at
        self._always_taken = always_taken
        self._after: dict[int, int] = {}
        self._together: dict[tuple[int, str], tuple[int, int]] = {}
        """By port: what its sequential edges lead to, and what its conditions have made sure of."""
        self.in_round: dict[int, int] = {}
        """By loop: the names that every round offers."""
        self.before: dict[int, int] = {}
        self._dead: set[int] = set()
        """The places of edges that stand behind one which is always taken."""
        for node in reversed(ranked):
            self._look_ahead(node)
        for node in ranked:
            self.before[node] = self._look_back(node)

    def _look_ahead(self, node: int) -> None:
        """Find what is offered for certain by a node and all that always runs after it."""
        bits = self._offered.get(node, 0)
        for way in self._view.exits.get(node, ()):
            together = reduce(or_, [self._after[edge.target] for edge in way.sequential], 0)
            looked_at = reduce(or_, [self._looked_at.get(edge, 0) for edge in way.conditional], 0)
            self._together[node, way.port] = together, looked_at
            certain = self._certain(way, together)
            if self._begins_rounds(node, way.port):
                self.in_round[node] = certain
            else:
                bits |= certain
        self._after[node] = bits

    def _certain(self, way: Exit, together: int) -> int:
        """Return what is offered whichever edges of a port are taken."""
        if not way.conditional:
            return together
        ways = [self._after[edge.target] for edge in way.conditional]
        for place, edge in enumerate(way.conditional, 1):
            if edge.index in self._always_taken:
                self._dead.update(other.index for other in (*way.conditional[place:], *way.sequential))
                return reduce(and_, ways[:place])
        return reduce(and_, ways, together)

    def _look_back(self, node: int) -> int:
        arrivals = self._view.control_in.get(node)
        if not arrivals:
            return 0 if self._view.nodes[node].is_entry else EVERYTHING
        return reduce(and_, map(self._arriving, arrivals))

    def _arriving(self, edge: FlowEdge) -> int:
        """Return what is bound when a run comes by an edge."""
        if edge.index in self._dead:
            return EVERYTHING
        together, looked_at = self._together[edge.source, edge.source_port]
        bits = self.before[edge.source] | looked_at
        if edge.type == "sequential":
            bits |= together
        return bits if self._begins_rounds(edge.source, edge.source_port) else bits | self._after[edge.source]

    def _begins_rounds(self, node: int, port: str) -> bool:
        return port == BODY_PORT and self._view.nodes[node].type == "logic_loop"
