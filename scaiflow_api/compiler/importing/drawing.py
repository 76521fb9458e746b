"""Nodes and edges of a document while it is put together: ids, ports, places."""

from collections.abc import Container, Iterable
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.graph.flow import short_id
from scaiflow_api.compiler.importing.exits import OUT, Exit
from scaiflow_api.compiler.importing.ids import Ids, is_valid_id
from scaiflow_api.compiler.importing.ways import Step, Way
from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.compiler.kinds.base import IN, Port
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT

JSON = Any
Node = dict[str, JSON]
Edge = dict[str, JSON]

DISTANCE = 120
"""Pixels between a node and the one below it."""
INDENT = 240
"""Pixels by which what is nested stands further right."""


class Drawing:
    """The nodes and edges of one document. Those that are given stay as they are; changed ones take their places."""

    def __init__(self, nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> None:
        self.edges = list(edges)
        self.by_id = {node["id"]: node for node in nodes}
        self.ids = Ids(self.by_id)
        self.edge_ids = Ids(edge["id"] for edge in self.edges)
        self.names: dict[str, str] = {}
        """What the manifest calls a node → its id."""
        self._behind: dict[str | None, list[str]] = {None: list(self.by_id)}
        self._bottom = max((node["position"]["y"] for node in self.by_id.values()), default=-DISTANCE)

    def nodes(self) -> list[Node]:
        """Return the nodes in the order of the document."""
        ordered = []
        pending = self._behind[None][::-1]
        while pending:
            node_id = pending.pop()
            if node_id in self.by_id:
                ordered.append(self.by_id[node_id])
            pending += self._behind.get(node_id, ())
        return ordered

    def name_nodes(self, names: Iterable[str]) -> None:
        """Settle the ids of nodes that are still to be added, before others get ids like them."""
        for name in names:
            self.names[name] = self.ids.claim(name)

    def add_node(
        self, name: str, kind: str, label: str, *, x: float, after: str | None = None, like: str = ""
    ) -> Node:
        """Add a node below all others, in the order of the document behind `after` or at the end.

        `like` is what its id is made from where `name_nodes` has not settled it.
        """
        self._bottom += DISTANCE
        if name not in self.names:
            self.names[name] = self.ids.claim(like)
        node_id = self.names[name]
        node = {"id": node_id, "type": kind, "label": label, "position": {"x": x, "y": self._bottom}}
        self.by_id[node_id] = node
        self._behind.setdefault(after, []).append(node_id)
        return node

    def add_edges(self, ways: Iterable[Way]) -> None:
        """Add an edge for each way, in the order in which the exits of a port are tried."""
        ordered = sorted(ways, key=lambda way: way.exit.place)
        self.edge_ids.reserve(way.exit.edge_id for way in ordered if way.exit.edge_id is not None)
        for way in ordered:
            self.add_edge(way.exit, self.names[way.target])

    def add_edge(self, start: Exit, target: str) -> Edge:
        """Add the edge from an exit to the node with the id `target`."""
        source = self.names[start.node]
        edge: Edge = {
            "id": self._edge_id(start.edge_id),
            "type": "sequential" if start.condition is None else "conditional",
            "source": {"node": source, "port": self.output(source, start.port)},
            "target": {"node": target, "port": self.input(target)},
        }
        if start.condition is not None:
            edge["condition"] = start.condition
        self.edges.append(edge)
        return edge

    def _edge_id(self, wanted: str | None) -> str:
        return self.edge_ids.number("edge") if wanted is None else self.edge_ids.claim(wanted)

    def output(self, node_id: str, port: str) -> str:
        """Return the id of an output, which the node gets where it has none such."""
        node = self.by_id[node_id]
        usual = KINDS[node["type"]].outputs
        own = [item["id"] for item in node.get("outputs") or ()] or [item.id for item in usual]
        if port == OUT:
            port = next((item for item in own if item != BODY_PORT), OUT)
        if port not in own:
            self._add_port(node_id, "outputs", usual, port)
        return port

    def input(self, node_id: str) -> str:
        """Return the id of the input that control edges lead to."""
        node = self.by_id[node_id]
        declared = [item["id"] for item in node.get("inputs") or ()]
        return declared[0] if declared else IN.id

    def _add_port(self, node_id: str, side: str, usual: Iterable[Port], port: str) -> None:
        node = self.by_id[node_id]
        given = node.get(side) or [{"id": item.id, "label": item.label, "type": item.type} for item in usual]
        self.by_id[node_id] = {**node, side: [*given, {"id": port}]}

    def add_data(self, entries: Iterable[str], steps: Iterable[Step]) -> None:
        """Add the edges that carry data to each of the steps, from entries and from the steps before it."""
        earlier = set(entries)
        for step in steps:
            self.add_data_edges(step, earlier)
            earlier.add(step.node_id)

    def add_data_edges(self, step: Step, earlier: Container[str]) -> None:
        """Add the edges that carry data to a step, from what stands before it."""
        target_id = self.names[step.node_id]
        for port, source in step.block.data_bindings.items():
            if port.startswith(ir.RESERVED_PREFIX) or not is_valid_id(port) or source not in earlier:
                continue
            inputs = [item["id"] for item in self.by_id[target_id].get("inputs") or ()] or [IN.id]
            if port not in inputs:
                self._add_port(target_id, "inputs", (IN,), port)
            source_id = self.names[source]
            self.edges.append(
                {
                    "id": self._edge_id(None),
                    "type": "data",
                    "source": {"node": source_id, "port": self.output(source_id, OUT)},
                    "target": {"node": target_id, "port": port},
                }
            )


def label_of(node_id: str) -> str:
    """Return a label for a node of which only the id is known: `node_kb_search` → Kb Search."""
    words = short_id(node_id).replace("-", "_").split("_")
    return " ".join(word.capitalize() for word in words if word) or node_id
