"""SF10x: edges end at nodes and ports that exist, and say what their type needs."""

from collections.abc import Container, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, TypeAlias

from msgspec import Struct, field

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowEdge, FlowNode, Torn, short_id
from scaiflow_api.compiler.suggest import Suggestions

Edge: TypeAlias = Mapping[str, Any]


def _edge(
    number: int = 1,
    *,
    kind: str = "sequential",
    port: str = "out_request",
    to: str = "node_answer",
    to_port: str = "in",
    **more: str,
) -> dict[str, object]:
    """Return an edge of an example. It leaves the entry."""
    ends = {"source": {"node": "node_entry", "port": port}, "target": {"node": to, "port": to_port}}
    return {"id": f"edge_{number}", "type": kind, **ends, **more}


UNKNOWN_NODE = Rule(
    "SF101",
    "unknown-node",
    "edge '{edge}': {end} node '{node}' does not exist",
    what="An edge begins or ends at a node that the document does not have.",
    why="Usually the node was deleted or its id mistyped.",
    example={"edges": [_edge(to="node_ansver")]},
)
UNKNOWN_OUTPUT_PORT = Rule(
    "SF102",
    "unknown-output-port",
    "edge '{edge}': source node '{node}' has no output port '{port}'",
    what="An edge leaves by an output port that its node does not have.",
    why="Usually the port was renamed or the node's kind changed.",
    example={"edges": [_edge(port="out_typo")]},
)
UNKNOWN_INPUT_PORT = Rule(
    "SF103",
    "unknown-input-port",
    "edge '{edge}': target node '{node}' has no input port '{port}'",
    what="An edge arrives at an input port that its node does not have. Entry nodes have none.",
    why="Usually the port was renamed or the node's kind changed.",
    example={"edges": [_edge(to_port="inn")]},
)
NO_CONDITION = Rule(
    "SF104",
    "conditional-edge-without-condition",
    "edge '{edge}': a conditional edge needs a condition",
    what="An edge of type `conditional` has no condition, or an empty one.",
    why="Nothing would decide whether it is taken. `true` makes it the last resort.",
    example={"edges": [_edge(kind="conditional")]},
)
IDLE_CONDITION = Rule(
    "SF105",
    "condition-without-effect",
    "edge '{edge}': a condition on a {type} edge has no effect",
    severity=WARNING,
    what="A `sequential` or `data` edge has a condition.",
    why="Only conditional edges are tested; this one is taken whatever the condition says.",
    example={"edges": [_edge(condition="urgent")]},
)
EDGE_INTO_ENTRY = Rule(
    "SF106",
    "edge-into-entry",
    "edge '{edge}': node '{node}' is an entry point and cannot be a target",
    what="An edge arrives at an entry node that declares an input port.",
    why="A run starts at an entry; nothing runs before it.",
    example={
        "nodes": [
            {
                "id": "node_entry",
                "type": "entry_api",
                "label": "API",
                "position": {"x": 0, "y": 0},
                "inputs": [{"id": "in"}],
            },
            {
                "id": "node_answer",
                "type": "llm_rigid",
                "label": "Answer",
                "position": {"x": 0, "y": 0},
                "config": {"template": "hello"},
            },
        ],
        "edges": [
            {
                "id": "edge_1",
                "type": "sequential",
                "source": {"node": "node_answer", "port": "out"},
                "target": {"node": "node_entry", "port": "in"},
            }
        ],
    },
)
CROWDED_DATA_PORT = Rule(
    "SF107",
    "several-data-edges-into-a-port",
    "edge '{edge}': input port '{port}' of node '{node}' has several data edges; the last one counts",
    severity=WARNING,
    what="Two data edges arrive at the same port.",
    why="A port binds one value: that of the last of these edges in the document.",
    example={"edges": [_edge(1), _edge(2, kind="data"), _edge(3, kind="data")]},
)

RULES = (
    UNKNOWN_NODE,
    UNKNOWN_OUTPUT_PORT,
    UNKNOWN_INPUT_PORT,
    NO_CONDITION,
    IDLE_CONDITION,
    EDGE_INTO_ENTRY,
    CROWDED_DATA_PORT,
)

_FEW_PORTS = 8


def check(edges: Sequence[Edge], nodes: Sequence[FlowNode], sink: Sink) -> tuple[list[FlowEdge], Torn]:
    """Report what is wrong with the edges of a document that has the shape of a flow.

    Return those whose ends exist, and what the others were to join.
    """
    by_id = {node.id: node for node in nodes}
    outputs = [_looked_up(node.outputs) for node in nodes]
    inputs = [_looked_up(node.inputs) for node in nodes]
    suggestions = Suggestions()
    meant = _Meant(nodes, edges, by_id, suggestions)
    sound = []
    broken = []
    for index, edge in enumerate(edges):
        edge_id, kind, condition = edge["id"], edge["type"], edge.get("condition")
        if condition is not None or kind == "conditional":
            _check_condition(index, edge, sink)
        start, end = edge["source"], edge["target"]
        source, target = by_id.get(start["node"]), by_id.get(end["node"])
        if source is None or start["port"] not in outputs[source.index]:
            _report_end(index, edge, "source", source, meant, sink)
            source = None
        if target is None or end["port"] not in inputs[target.index]:
            _report_end(index, edge, "target", target, meant, sink)
            target = None
        if source is None or target is None:
            broken.append(edge)
            continue
        if target.is_entry:
            sink.report(EDGE_INTO_ENTRY, f"edges[{index}]", edge_id=edge_id, edge=edge_id, node=target.id)
            continue
        ends = (source.index, start["port"], target.index, end["port"])
        sound.append(FlowEdge(index, edge_id, kind, *ends, condition))
    _check_data_ports(sound, nodes, sink)
    return sound, _torn(broken, meant)


