"""Where each node of a flow stands: in which body, behind which conditions.

What must hold whatever the shape of the graph: nodes run one at a time in ascending rank; a node runs once if at
least one edge to it was taken; conditions are tested right after their node. A node therefore stands

* plainly in a body, if some edge to it is certainly taken whenever that body runs;
* inside an arm, if every way to it leads through that arm and the nodes between the match and it do as well, so
  that the order of ranks survives;
* else behind a flag, which every edge to it sets (`Guard`).

The rounds of a loop and the branches of a parallel node are bodies of their own, placed by the same rules when
the loop or parallel node is; an edge that leaves a branch sets the flag of its target like any other.

Arms nest no deeper than `MAX_DEPTH`; what does not fit moves out, behind flags.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from scaiflow_api.compiler.graph.dominators import DominatorTree
from scaiflow_api.compiler.graph.flow import Exit, FlowEdge, FlowView
from scaiflow_api.compiler.graph.regions import Region, Regions
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT
from scaiflow_api.compiler.lowering.dominance import Dominance
from scaiflow_api.expressions import unwrap

MAX_DEPTH = 8
LEAST_ROOM = 2
"""What a body needs at least: a guard, and the arms of the node in it."""


class Arm(Struct, gc=False):
    """What happens when one way out of a port is taken. `edges` are those that are taken with it."""

    edges: tuple[FlowEdge, ...]
    body: list["Item"]


class Choice(Struct, gc=False):
    """A port with conditional edges: an arm for each, and one for the fall-through if there is any."""

    arms: list[Arm]
    fall_through: Arm | None


class Run(Struct, gc=False):
    """A node and what follows from its edges: choices, and edges that are always taken."""

    node: int
    choices: Sequence[Choice] = ()
    always: tuple[FlowEdge, ...] = ()
    bodies: Sequence["Placed"] = ()
    """The rounds of a loop, or the branches of a parallel node in the order of their edges."""


class Guard(Struct, gc=False):
    """What runs if the flag of `node` is set; the node itself comes first in it."""

    node: int
    body: list["Item"]


class StartedBy(Struct, gc=False):
    """What runs only when the run started at this entry, for each of several entries."""

    bodies: dict[int, list["Item"]]


Item: TypeAlias = Run | Guard | StartedBy


class Placed(Struct, gc=False):
    """The body of a flow, a round or a branch, and the nodes that stand behind flags in it, in ascending rank."""

    body: list[Item]
    flagged: list[int]
    flagged_inside: list[int]
    """Those behind flags in the rounds and branches in it."""
    opening: Run | None = None
    """For a round or a branch: what follows from the edges that lead into it. Its node is not in the body."""
    due: frozenset[int] = frozenset()
    """Nodes to which some edge is certainly taken once this body has run."""


def place(view: FlowView, regions: Regions, entries: Sequence[int], ranked: Iterable[int]) -> Placed:
    """Return where the nodes of one flow stand.

    `ranked` are the nodes that its entries reach and that stand in no region, by rank.
    """
    exits = {entry: view.exits.get(entry, []) for entry in entries}
    return _Placer(view, regions, None, list(ranked), exits).place_flow(list(entries))


class _Body(Struct, gc=False):
    items: list[Item]
    due: set[int]
    """Nodes to which some edge is certainly taken once this body has run."""


class _Placer:
    """Places the nodes that stand directly in one region, or at the top of a flow."""

    def __init__(
        self,
        view: FlowView,
        regions: Regions,
        region: Region | None,
        ranked: list[int],
        starts: dict[int, list[Exit]],
    ) -> None:
        self._view = view
        self._regions = regions
        self._level = () if region is None else (*regions.chains[region.owner], region)
        self._starts = tuple(starts)
        self._exits = starts | {node: _exits_at_level(view, node) for node in ranked}
        self._pending = deque(ranked)
        self._due: list[set[int]] = []
        self._flagged: list[int] = []
        self._flagged_inside: list[int] = []
        self._choosing = {
            node for node, ways_out in self._exits.items() for way_out in ways_out if way_out.conditional
        }
        """Nodes with conditional edges: they need a level of arms at least."""

    @cached_property
    def _dominance(self) -> Dominance:
        # Most rounds and branches do without: nothing in them depends on a condition.
        return Dominance(self._view, self._regions, self._level, self._exits, self._starts)

    def place_flow(self, entries: list[int]) -> Placed:
        top = _Body([], set())
        self._due.append(top.due)
        if len(entries) == 1:
            top.items.append(self._run(entries[0], top, self._pending, MAX_DEPTH))
        else:
            self._start(entries, top)
        return self._finish(top, MAX_DEPTH)

    def place_region(self, owner: int, room: int) -> Placed:
        """Place a round or a branch; `owner` is where the edges that lead into it begin."""
        body = _Body([], set())
        self._due.append(body.due)
        opening = self._leave(Run(owner), body, self._pending, room)
        placed = self._finish(body, room)
        placed.opening = opening
        return placed

    def _finish(self, body: _Body, room: int) -> Placed:
        self._fill(body, self._pending, DominatorTree.ROOT, room)
        assert not self._pending, "everything fits at the outermost level of a body"
        rank = self._regions.rank
        flagged = sorted(self._flagged, key=rank.__getitem__)
        return Placed(body.items, flagged, self._flagged_inside, due=frozenset(body.due))

    def _start(self, entries: list[int], body: _Body) -> None:
        """Add what each of several entries does by itself; a run starts at exactly one of them."""
        vertices = {self._dominance.vertex[entry]: entry for entry in entries}
        shares = self._take_shares(self._pending, DominatorTree.ROOT, vertices, MAX_DEPTH - 1)
        bodies: dict[int, list[Item]] = {}
        left: list[int] = []
        due: list[set[int]] = []
        for vertex, entry in vertices.items():
            share = deque(shares.get(vertex, ()))
            own = _Body([], set())
            self._due.append(own.due)
            own.items.append(self._run(entry, own, share, MAX_DEPTH - 1))
            self._fill(own, share, vertex, MAX_DEPTH - 1)
            self._due.pop()
            bodies[entry] = own.items
            left += share
            due.append(own.due)
        self._give_back(left, self._pending)
        body.due |= set.intersection(*due)
        body.items.append(StartedBy(bodies))

    def _fill(self, body: _Body, pending: deque[int], within: int, room: int) -> None:
        """Take nodes from the front as long as they lie below a vertex and fit into `room` further levels."""
        while pending:
            node = pending[0]
            if within != DominatorTree.ROOT and not self._dominance.is_below(within, node):
                return
            certain = self._is_due(node)
            if (node in self._choosing) + (not certain) > room:
                return
            pending.popleft()
            if certain:
                body.items.append(self._run(node, body, pending, room))
            else:
                body.items.append(self._guard(node, pending, room))

    def _is_due(self, node: int) -> bool:
        """Return whether some edge to a node is certainly taken whenever the innermost body runs."""
        return node in self._due[-1] or any(node in due for due in self._due)

    def _guard(self, node: int, pending: deque[int], room: int) -> Guard:
        self._flagged.append(node)
        inner = _Body([], {node})
        self._due.append(inner.due)
        inner.items.append(self._run(node, inner, pending, room - 1))
        self._fill(inner, pending, self._dominance.vertex[node], room - 1)
        self._due.pop()
        return Guard(node, inner.items)

    def _run(self, node: int, body: _Body, pending: deque[int], room: int) -> Run:
        run = Run(node)
        regions = self._regions.of(node)
        if regions:
            run.bodies = [self._inside(region, room) for region in regions]
            # All branches run; a loop's body leads nowhere else.
            body.due.update(*(inside.due for inside in run.bodies))
        return self._leave(run, body, pending, room)

    def _inside(self, region: Region, room: int) -> Placed:
        if region.edge is None:
            opening = [
                way_out for way_out in self._view.exits.get(region.owner, ()) if way_out.port == BODY_PORT
            ]
        else:
            opening = [Exit.of([region.edge])]
        ranked = self._regions.levels.get(region, [])
        inside = _Placer(self._view, self._regions, region, ranked, {region.owner: opening})
        placed = inside.place_region(region.owner, max(room, LEAST_ROOM))
        self._flagged_inside += placed.flagged + placed.flagged_inside
        return placed

    def _leave(self, run: Run, body: _Body, pending: deque[int], room: int) -> Run:
        """Add what follows from a node's edges."""
        for way_out in self._exits[run.node]:
            if not way_out.conditional:
                run.always += way_out.sequential
                for edge in way_out.sequential:
                    body.due.add(edge.target)
        if run.node not in self._choosing:
            return run
        choosing = [way_out for way_out in self._exits[run.node] if way_out.conditional]
        # Only the last choice may hold nodes: the conditions of the others come right after the node as well.
        vertex = self._dominance.vertex[run.node]
        run.choices = [
            self._choice(way_out, body, pending if way_out is choosing[-1] else deque(), vertex, room)
            for way_out in choosing
        ]
        return run

    def _choice(self, way_out: Exit, body: _Body, pending: deque[int], vertex: int, room: int) -> Choice:
        ways = [(edge,) for edge in way_out.conditional]
        fall_through = (way_out.sequential,) if way_out.sequential else ()
        branches = {self._dominance.branch[edges[0].index]: edges for edges in (*ways, *fall_through)}
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
        tree, vertex = self._dominance.tree, self._dominance.vertex
        while pending and (pending[0] in self._choosing) <= room:
            branch = tree.child_towards(parent, vertex[pending[0]])
            if branch not in shares:
                break
            shares[branch].append(pending.popleft())
        return shares

    def _give_back(self, left: list[int], pending: deque[int]) -> None:
        pending.extendleft(sorted(left, key=self._regions.rank.__getitem__, reverse=True))


def _exits_at_level(view: FlowView, node: int) -> list[Exit]:
    """Return the ports whose edges end at the node's own level, or leave it."""
    match view.nodes[node].type:
        case "logic_parallel":
            return []
        case "logic_loop":
            return [way_out for way_out in view.exits.get(node, ()) if way_out.port != BODY_PORT]
        case _:
            return view.exits.get(node, [])


def is_always_true(condition: str | None) -> bool:
    """Return whether a condition is the literal `true`."""
    return condition is not None and unwrap(condition)[0].strip() == "true"
