"""SF13x: loops and parallel nodes, and what stands inside them."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowEdge, FlowView
from scaiflow_api.compiler.graph.regions import MAX_NESTING, Regions, Trespass
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT


def _node(node_id: str, kind: str, **config: Any) -> dict[str, Any]:
    place = {"position": {"x": 0, "y": 0}}
    return {"id": node_id, "type": kind, "label": node_id, **place, "config": config}


def _edges(*ways: str) -> list[dict[str, Any]]:
    """Return sequential edges from `source.port>target` each; `?` begins a condition, `~` makes a data edge."""
    edges = []
    for number, way in enumerate(ways, 1):
        ends, _, condition = way.partition("?")
        source, target = ends.replace("~", ">").split(">")
        node, _, port = source.partition(".")
        kind = "conditional" if condition else "data" if "~" in ends else "sequential"
        edge = {
            "id": f"edge_{number}",
            "type": kind,
            "source": {"node": node, "port": port or "out"},
            "target": {"node": target, "port": "in"},
        }
        edges.append({**edge, "condition": condition} if condition else edge)
    return edges


ENTRY = _node("node_entry", "entry_api")
LOOP = _node("node_loop", "logic_loop", items="[1, 2]")
PARALLEL = _node("node_both", "logic_parallel")
A, B = (_node(f"node_{name}", "llm_rigid", template=name) for name in "ab")

CONDITIONAL_BRANCH = Rule(
    "SF131",
    "conditional-branch",
    "edge '{edge}': only sequential edges may leave the parallel node '{node}'",
    what="A conditional edge leaves a `logic_parallel` node.",
    why="All its branches run. A decision inside a branch can end that branch early.",
    example={
        "nodes": [ENTRY, PARALLEL, A, B],
        "edges": _edges("node_entry.out_request>node_both", "node_both>node_a?urgent", "node_both>node_b"),
    },
)
TOO_DEEP = Rule(
    "SF132",
    "nested-too-deeply",
    "node '{node}': loops and parallel nodes nest more than {limit} deep",
    what=f"A loop or parallel node stands inside {MAX_NESTING} others.",
    why="Runtimes bound how deep blocks nest. A sub-flow is a way out.",
    example={
        "nodes": [ENTRY, *(_node(f"node_{depth}", "logic_loop", items="[1]") for depth in range(9))],
        "edges": _edges(
            "node_entry.out_request>node_0",
            *(f"node_{depth}.body>node_{depth + 1}" for depth in range(8)),
        ),
    },
)
BODY_TRESPASS = Rule(
    "SF133",
    "loop-body-not-closed",
    "edge '{edge}': the body of loop '{loop}' {problem}",
    what=(
        "The body of a loop is all that its port `body` leads to. An edge leads into it from elsewhere, or a data "
        "edge leads out of it."
    ),
    why="The body runs once a round with results of its own; a run could enter or leave it only in between.",
    example={
        "nodes": [ENTRY, LOOP, A],
        "edges": _edges("node_entry.out_request>node_loop", "node_loop.body>node_a", "node_loop.out>node_a"),
    },
)
BRANCH_TRESPASS = Rule(
    "SF134",
    "branch-not-closed",
    "edge '{edge}': node '{node}' {problem}",
    what=(
        "The branches of a parallel node end at their join, the first node that two of them lead to. Before it, "
        "a node belongs to two branches, or is entered from outside the parallel."
    ),
    why="Branches run at the same time, each by itself.",
    example={
        "nodes": [ENTRY, PARALLEL, A, B],
        "edges": _edges(
            "node_entry.out_request>node_both", "node_entry.out_request>node_a", "node_both>node_a"
        ),
    },
)
NO_BODY = Rule(
    "SF135",
    "loop-without-body",
    "loop '{node}' has no body: nothing is connected to its port '{port}'",
    severity=WARNING,
    what="No control edge leaves the port `body` of a loop.",
    why="Its rounds do nothing.",
    example={"nodes": [ENTRY, LOOP], "edges": _edges("node_entry.out_request>node_loop")},
)
LATE_DATA = Rule(
    "SF136",
    "data-arrives-late",
    "edge '{edge}': node '{source}' runs after '{owner}', so '{target}' inside it gets null",
    severity=WARNING,
    what=(
        "A data edge leads into the body of a loop, or into a branch, from a node that runs after that loop or "
        "parallel node, or in another of its branches."
    ),
    why="A loop or parallel node runs whole at its own turn; what runs later, or beside it, has no value yet.",
    example={
        "nodes": [ENTRY, LOOP, A, B],
        "edges": _edges(
            "node_entry.out_request>node_loop",
            "node_entry.out_request>node_b",
            "node_loop.body>node_a",
            "node_b~node_a",
        ),
    },
)
LONE_BRANCH = Rule(
    "SF137",
    "nothing-in-parallel",
    "parallel node '{node}' has {count}; nothing runs at the same time",
    severity=WARNING,
    what="Fewer than two edges leave a `logic_parallel` node.",
    why="It does what a plain edge would; usually an edge is missing.",
    example={
        "nodes": [ENTRY, PARALLEL, A],
        "edges": _edges("node_entry.out_request>node_both", "node_both>node_a"),
    },
)

RULES = (
    CONDITIONAL_BRANCH,
    TOO_DEEP,
    BODY_TRESPASS,
    BRANCH_TRESPASS,
    NO_BODY,
    LATE_DATA,
    LONE_BRANCH,
)


def check(view: FlowView, sink: Sink) -> Regions | None:
    """Report what is wrong; return the regions, or None where the graph has cycles."""
    _check_edges(view, sink)
    regions = Regions(view)
    if len(regions.ranked) < len(view.nodes):
        return None
    for node in regions.too_deep:
        place = view.nodes[node]
        fix = "move the inner ones into a flow of their own and call it with subflow_call"
        sink.report(TOO_DEEP, place.path, node_id=place.id, fix=fix, node=place.id, limit=str(MAX_NESTING))
    _check_trespasses(view, regions, sink)
    for edge in view.edges:
        if edge.type == "data":
            _check_data_edge(edge, view, regions, sink)
    return regions


def _check_edges(view: FlowView, sink: Sink) -> None:
    for node in view.nodes:
        edges = view.control_out.get(node.index, [])
        # Whether an edge that is broken would have led into the body, or made a branch, nobody can say.
        is_torn = node.index in view.torn.sources
        has_body = any(edge.source_port == BODY_PORT for edge in edges)
        if node.type == "logic_loop" and not has_body and not is_torn:
            fix = f"connect the first step of a round to port '{BODY_PORT}'"
            sink.report(NO_BODY, node.path, node_id=node.id, fix=fix, node=node.id, port=BODY_PORT)
        if node.type != "logic_parallel":
            continue
        for edge in edges:
            if edge.type == "conditional":
                fix = "make it sequential, and decide inside the branch"
                sink.report(
                    CONDITIONAL_BRANCH, edge.path, edge_id=edge.id, fix=fix, edge=edge.id, node=node.id
                )
        if len(edges) < 2 and not is_torn:
            count = "one branch" if edges else "no branch"
            fix = "draw a second edge from it, or remove it"
            sink.report(LONE_BRANCH, node.path, node_id=node.id, fix=fix, node=node.id, count=count)


def _check_trespasses(view: FlowView, regions: Regions, sink: Sink) -> None:
    shared: set[int] = set()
    for trespass in regions.trespasses:
        if trespass.edge.source in view.displaced or trespass.region.owner in view.torn.sources:
            # With the edge that is broken, and reported, it may well come from inside.
            continue
        if trespass.region.is_body:
            _report_body(trespass.edge, "is entered from outside", trespass.region.owner, view, sink)
        elif not trespass.shared:
            _report_branch(trespass, "is entered from outside the parallel '{owner}'", view, sink)
        elif trespass.edge.target not in shared:
            shared.add(trespass.edge.target)
            _report_branch(trespass, "stands in two branches of '{owner}' before they join", view, sink)


def _report_body(edge: FlowEdge, problem: str, loop: int, view: FlowView, sink: Sink) -> None:
    fix = f"let only port '{BODY_PORT}' of '{view.nodes[loop].id}' lead into the body, and no data edge out of it"
    names: Mapping[str, str] = {"edge": edge.id, "loop": view.nodes[loop].id, "problem": problem}
    sink.report(BODY_TRESPASS, edge.path, edge_id=edge.id, fix=fix, **names)


def _report_branch(trespass: Trespass, problem: str, view: FlowView, sink: Sink) -> None:
    edge, owner = trespass.edge, view.nodes[trespass.region.owner].id
    problem = problem.format(owner=owner)
    fix = f"give each branch of '{owner}' its own nodes, and let all that is shared follow their join"
    target = view.nodes[edge.target].id
    sink.report(
        BRANCH_TRESPASS, edge.path, edge_id=edge.id, fix=fix, edge=edge.id, node=target, problem=problem
    )


def _check_data_edge(edge: FlowEdge, view: FlowView, regions: Regions, sink: Sink) -> None:
    source, target = regions.chains[edge.source], regions.chains[edge.target]
    for region in source:
        if region.is_body and region not in target:
            _report_body(edge, "cannot be left by a data edge", region.owner, view, sink)
            return
    apart = next((depth for depth, region in enumerate(target) if region not in source), None)
    if apart is None:
        return
    owner = target[apart].owner
    seen_as = regions.representative(edge.source, target[:apart])
    if seen_as is not None and regions.rank[seen_as] >= regions.rank[owner]:
        names = [view.nodes[index].id for index in (edge.source, owner, edge.target)]
        first = f"let a control or data edge lead from '{names[0]}' to '{names[1]}', so that it runs first"
        beside = f"let '{names[2]}' run after the branches of '{names[1]}' have joined"
        fix = beside if seen_as == owner else first
        sink.report(
            LATE_DATA,
            edge.path,
            edge_id=edge.id,
            fix=fix,
            edge=edge.id,
            source=names[0],
            owner=names[1],
            target=names[2],
        )