class _Meant(Struct, dict=True):
    """Which nodes the ends of edges mean, those too that name none."""

    nodes: Sequence[FlowNode]
    edges: Sequence[Edge]
    by_id: Mapping[str, FlowNode]
    suggestions: Suggestions
    found: dict[str, tuple[FlowNode | None, str | None]] = field(default_factory=dict)

    def of(self, name: str) -> FlowNode | None:
        """Return the node of this id, else the one that is probably meant."""
        return self.by_id.get(name) or self._guess(name)[0]

    def fix(self, name: str) -> str | None:
        """Return a sentence that names the node that is probably meant by an id that is none."""
        return self._guess(name)[1]

    def _guess(self, name: str) -> tuple[FlowNode | None, str | None]:
        if name not in self.found:
            near, renamed = self._nearest(name), self._renamed
            if near is None or (renamed is not None and _alike(name, renamed) > _alike(name, near)):
                near = renamed
            fix = (
                None
                if near is None
                else f"did you mean '{near.id}'{', which no edge names' * (near is renamed)}?"
            )
            self.found[name] = near, fix
        return self.found[name]

    def _nearest(self, name: str) -> FlowNode | None:
        short = short_id(name)
        near = self.suggestions.nearest(name, self.by_id) if short == name else None
        if near is None:
            near = self.suggestions.nearest(short, self._by_short_id)
        return None if near is None else self.by_id.get(near) or self._by_short_id[near]

    @cached_property
    def _by_short_id(self) -> dict[str, FlowNode]:
        """What all ids begin with makes none of them alike."""
        return {short_id(node.id): node for node in self.nodes}

    @cached_property
    def _renamed(self) -> FlowNode | None:
        """The one node that no edge names, where there is one id that is no node's."""
        named = {edge[side]["node"] for edge in self.edges for side in ("source", "target")}
        alone = [node for node in self.nodes if node.id not in named]
        return alone[0] if len(alone) == 1 and len(named - self.by_id.keys()) == 1 else None


def _alike(name: str, node: FlowNode) -> float:
    return SequenceMatcher(None, name, node.id).ratio()


def _looked_up(ports: tuple[str, ...]) -> Container[str]:
    """Return the ports as what tells soonest whether one is among them; nearly every node has one or two."""
    return ports if len(ports) <= _FEW_PORTS else frozenset(ports)


def _torn(broken: Sequence[Edge], meant: _Meant) -> Torn:
    control = [edge for edge in broken if edge["type"] != "data"]
    conditions = tuple(edge["condition"] for edge in broken if edge.get("condition"))
    return Torn(_known(control, "source", meant), _known(control, "target", meant), conditions)


def _known(edges: Sequence[Edge], side: str, meant: _Meant) -> frozenset[int]:
    """Return the places of the nodes at one end of edges, as far as it can be told which are meant."""
    nodes = (meant.of(edge[side]["node"]) for edge in edges)
    return frozenset(node.index for node in nodes if node is not None)


def _check_condition(index: int, edge: Edge, sink: Sink) -> None:
    edge_id, kind = edge["id"], edge["type"]
    has_one = (edge.get("condition") or "").strip() != ""
    if kind == "conditional" and not has_one:
        sink.report(
            NO_CONDITION,
            f"edges[{index}]",
            edge_id=edge_id,
            fix="write a condition, or make it a sequential edge",
            edge=edge_id,
        )
    if kind != "conditional" and has_one:
        sink.report(
            IDLE_CONDITION,
            f"edges[{index}].condition",
            edge_id=edge_id,
            fix="make the edge conditional, or remove the condition",
            edge=edge_id,
            type=kind,
        )


def _report_end(
    index: int,
    edge: Edge,
    side: str,
    node: FlowNode | None,
    meant: _Meant,
    sink: Sink,
) -> None:
    """Report that there is no such node at one end, or that it has no such port."""
    end, edge_id, path = edge[side], edge["id"], f"edges[{index}]"
    if node is None:
        fix = meant.fix(end["node"])
        sink.report(UNKNOWN_NODE, path, edge_id=edge_id, fix=fix, edge=edge_id, end=side, node=end["node"])
        return
    ports, rule = (
        (node.outputs, UNKNOWN_OUTPUT_PORT) if side == "source" else (node.inputs, UNKNOWN_INPUT_PORT)
    )
    fix = meant.suggestions.did_you_mean(end["port"], ports) or _list_ports(ports)
    sink.report(rule, path, edge_id=edge_id, fix=fix, edge=edge_id, node=node.id, port=end["port"])


def _list_ports(ports: tuple[str, ...]) -> str:
    if len(ports) == 1:
        return f"did you mean '{ports[0]}'?"
    return "its ports on this side: " + (", ".join(ports[:5]) or "none")


def _check_data_ports(edges: Sequence[FlowEdge], nodes: Sequence[FlowNode], sink: Sink) -> None:
    bound: set[tuple[int, str]] = set()
    for edge in edges:
        if edge.type != "data":
            continue
        port = (edge.target, edge.target_port)
        if port in bound:
            node = nodes[edge.target].id
            fix = "give each value a port of its own"
            sink.report(
                CROWDED_DATA_PORT,
                edge.path,
                edge_id=edge.id,
                fix=fix,
                edge=edge.id,
                port=edge.target_port,
                node=node,
            )
        bound.add(port)
