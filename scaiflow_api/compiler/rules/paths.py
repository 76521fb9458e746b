"""SF11x: a run can start, end, and get everywhere."""

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.graph.topology import find_cycles


def _node(node_id: str, kind: str, **more: object) -> dict[str, object]:
    return {"id": node_id, "type": kind, "label": "A node", "position": {"x": 0, "y": 0}, **more}


def _edge(edge_id: str, source: str, port: str, target: str) -> dict[str, object]:
    ends = {"source": {"node": source, "port": port}, "target": {"node": target, "port": "in"}}
    return {"id": edge_id, "type": "sequential", **ends}


NO_ENTRY = Rule(
    "SF110",
    "no-entry",
    "flow has no entry-point node",
    what="The flow has none of `entry_api`, `entry_webhook` and `entry_schedule`.",
    why="No run could ever start.",
    example={"nodes": [], "edges": []},
)
CYCLE = Rule(
    "SF111",
    "cycle",
    "cycle detected: {cycle}",
    what="Edges lead from a node back to itself. Data edges count.",
    why="Every node runs at most once. Repetition is what `logic_loop` is for.",
    example={
        "nodes": [
            _node("node_entry", "entry_api"),
            _node("node_a", "llm_rigid", config={"template": "a"}),
            _node("node_b", "llm_rigid", config={"template": "b"}),
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_a"),
            _edge("edge_2", "node_a", "out", "node_b"),
            _edge("edge_3", "node_b", "out", "node_a"),
        ],
    },
)
UNREACHABLE = Rule(
    "SF112",
    "unreachable-node",
    "node '{node}' cannot be reached from an entry point",
    severity=WARNING,
    what="No sequence of control edges leads from an entry to the node.",
    why="It will never run. A data edge orders and binds, it does not start anything.",
    example={"edges": []},
)
UNUSED_OUTPUT_PORT = Rule(
    "SF113",
    "unused-output-port",
    "node '{node}' has an unused output port '{port}'",
    severity=WARNING,
    what=(
        "A port that the author added to a node is not connected, while another output of the node is. "
        "The usual ports of a kind, and nodes at the end of a path, are not reported."
    ),
    why="Usually an edge is missing.",
    example={
        "nodes": [
            _node("node_entry", "entry_api"),
            _node(
                "node_review",
                "llm_rigid",
                config={"template": "a"},
                outputs=[{"id": "out"}, {"id": "out_aux"}],
            ),
            _node("node_answer", "llm_rigid", config={"template": "b"}),
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_review"),
            _edge("edge_2", "node_review", "out", "node_answer"),
        ],
    },
)

RULES = (NO_ENTRY, CYCLE, UNREACHABLE, UNUSED_OUTPUT_PORT)


def check(view: FlowView, sink: Sink) -> None:
    if not view.entries:
        fix = "add an entry_api, entry_webhook or entry_schedule node"
        sink.report(NO_ENTRY, None, fix=fix)
    for cycle in find_cycles(view):
        first = view.nodes[cycle[0]]
        way = " -> ".join(view.nodes[index].id for index in cycle)
        fix = "remove one of these edges; to repeat steps, use a logic_loop node"
        sink.report(CYCLE, first.path, node_id=first.id, fix=fix, cycle=way)
    if view.entries:
        _check_reach(view, sink)
    _check_ports(view, sink)


def _check_reach(view: FlowView, sink: Sink) -> None:
    # A broken edge that would lead here is reported already; where it comes from nobody can say.
    reached = view.reached | view.displaced
    for node in view.nodes:
        if not node.is_entry and node.index not in reached:
            sink.report(UNREACHABLE, node.path, node_id=node.id, fix="connect it, or remove it", node=node.id)


def _check_ports(view: FlowView, sink: Sink) -> None:
    used: dict[int, set[str]] = {node.index: set() for node in view.nodes if not node.has_usual_outputs}
    for edge in view.edges if used else ():
        if edge.source in used:
            used[edge.source].add(edge.source_port)
    for index, connected in used.items():
        if not connected or index in view.torn.sources:
            continue
        node = view.nodes[index]
        for place, port in enumerate(node.outputs):
            if port not in connected and port not in {usual.id for usual in node.kind.outputs}:
                path = f"{node.path}.outputs[{place}]"
                fix = "connect it, or remove it"
                sink.report(UNUSED_OUTPUT_PORT, path, node_id=node.id, fix=fix, node=node.id, port=port)
