"""From the order and nesting of blocks to edges: the way back from structure to graph.

The walk goes through a body with the exits that are open, the ends of edges that lack a target; the next node takes
them all. Flags lead exits past what structure could not express, to the node behind the flag.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain

import orjson
from msgspec import Struct

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.exits import OUT, Exit, Exits, Ports
from scaiflow_api.compiler.importing.flags import are_flags, flag_counts, flags_set_by
from scaiflow_api.compiler.importing.leading import Followers, Leading
from scaiflow_api.compiler.importing.recognition import kind_of
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT
from scaiflow_api.flowgraph import Limits


class Way(Struct, frozen=True):
    """An edge between the nodes of two blocks."""

    exit: Exit
    target: str


class Step(Struct, frozen=True):
    """A block that comes from a node, where the walk meets it."""

    node_id: str
    block: ir.AnyBlock
    handled: bool
    """Whether its failure is caught."""
    depth: int


def is_handled(block: ir.AnyBlock, *, caught: bool) -> bool:
    """Return whether a failure of a block is handled; `caught` says whether that of what it stands in is."""
    return caught or (isinstance(block, ir.MatchBlock) and block.on_error == "continue")


class Walk:
    """Goes through the bodies of a module. Raises FlowTooLarge where far more edges come up than a flow may have.

    `followers` says of some nodes where they lead; empty, it says nothing.
    """

    def __init__(self, limits: Limits, followers: Followers) -> None:
        self.steps: dict[str, Step] = {}
        """By id of the node, in the order of the bodies."""
        self.ways: list[Way] = []
        self._entries: set[str] = set()
        self._flags: dict[str, Exits] = {}
        self._flag_counts: Counter[str] = Counter()
        """How often each flag is set in the flow."""
        self._ports = Ports(limits)
        self._exit = self._ports.exit
        self._leading = Leading(followers, self._ports)

    def flow(self, body: tuple[ir.AnyBlock, ...], entries: Iterable[str]) -> None:
        """Go through the body of a flow that starts at these entries."""
        self._flag_counts = flag_counts(body)
        starts = list(entries)
        self._entries.update(starts)
        self._body(body, [self._exit(entry) for entry in starts], 0)

    def without_target(self) -> Exits:
        """Return the conditional exits that lead nowhere although later ones of their port lead on.

        Without an edge for such an exit, one of the later ones would be taken in its place.
        """
        used = {id(way.exit) for way in self.ways}
        last: dict[tuple[str, str], int] = {}
        for way in self.ways:
            port = way.exit.node, way.exit.port
            last[port] = max(last.get(port, -1), way.exit.place)
        return [
            item
            for item in self._ports.made
            if item.condition is not None
            and id(item) not in used
            and last.get((item.node, item.port), -1) > item.place
        ]

    def _connect(self, exits: Exits, target: str) -> Exits:
        """Lead exits to a node. Return those that lead to a later one."""
        self._ports.count(len(exits))
        led = self._leading.led(exits, target)
        self.ways += [Way(item, target) for item in led]
        taken = set(map(id, led))
        return [item for item in exits if id(item) not in taken and self._leading.is_open(item)]

    def _body(self, body: tuple[ir.AnyBlock, ...], exits: Exits, depth: int) -> Exits:
        self._leading.enter(exits)
        exits = self._blocks(body, exits, depth)
        self._leading.leave()
        return exits

    def _blocks(self, body: tuple[ir.AnyBlock, ...], exits: Exits, depth: int) -> Exits:
        before: ir.AnyBlock | None = None
        for block in body:
            source = self._decided_by(before)
            if isinstance(block, ir.RigidBlock) and block.node_id is None and source is not None:
                self._set_besides(block, source)
            else:
                exits = self._block(block, exits, depth)
            before = block
        return exits

    def _decided_by(self, block: ir.AnyBlock | None) -> str | None:
        """Return the node whose edges a match tests; None for any other block."""
        if not isinstance(block, ir.MatchBlock):
            return None
        source = block.node_id or block.source_location.node_id
        return source if source in self.steps or source in self._entries else None

    def _block(self, block: ir.AnyBlock, exits: Exits, depth: int, *, handled: bool = False) -> Exits:
        if isinstance(block, ir.TryBlock):
            for inner in block.body:
                exits = self._block(inner, exits, depth, handled=True)
            return exits
        if block.node_id is not None:
            return self._node(block, block.node_id, exits, depth, handled=handled)
        match block:
            case ir.RigidBlock():
                return self._set(block, exits)
            case ir.MatchBlock():
                return self._choice(block, exits, depth)
            case _:
                return exits

    def _node(self, block: ir.AnyBlock, node_id: str, exits: Exits, depth: int, *, handled: bool) -> Exits:
        if kind_of(block) is None:
            return exits
        self.steps[node_id] = Step(node_id, block, is_handled(block, caught=handled), depth)
        left = self._connect(exits, node_id)
        self._leading.meet(node_id)
        match block:
            case ir.ParallelBlock():
                return left + self._branches(block, node_id, exits, depth)
            case ir.MatchBlock():
                left += self._arms(block, node_id, OUT, depth)
            case ir.ForeachBlock() | ir.WhileBlock():
                self._body(block.body, [self._exit(node_id, BODY_PORT)], depth + 1)
                left.append(self._exit(node_id))
            case _:
                left.append(self._exit(node_id))
        self._leading.pass_by(node_id)
        return left

    def _branches(self, block: ir.ParallelBlock, node_id: str, exits: Exits, depth: int) -> Exits:
        """Return the ends of the branches. A single one joins nowhere: what comes next is beside it."""
        ends = [
            self._body(branch.body, [self._exit(node_id, edge_id=branch.edge_id)], depth + 1)
            for branch in block.branches
        ]
        tails = list(chain.from_iterable(ends)) or [self._exit(node_id)]
        if self._leading:
            self._leading.lead_out(block, ends if any(ends) else [tails])
            return tails
        joins_elsewhere = len(block.branches) < 2 or self._joins_behind_a_flag(block)
        return exits if joins_elsewhere and all(item.condition is None for item in exits) else tails

    def _joins_behind_a_flag(self, block: ir.ParallelBlock) -> bool:
        """Return whether two branches, and nothing but branches, lead to the node behind some flag."""
        inside = [flag_counts(branch.body) for branch in block.branches]
        branches = Counter(name for counts in inside for name in counts)
        return any(
            number > 1 and sum(counts[name] for counts in inside) == self._flag_counts[name]
            for name, number in branches.items()
        )

    def _arms(self, match: ir.MatchBlock, node_id: str, port: str, depth: int) -> Exits:
        self._ports.branching.add((node_id, port))
        tails: Exits = []
        covered = True
        for arm in match.arms:
            start = self._exit(node_id, port, arm.condition, arm.edge_id)
            left = self._body(arm.body, [start], depth + 1)
            if left and not _is_one_branch(arm.body):
                tails += left
            else:
                covered = False
        tails += self._body(match.else_body, [self._exit(node_id, port)], depth + 1)
        return tails if covered else [*tails, self._exit(node_id, self._ports.new_port(node_id))]

    def _set(self, block: ir.RigidBlock, exits: Exits) -> Exits:
        """Lead the exits to the nodes behind the flags that are set; what is conditional goes nowhere else."""
        flags = flags_set_by(block)
        for name in flags:
            self._ports.count(len(exits))
            self._flags.setdefault(name, []).extend(exits)
        return [item for item in exits if item.condition is None] if flags else exits

    def _set_besides(self, block: ir.RigidBlock, source: str) -> None:
        """Lead a port of its own to the flags that are set after the arms of a node, whichever was taken."""
        flags = flags_set_by(block)
        if flags:
            besides = self._exit(source, self._ports.new_port(source))
            for name in flags:
                self._flags.setdefault(name, []).append(besides)

    def _choice(self, match: ir.MatchBlock, exits: Exits, depth: int) -> Exits:
        """Go through a match without a node: of flags, of entries, or of the edges of a node before it."""
        self._ports.count(len(exits))
        source = match.source_location.node_id
        if match.subject == ir.ENTRY_NAME:
            return self._started_by(match, exits, depth)
        if source is not None and (source in self.steps or source in self._entries):
            return self._edges_of(source, match, exits, depth)
        if are_flags(match):
            return exits + self._behind_flags(match, exits, depth)
        return self._conditions(match, exits, depth)

    def _edges_of(self, source: str, match: ir.MatchBlock, exits: Exits, depth: int) -> Exits:
        """Go through the arms of a port: the one that is open, else another one."""
        own = [item for item in exits if item.node == source and item.condition is None]
        port = own[0].port if own else ""
        if not own or (source, port) in self._ports.branching:
            return exits + self._arms(match, source, self._ports.new_port(source), depth)
        return [item for item in exits if item.node != source] + self._arms(match, source, port, depth)

    def _behind_flags(self, match: ir.MatchBlock, exits: Exits, depth: int) -> Exits:
        """Go through what flags lead to. Return what is conditional at its end: whatever comes next runs anyway."""
        tails: Exits = []
        for arm in match.arms:
            tails += self._body(arm.body, self._flags.pop(arm.condition, exits), depth)
        before = set(map(id, exits))
        return [item for item in tails if item.condition is not None and id(item) not in before]

    def _started_by(self, match: ir.MatchBlock, exits: Exits, depth: int) -> Exits:
        entries = [str(_text(arm.condition)) for arm in match.arms]
        own: dict[str, Exits] = {entry: [] for entry in entries}
        rest: Exits = []
        for item in exits:
            own.get(item.node, rest).append(item)
        for arm, entry in zip(match.arms, entries, strict=True):
            rest += self._body(arm.body, own.pop(entry, []), depth)
        return rest

    def _conditions(self, match: ir.MatchBlock, exits: Exits, depth: int) -> Exits:
        """Go through a match that was written by hand: its conditions are those of whatever comes before it."""
        arms = list(match.arms)
        while arms and not arms[-1].body and not match.else_body:
            arms.pop()
        tails: Exits = []
        for arm in arms:
            starts = [
                self._exit(item.node, item.port, _both(item.condition, arm.condition), arm.edge_id)
                for item in exits
            ]
            tails += self._body(arm.body, starts, depth + 1)
        return tails + self._body(match.else_body, exits, depth + 1)


def _is_one_branch(body: tuple[ir.AnyBlock, ...]) -> bool:
    """Return whether a body is a parallel block of one branch or none, whose end joins nothing."""
    match body:
        case (ir.ParallelBlock(branches=branches),):
            return len(branches) < 2
        case _:
            return False


def _both(first: str | None, second: str) -> str:
    return second if first is None else f"({first}) && ({second})"


def _text(literal: str) -> object:
    try:
        return orjson.loads(literal)
    except orjson.JSONDecodeError:
        return None
