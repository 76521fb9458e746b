"""Which nodes stand in the body of a loop or in a branch of a parallel node.

The body of a loop is all that its port `body` leads to. A branch of a parallel node is all that one of its edges
leads to, up to the join: the lowest-ranked node that two of them lead to, and whatever lies behind it. A region
is one such body or branch; regions nest, and every node stands directly in one of them or at the top.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from scaiflow_api.compiler.graph.flow import FlowEdge, FlowView
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT

MAX_NESTING = 8
Chain: TypeAlias = "tuple[Region, ...]"
"""The regions that a node stands in, the outermost first."""


class Region(Struct, frozen=True, eq=False):
    """A body with a frame of its own."""

    owner: int
    """The loop or parallel node."""
    edge: FlowEdge | None
    """The edge that a branch begins with; None for the body of a loop."""

    @property
    def is_body(self) -> bool:
        return self.edge is None


class Trespass(Struct, frozen=True):
    """What keeps a region from having a frame of its own."""

    region: Region
    edge: FlowEdge
    shared: bool = False
    """Whether the edge's target stands in two branches of the same node."""


class Regions:
    """The regions of a flow without cycles. Where a document breaks their rules, `trespasses` says how."""

    def __init__(self, view: FlowView) -> None:
        self._view = view
        self.ranked: Sequence[int] = view.ranked
        self.rank: dict[int, int] = {node: rank for rank, node in enumerate(self.ranked)}
        self.chains: dict[int, Chain] = {}
        self.trespasses: list[Trespass] = []
        self.too_deep: list[int] = []
        """Loops and parallel nodes inside `MAX_NESTING` others."""
        self._starts: dict[int, Region] = {}
        """By place of an edge that leads into a region."""
        self._regions: dict[int, list[Region]] = {}
        self._behind: dict[int, int] = {}
        """By parallel node: a bit for each rank, of its join and all behind it."""
        self._find()

    def of(self, owner: int) -> list[Region]:
        """Return the regions of a loop or parallel node; the branches in the order of their edges."""
        return self._regions.get(owner, [])

    @cached_property
    def levels(self) -> dict[Region | None, list[int]]:
        """The nodes that stand directly in each region, by rank; those at the top under None."""
        levels: dict[Region | None, list[int]] = {None: []}
        for node in self.ranked:
            chain = self.chains[node]
            levels.setdefault(chain[-1] if chain else None, []).append(node)
        return levels

    def representative(self, node: int, level: Chain) -> int | None:
        """Return what stands for a node at a level: itself, or the loop or parallel node around it.

        None for a node outside the level's region.
        """
        chain = self.chains[node]
        if chain[: len(level)] != level:
            return None
        return node if len(chain) == len(level) else chain[len(level)].owner

    def frame(self, level: Region | None) -> list[int]:
        """Return the nodes whose results are in a level's frame, by rank: its own and those of its branches."""
        return self._frames.get(level, [])

    @cached_property
    def _frames(self) -> dict[Region | None, list[int]]:
        frames: dict[Region | None, list[int]] = {}
        for node in self.ranked:
            chain = self.chains[node]
            frames.setdefault(chain[-1] if chain else None, []).append(node)
            for depth in reversed(range(len(chain))):
                if chain[depth].is_body:
                    break
                frames.setdefault(chain[depth - 1] if depth else None, []).append(node)
        return frames

    def _find(self) -> None:
        forks = any(node.type == "logic_parallel" for node in self._view.nodes)
        reach = self._reach() if forks else {}
        for node in self.ranked:
            self._find_chain(node)
            match self._view.nodes[node].type:
                case "logic_loop":
                    self._open_loop(node)
                case "logic_parallel":
                    self._open_parallel(node, reach)

    def _reach(self) -> dict[int, int]:
        """Return for each node the ranks of all that control edges lead to from it, itself included, as bits.

        For a flow of thousands of nodes these are megabytes; nobody keeps them.
        """
        reach: dict[int, int] = {}
        for node in reversed(self.ranked):
            bits = 1 << self.rank[node]
            for edge in self._view.control_out.get(node, ()):
                bits |= reach.get(edge.target, 0)
            reach[node] = bits
        return reach

    def _open_loop(self, node: int) -> None:
        edges = [edge for edge in self._view.control_out.get(node, ()) if edge.source_port == BODY_PORT]
        region = Region(node, None)
        self._regions[node] = [region]
        if self._fits(node):
            self._starts.update((edge.index, region) for edge in edges)

    def _open_parallel(self, node: int, reach: Mapping[int, int]) -> None:
        edges = self._view.control_out.get(node, [])
        once = twice = 0
        for edge in edges:
            # What lies on a cycle, or behind one, has no rank.
            behind = reach.get(edge.target, 0)
            twice |= once & behind
            once |= behind
        if twice:
            join = (twice & -twice).bit_length() - 1
            self._behind[node] = reach[self.ranked[join]]
        self._regions[node] = [Region(node, edge) for edge in edges]
        if self._fits(node):
            self._starts.update(
                (edge.index, region) for edge, region in zip(edges, self._regions[node], strict=True)
            )

    def _fits(self, node: int) -> bool:
        if len(self.chains[node]) < MAX_NESTING:
            return True
        self.too_deep.append(node)
        return False

    def _find_chain(self, node: int) -> None:
        edges = self._view.control_in.get(node, ())
        if len(edges) == 1:
            self.chains[node] = self._arriving(edges[0])
            return
        arrivals = [(edge, self._arriving(edge)) for edge in edges]
        chains = dict.fromkeys(chain for _, chain in arrivals)
        if len(chains) <= 1:
            self.chains[node] = next(iter(chains), ())
            return
        common = _common_start(list(chains))
        self.chains[node] = common
        self.trespasses += self._trespasses(arrivals, len(common))

    def _arriving(self, edge: FlowEdge) -> Chain:
        """Return the regions that an edge ends in: those of its source but for the ones it has left."""
        chain = self.chains[edge.source]
        start = self._starts.get(edge.index)
        if start is not None:
            chain = (*chain, start)
        if not chain:
            return chain
        if not any(self._has_left(region, edge.target) for region in chain):
            return chain
        return tuple(region for region in chain if not self._has_left(region, edge.target))

    def _has_left(self, region: Region, node: int) -> bool:
        return not region.is_body and bool(self._behind.get(region.owner, 0) >> self.rank[node] & 1)

    def _trespasses(self, arrivals: list[tuple[FlowEdge, Chain]], depth: int) -> Iterator[Trespass]:
        """Yield what is wrong about edges that end at one node and come from different regions."""
        entered = {region: None for _, chain in arrivals for region in chain[depth:]}
        for region in entered:
            for edge, chain in arrivals:
                if region in chain:
                    continue
                beside = any(other.owner == region.owner for other in chain)
                yield Trespass(region, edge, shared=beside and not region.is_body)
                break


def _common_start(chains: list[Chain]) -> Chain:
    first, *others = chains
    length = 0
    while length < len(first) and all(
        length < len(other) and other[length] == first[length] for other in others
    ):
        length += 1
    return first[:length]
