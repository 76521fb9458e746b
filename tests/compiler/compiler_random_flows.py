"""Sound flows drawn at random, with every kind that steers a run.

A flow is drawn as a tree of regions: the flow itself, the body of each loop, each branch of a parallel. The edges
of a region form an acyclic graph of its own; what may lead out of a branch goes to the join of its parallel, or
of a parallel around, or behind it. In the end nodes and edges are shuffled.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from compiler.compiler_documents import ENTRY_PORTS, JSON, a_node, two_models
from compiler.compiler_random_configs import (
    VARIABLES,
    condition_of_an_edge,
    config_of_a_loop,
    config_of_a_node,
)
from hypothesis import strategies as st

LEAVES = ("llm_rigid", "llm_rigid", "logic_decision", "data_variable_set", "llm_flexible", "llm_guarded")
NEAR = 4


@cache
def flows(max_nodes: int = 14) -> st.SearchStrategy[JSON]:
    """Draw a sound flow, whatever its joins, ports, entries, loops and parallels.

    Node ids are `n0`, `n1`, …, those of entries `e0`, `e1`, ….
    Size and seed are drawn and the rest follows from the seed: dense graphs come up often enough only so.
    """
    entries = st.sampled_from([1, 1, 2, 3])
    return st.builds(_flow, st.integers(1, max_nodes), entries, st.integers(0, 2**32))


def _flow(count: int, entries: int, seed: int) -> JSON:
    drawing = _Drawing(Random(seed), count)
    drawing.draw(entries)
    while not _joins_are_clear(drawing):
        seed += 1
        drawing = _Drawing(Random(seed), count)
        drawing.draw(entries)
    return {
        "id": "flow_drawn",
        "name": "Drawn",
        "version": "1.0.0",
        "nodes": drawing.nodes,
        "edges": drawing.edges,
        "variables": [dict(variable) for variable in VARIABLES],
        "config": {"core_identity": {"models": two_models()}},
    }


def _joins_are_clear(drawing: "_Drawing") -> bool:
    """Tell whether all that two branches of a parallel share is behind its join, or is it.

    Nearly always. But branches may lead to a node that is drawn later than where they join and has the lower rank.
    """
    rank = _ranks(drawing)
    for node in drawing.nodes:
        if node["type"] != "logic_parallel":
            continue
        ways = [
            edge for edge in drawing.edges if edge["source"]["node"] == node["id"] and edge["type"] != "data"
        ]
        reached = Counter(found for way in ways for found in drawing.reachable(way["target"]["node"]))
        shared = {found for found, times in reached.items() if times > 1}
        if shared and not shared <= drawing.reachable(min(shared, key=rank.__getitem__)):
            return False
    return True


def _ranks(drawing: "_Drawing") -> dict[str, int]:
    """Return the order in which nodes may run: again and again the first whose predecessors are all taken."""
    before: dict[str, set[str]] = {node["id"]: set() for node in drawing.nodes}
    for edge in drawing.edges:
        before[edge["target"]["node"]].add(edge["source"]["node"])
    rank: dict[str, int] = {}
    while len(rank) < len(before):
        rank[next(id_ for id_ in before if id_ not in rank and before[id_] <= rank.keys())] = len(rank)
    return rank


@dataclass
class _Unit:
    """A node of a region, with all that hangs on it: the body of a loop, the branches of a parallel."""

    head: str
    branches: list[list["_Unit"]] | None = None
    """Of a parallel. An empty branch can only lead straight to a join."""
    join: "_Unit | None" = None

    def nodes(self) -> list[str]:
        """The nodes of the level around, those of branches included."""
        return [
            self.head,
            *(node_id for branch in self.branches or () for part in branch for node_id in part.nodes()),
        ]

    @property
    def can_leave(self) -> bool:
        """Whether something behind it can be reached from it without an error."""
        if self.branches is None:
            return True
        return len(self.open_branches) > 1 and (self.join is None or self.join.can_leave)

    @property
    def open_branches(self) -> list[list["_Unit"]]:
        branches = self.branches or ()
        return [branch for branch in branches if not branch or any(part.can_leave for part in branch)]


class _Drawing:
    def __init__(self, rng: Random, count: int) -> None:
        self.rng = rng
        self.count = count
        self.nodes: list[JSON] = []
        self.edges: list[JSON] = []
        self.by_id: dict[str, JSON] = {}
        self.loops: dict[str, tuple[str, ...]] = {}
        """By node, in the order in which control may reach them: the loops around it."""
        self.conditional = rng.choice([0.1, 0.2, 0.4, 0.7])
        self.depth = rng.choice([2, 3, 3, 3, 6])

    def draw(self, entries: int) -> None:
        starts = [self._entry(f"e{number}") for number in range(entries)]
        self._region(starts, self.count, (), depth=0)
        for _ in range(self.rng.randint(0, self.count // 2)):
            self._data_edge()
        self.rng.shuffle(self.nodes)
        self.rng.shuffle(self.edges)

    # Regions

    def _region(self, starts: list[str], size: int, loops: tuple[str, ...], depth: int) -> list[_Unit]:
        """Draw up to `size` nodes that control reaches from `starts`: entries, a loop, or one edge of a parallel."""
        units: list[_Unit] = []
        used = len(self.by_id)
        one_start = self.by_id[starts[0]]["type"] == "logic_parallel"
        while len(self.by_id) - used < size:
            near = [unit.head for unit in units[-NEAR:] if unit.branches is None]
            joinable = [unit for unit in units if unit.branches and not unit.join and unit.can_leave]
            sources = near or (starts if not (one_start and units) else [])
            if not sources and not joinable:
                break
            unit = self._unit(size - (len(self.by_id) - used), loops, depth)
            joined = [parallel for parallel in joinable if not sources or self.rng.random() < 0.6]
            for parallel in joined:
                self._leave(parallel, unit.head)
                parallel.join = unit
            if sources and (not joined or self.rng.random() < 0.3):
                self._enter(unit.head, near, [] if one_start and units else starts)
            units.append(unit)
        self._bypass(units)
        return units

    def _enter(self, target: str, near: list[str], starts: list[str]) -> None:
        """Draw the edges into a unit. Inside of loops and parallels one at least is a way of control."""
        inside = not starts or self.by_id[starts[0]]["type"] in ("logic_loop", "logic_parallel")
        if starts and self.by_id[starts[0]]["type"] == "logic_parallel":
            self._edge(starts[0], target, "sequential")
            return
        for number in range(self.rng.choice([1, 1, 2, 2, 3, 4])):
            at_start = bool(starts) and (not near or self.rng.random() < 0.2)
            source = self.rng.choice(starts if at_start else near)
            self._way(source, target, must_be_control=at_start or (inside and number == 0), at_start=at_start)

    def _way(self, source: str, target: str, *, must_be_control: bool, at_start: bool) -> None:
        chance = min(0.2, self.conditional) if at_start else self.conditional
        kinds = ["sequential"] if must_be_control else ["sequential"] * 4 + ["data"]
        kind = "conditional" if self.rng.random() < chance else self.rng.choice(kinds)
        self._edge(source, target, kind, port="body" if source in self.loops[target] else None)

    def _leave(self, unit: _Unit, target: str) -> None:
        """Lead from a unit on to a later one, which may stand in a region around.

        From a parallel two branches do so at least, and its join, so that the target is behind the join or is it.
        """
        if unit.branches is None:
            kind = "conditional" if self.rng.random() < self.conditional else "sequential"
            self._edge(unit.head, target, kind)
            return
        branches = self.rng.sample(unit.open_branches, self.rng.randint(2, len(unit.open_branches)))
        if unit.join is not None:
            if target in self.reachable(unit.join.head):
                del branches[1:]
            else:
                self._leave(unit.join, target)
        for branch in branches:
            parts = [part for part in branch if part.can_leave]
            for part in self.rng.sample(parts, min(len(parts), self.rng.choice([1, 1, 2]))):
                self._leave(part, target)
            if not branch:
                self._edge(unit.head, target, "sequential")

    def _bypass(self, units: list[_Unit]) -> None:
        """Lead some branches past their join, to nodes behind it."""
        for unit in units:
            if unit.join is None:
                continue
            reachable = self.reachable(unit.join.head) - {unit.join.head}
            behind = [other.head for other in units if other.head in reachable]
            for _ in range(self.rng.choice([0, 0, 1, 2]) if behind else 0):
                self._leave(unit, self.rng.choice(behind))

    def reachable(self, node_id: str) -> set[str]:
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            node_id = waiting.pop()
            if node_id not in found:
                found.add(node_id)
                ways = (edge for edge in self.edges if edge["type"] != "data")
                waiting += [edge["target"]["node"] for edge in ways if edge["source"]["node"] == node_id]
        return found

    # Units

    def _unit(self, size: int, loops: tuple[str, ...], depth: int) -> _Unit:
        chance = self.rng.random() if size > 1 and depth < self.depth else 1.0
        if chance < 0.17:
            return self._loop(size - 1, loops, depth)
        if chance < 0.34:
            return self._parallel(size - 1, loops, depth)
        return _Unit(self._node(self.rng.choice(LEAVES), loops)["id"])

    def _loop(self, size: int, loops: tuple[str, ...], depth: int) -> _Unit:
        node = self._node("logic_loop", loops)
        node["outputs"] = [{"id": "out"}, {"id": "alt"}, {"id": "body"}]
        room = self.rng.randint(0, min(size, self.rng.choice([4, 9, 25])))
        units = self._region([node["id"]], room, (*loops, node["id"]), depth + 1)
        inside = [node_id for unit in units for node_id in unit.nodes()]
        node["config"] |= config_of_a_loop(inside, self.rng)
        return _Unit(node["id"])

    def _parallel(self, size: int, loops: tuple[str, ...], depth: int) -> _Unit:
        node = self._node("logic_parallel", loops)
        branches: list[list[_Unit]] = []
        for _ in range(self.rng.choice([1, 2, 2, 2, 3, 4])):
            room = self.rng.randint(0, min(size, self.rng.choice([3, 6, 20])))
            branches.append(self._region([node["id"]], room, loops, depth + 1) if room else [])
            size -= room
        return _Unit(node["id"], branches)

    # Nodes

    def _entry(self, node_id: str) -> str:
        kind = self.rng.choice(sorted(ENTRY_PORTS))
        node = a_node(node_id, kind, config={}, outputs=[{"id": ENTRY_PORTS[kind]}, {"id": "alt"}])
        return self._add(node, ())["id"]

    def _node(self, kind: str, loops: tuple[str, ...]) -> JSON:
        node_id = f"n{sum(known.startswith('n') for known in self.by_id)}"
        config = config_of_a_node(kind, node_id, self._some_id(), self.rng)
        inputs, outputs = [{"id": "in"}, {"id": "d"}], [{"id": "out"}, {"id": "alt"}]
        return self._add(a_node(node_id, kind, config=config, inputs=inputs, outputs=outputs), loops)

    def _add(self, node: JSON, loops: tuple[str, ...]) -> JSON:
        self.nodes.append(node)
        self.by_id[node["id"]] = node
        self.loops[node["id"]] = loops
        return node

    def _some_id(self) -> str:
        return f"n{self.rng.randrange(self.count)}"

    # Edges

    def _edge(self, source: str, target: str, kind: str, port: str | None = None) -> None:
        start = self.by_id[source]
        port = port or start["outputs"][self.rng.random() < 0.25]["id"]
        edge: JSON = {
            "id": f"edge_{len(self.edges)}",
            "type": kind,
            "source": {"node": source, "port": port},
            "target": {"node": target, "port": "d" if kind == "data" else "in"},
        }
        if kind == "conditional":
            edge["condition"] = condition_of_an_edge(start, self._some_id(), self.rng)
        self.edges.append(edge)

    def _data_edge(self) -> None:
        """Bind a value that was drawn before; the values inside of a loop stay there."""
        drawn: list[Any] = list(self.by_id)
        first, second = sorted(self.rng.sample(range(len(drawn)), 2))
        source, target = drawn[first], drawn[second]
        around = self.loops[source]
        if target.startswith("n") and self.loops[target][: len(around)] == around:
            self._edge(source, target, "data")
