"""Where each node of a flow stands: in which body, behind which conditions.

What must hold whatever the shape of the graph: nodes run one at a time in ascending rank; a node runs once if at
least one edge to it was taken; conditions are tested right after their node. A node therefore stands

* plainly in a body, if some edge to it is certainly taken whenever that body runs;
* inside an arm, if every way to it leads through that arm and the nodes between the match and it do as well, so
  that the order of ranks survives;
* else behind a flag, which every edge to it sets (`Guard`).

Arms nest no deeper than `MAX_DEPTH`; what does not fit moves out, behind flags.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from scaiflow_api.compiler.dominators import DominatorTree
from scaiflow_api.compiler.flow import Exit, FlowEdge, FlowView
from scaiflow_api.expressions import unwrap

MAX_DEPTH = 8


@dataclass(slots=True)
class Arm:
    """What happens when one way out of a port is taken. `edges` are those that are taken with it."""

    edges: tuple[FlowEdge, ...]
    body: list["Item"] = field(default_factory=list)


@dataclass(slots=True)
class Choice:
    """A port with conditional edges: an arm for each, and one for the fall-through if there is any."""

    arms: list[Arm]
    fall_through: Arm | None


@dataclass(slots=True)
class Run:
    """A node and what follows from its edges: choices, and edges that are always taken."""

    node: int
    choices: list[Choice] = field(default_factory=list)
    always: tuple[FlowEdge, ...] = ()


@dataclass(slots=True)
class Guard:
    """What runs if the flag of `node` is set; the node itself comes first in it."""

    node: int
    body: list["Item"]


@dataclass(slots=True)
class StartedBy:
    """What runs only when the run started at this entry, for each of several entries."""

    bodies: dict[int, list["Item"]]


Item: TypeAlias = Run | Guard | StartedBy


@dataclass(slots=True)
class Placed:
    """The body of a flow, and the nodes that stand behind flags, in ascending rank."""

    body: list[Item]
    flagged: list[int]


def place(view: FlowView, entries: Sequence[int], ranked: Iterable[int]) -> Placed:
    """Return where the nodes of one flow stand. `ranked` are the nodes that its entries reach, by rank."""
    return _Placer(view, entries, list(ranked)).place()


@dataclass(slots=True)
class _Body:
    items: list[Item]
    due: set[int]
    """Nodes to which some edge is certainly taken once this body has run."""


class _Placer:
    def __init__(self, view: FlowView, entries: Sequence[int], ranked: list[int]) -> None:
        self._entries = entries
        self._rank = {node: rank for rank, node in enumerate(ranked)}
        self._exits = {node: view.exits(node) for node in (*entries, *ranked)}
        self._pending = deque(ranked)
        self._due: list[set[int]] = []
        self._flagged: list[int] = []
        self._tree = DominatorTree()
        self._vertex: dict[int, int] = {}
        self._branch: dict[int, int] = {}
        """By place of an edge that leaves a port with conditional edges: the vertex of its way out."""
        self._grow_tree(view, ranked)

    def _grow_tree(self, view: FlowView, ranked: list[int]) -> None:
        for entry in self._entries:
            self._add_vertex(entry, [DominatorTree.ROOT])
        for node in ranked:
            leading_here = [
                self._branch.get(edge.index, self._vertex[edge.source])
                for edge in view.control_in[node]
                if edge.source in self._vertex
            ]
            self._add_vertex(node, leading_here)

    def _add_vertex(self, node: int, leading_here: list[int]) -> None:
        vertex = self._vertex[node] = self._tree.add(leading_here)
        for way_out in self._exits[node]:
            if way_out.conditional:
                for edge in way_out.conditional:
                    self._branch[edge.index] = self._tree.add([vertex])
                if way_out.sequential:
                    together = self._tree.add([vertex])
                    self._branch.update((edge.index, together) for edge in way_out.sequential)

    def place(self) -> Placed:
        top = _Body([], set())
        self._due.append(top.due)
        if len(self._entries) == 1:
            self._run(self._entries[0], top, self._pending, MAX_DEPTH)
        else:
            self._start(top)
        self._fill(top, self._pending, DominatorTree.ROOT, MAX_DEPTH)
        assert not self._pending, "everything fits at the top"
        return Placed(top.items, sorted(self._flagged, key=self._rank.__getitem__))

    def _start(self, body: _Body) -> None:
        """Add what each of several entries does by itself; a run starts at exactly one of them."""
        vertices = {self._vertex[entry]: entry for entry in self._entries}
        shares = self._take_shares(self._pending, DominatorTree.ROOT, vertices, MAX_DEPTH - 1)
        bodies: dict[int, list[Item]] = {}
        left: list[int] = []
        due: list[set[int]] = []
        for vertex, entry in vertices.items():
            share = deque(shares.get(vertex, ()))
            own = _Body([], set())
            self._due.append(own.due)
            self._run(entry, own, share, MAX_DEPTH - 1)
            self._fill(own, share, vertex, MAX_DEPTH - 1)
            self._due.pop()
            bodies[entry] = own.items
            left += share
            due.append(own.due)
        self._give_back(left, self._pending)
        body.due |= set.intersection(*due)
        body.items.append(StartedBy(bodies))

    def _fill(self, body: _Body, pending: deque[int], region: int, room: int) -> None:
        """Take nodes from the front as long as they lie in the region and fit into `room` further levels."""
        while pending and self._tree.is_below(region, self._vertex[pending[0]]):
            node = pending[0]
            certain = any(node in due for due in self._due)
            if self._levels(node) + (not certain) > room:
                return
            pending.popleft()
            if certain:
                self._run(node, body, pending, room)
            else:
                body.items.append(self._guard(node, pending, room))

    def _levels(self, node: int) -> int:
        """Return how many levels of arms a node needs at least."""
        return int(any(way_out.conditional for way_out in self._exits[node]))

    def _guard(self, node: int, pending: deque[int], room: int) -> Guard:
        self._flagged.append(node)
        inner = _Body([], {node})
        self._due.append(inner.due)
        self._run(node, inner, pending, room - 1)
        self._fill(inner, pending, self._vertex[node], room - 1)
        self._due.pop()
        return Guard(node, inner.items)

    def _run(self, node: int, body: _Body, pending: deque[int], room: int) -> None:
        exits = self._exits[node]
        choosing = [way_out for way_out in exits if way_out.conditional]
        always = tuple(edge for way_out in exits if not way_out.conditional for edge in way_out.sequential)
        body.due.update(edge.target for edge in always)
        # Only the last choice may hold nodes: the conditions of the others come right after the node as well.
        choices = [
            self._choice(
                way_out, body, pending if way_out is choosing[-1] else deque(), self._vertex[node], room
            )
            for way_out in choosing
        ]
        body.items.append(Run(node, choices, always))

    def _choice(self, way_out: Exit, body: _Body, pending: deque[int], vertex: int, room: int) -> Choice:
        ways = [(edge,) for edge in way_out.conditional]
        fall_through = (way_out.sequential,) if way_out.sequential else ()
        branches = {self._branch[edges[0].index]: edges for edges in (*ways, *fall_through)}
        shares = self._take_shares(pending, vertex, branches, room - 1)
        arms: list[Arm] = []
        left: list[int] = []
        due: list[set[int]] = []
        for branch, edges in branches.items():
            share = deque(shares.get(branch, ()))
            inner = _Body([], {edge.target for edge in edges})
            self._due.append(inner.due)
            self._fill(inner, share, branch, room - 1)
            self._due.pop()
            arms.append(Arm(edges, inner.items))
            left += share
            due.append(inner.due)
        self._give_back(left, pending)
        exhaustive = way_out.sequential or any(is_always_true(edge.condition) for edge in way_out.conditional)
        if exhaustive and len(arms) > 1:
            body.due |= set.intersection(*due)
        return Choice(arms[: len(ways)], arms[-1] if way_out.sequential else None)

    def _take_shares(
        self, pending: deque[int], parent: int, branches: Iterable[int], room: int
    ) -> dict[int, list[int]]:
        """Take the nodes at the front that lie in one of the branches, and sort them by branch.

        Stops at a node that fits into none: what follows it in rank must come later too.
        """
        shares: dict[int, list[int]] = {branch: [] for branch in branches}
        while pending and self._levels(pending[0]) <= room:
            branch = self._tree.child_towards(parent, self._vertex[pending[0]])
            if branch not in shares:
                break
            shares[branch].append(pending.popleft())
        return shares

    def _give_back(self, left: list[int], pending: deque[int]) -> None:
        pending.extendleft(sorted(left, key=self._rank.__getitem__, reverse=True))


def is_always_true(condition: str | None) -> bool:
    """Return whether a condition is the literal `true`."""
    return condition is not None and unwrap(condition)[0].strip() == "true"
