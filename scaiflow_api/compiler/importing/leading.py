"""Which exits lead to a node, where a module says of nodes with values where all their edges lead.

It says so in its outputs. Of other nodes it says nothing; what is returned does not depend on where they lead, so
they take over where a node would not run otherwise.
"""

from collections.abc import Mapping
from itertools import chain
from typing import TypeAlias

from msgspec import Struct

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.exits import Exit, Exits, Ports

Followers: TypeAlias = Mapping[str, tuple[str, ...]]
"""Nodes, and where all their control edges lead."""


class _Body(Struct):
    """A body, as far as a walk has come."""

    opening: Exits
    ports: set[tuple[str, str]]
    """Of the opening exits that are no fall-through: once there are conditions, they lead nowhere else."""
    met: dict[str, bool]
    """Its nodes, and whether they stand directly in the body: then they run whenever it does."""
    silent: str | None = None
    """The last node directly in the body of which nothing is said."""


class Leading:
    """Goes along with a walk. Without `followers` all open exits lead to the node that comes next."""

    def __init__(self, followers: Followers, ports: Ports) -> None:
        self._followers = followers
        self._ports = ports
        self._leading_to: dict[str, list[str]] = {}
        """By node: those that are said to lead to it."""
        for node_id, targets in followers.items():
            for target in targets:
                self._leading_to.setdefault(target, []).append(node_id)
        self._behind: dict[int, set[str]] = {}
        """By id of an exit that ends a branch and of which nothing is said: where nodes in the branches lead."""
        self._bodies: list[_Body] = []

    def __bool__(self) -> bool:
        return bool(self._followers)

    def enter(self, opening: Exits) -> None:
        """Go into a body that begins behind these exits."""
        ports = {(item.node, item.port) for item in opening} - self._ports.branching
        self._bodies.append(_Body(opening, ports, {}))

    def leave(self) -> None:
        met = self._bodies.pop().met
        if self._bodies:
            self._bodies[-1].met |= dict.fromkeys(met, False)

    def meet(self, node_id: str) -> None:
        """Come to a node directly in the body."""
        self._bodies[-1].met[node_id] = True

    def pass_by(self, node_id: str) -> None:
        """Come past a node that may lead to whatever else the body holds."""
        if node_id not in self._followers:
            self._bodies[-1].silent = node_id

    def led(self, exits: Exits, target: str) -> Exits:
        """Return the exits that lead to a node: of those that are open, and of all nodes that are said to."""
        if not self._followers:
            return exits
        body = self._bodies[-1]
        led = [item for item in exits if self._may_lead(item, target)]
        leads_all = len(led) == len(exits)
        sure = {item.node for item in led if self._ports.is_always_taken(item)}
        more = [node for node in self._leading_to.get(target, ()) if node in body.met and node not in sure]
        led += map(self._ports.always, more)
        unsaid = [item for item in exits if self._behind.get(id(item)) == set()]
        if any(item.condition is not None for item in unsaid):
            led += unsaid
        runs_surely = any(body.met.get(item.node) and self._ports.is_always_taken(item) for item in led)
        if leads_all or runs_surely:
            return led
        known = set(map(id, led))
        others = self._beginning(body) or unsaid or exits
        return led + [item for item in others if id(item) not in known]

    def is_open(self, item: Exit) -> bool:
        """Return whether an exit that did not lead to a node must lead to a later one."""
        return item.condition is not None or id(item) in self._behind

    def lead_out(self, block: ir.ParallelBlock, ends: list[Exits]) -> None:
        """Take the ends of branches for ways to the nodes behind that nodes inside are said to lead to.

        Where nothing is said, and two branches at least have ends that may lead on, what comes next is their join.
        """
        blocks = [inner for branch in block.branches for inner in ir.walk(branch.body)]
        self._ports.count(len(blocks))
        inside = {inner.node_id for inner in blocks if inner.node_id is not None}
        behind = {target for name in inside for target in self._followers.get(name, ())} - inside
        silent = [[item for item in tails if item.node not in self._followers] for tails in ends]
        if behind or sum(map(bool, silent)) < 2:
            self._behind.update((id(item), behind) for item in chain.from_iterable(silent))

    def _may_lead(self, item: Exit, target: str) -> bool:
        behind = self._behind.get(id(item))
        return target in (self._followers.get(item.node, (target,)) if behind is None else behind)

    def _beginning(self, body: _Body) -> Exits:
        """Return exits that may lead to any node of a body and are taken whenever it runs; none if it has none."""
        if len(self._bodies) == 1:
            return [self._ports.always(item.node) for item in body.opening]
        begins_once = any(item.condition is not None or item.edge_id is not None for item in body.opening)
        if body.opening and not begins_once and body.ports.isdisjoint(self._ports.branching):
            return body.opening
        return [self._ports.always(body.silent)] if body.silent else []
