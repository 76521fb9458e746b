"""The starts of edges while a document is put together: which port of a node, and upon which condition."""

from msgspec import Struct

from scaiflow_api.flowgraph import FlowTooLarge, Limits

OUT = "out"
"""Stands for the first output of a node, whatever that is called."""


class Exit(Struct, frozen=True, eq=False):
    """One end of an edge."""

    node: str
    port: str
    place: int
    """Exits of one port are tried in this order."""
    condition: str | None = None
    edge_id: str | None = None


Exits = list[Exit]


class Ports:
    """Makes exits. Raises FlowTooLarge where far more work comes up than a flow may have edges."""

    def __init__(self, limits: Limits) -> None:
        self.made: Exits = []
        self.branching: set[tuple[str, str]] = set()
        """Nodes and those of their ports that have arms already."""
        self._numbers: dict[str, int] = {}
        self._besides: dict[str, str] = {}
        """By node: its port whose edges are always taken, where its first one has conditions."""
        self._most = limits.max_edges
        self._work = 0

    def count(self, work: int) -> None:
        self._work += work
        if self._work > 10 * self._most:
            raise FlowTooLarge(limit="edges", maximum=self._most, actual="more")

    def exit(
        self, node: str, port: str = OUT, condition: str | None = None, edge_id: str | None = None
    ) -> Exit:
        self.count(1)
        made = Exit(node, port, len(self.made), condition, edge_id)
        self.made.append(made)
        return made

    def new_port(self, node: str) -> str:
        self._numbers[node] = self._numbers.get(node, 1) + 1
        return f"{OUT}_{self._numbers[node]}"

    def always(self, node: str) -> Exit:
        """Return an exit that is taken whenever its node has run."""
        port = OUT if (node, OUT) not in self.branching else self._besides.get(node)
        if port is None:
            port = self._besides[node] = self.new_port(node)
        return self.exit(node, port)

    def is_always_taken(self, item: Exit) -> bool:
        """Return whether an edge from there is taken whenever its node has run."""
        return item.condition is None and (item.node, item.port) not in self.branching
