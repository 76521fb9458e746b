"""SF114, SF115: conditions that leave nothing to the edges behind them, and decisions without any."""

from collections.abc import Iterator, Sequence

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import Exit, FlowEdge, FlowView
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig, compares
from scaiflow_api.compiler.rules.expressions import Use
from scaiflow_api.expressions import truthy
from scaiflow_api.expressions.syntax import Literal

PLACE = {"position": {"x": 0, "y": 0}}


def _edge(edge_id: str, source: str, port: str, target: str, **more: str) -> dict[str, object]:
    ends = {"source": {"node": source, "port": port}, "target": {"node": target, "port": "in"}}
    return {"id": edge_id, "type": "conditional" if more else "sequential", **ends, **more}


DEAD_BRANCH = Rule(
    "SF114",
    "dead-branch",
    "edge '{edge}' is never taken: {reason}",
    severity=WARNING,
    what=(
        "An edge stands behind a conditional edge of the same port whose condition always holds, has the same "
        "condition as one before it, or has a condition that never holds."
    ),
    why="Of the conditional edges of a port the first whose condition holds is taken, and no other.",
    example={
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_answer", condition="true"),
            _edge("edge_2", "node_entry", "out_request", "node_answer", condition="input.urgent"),
        ]
    },
)

NO_CONDITIONS = Rule(
    "SF115",
    "decision-without-conditions",
    "decision '{node}' decides nothing: its edges have no conditions, so all of them are taken",
    severity=WARNING,
    what="Several edges leave a `logic_decision`, and none of them is conditional.",
    why="What was drawn as one of several ways runs them all. To run several ways is what edges do without it.",
    example={
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {"id": "node_which", "type": "logic_decision", "label": "Which?", **PLACE},
            {"id": "node_a", "type": "llm_rigid", "label": "A", **PLACE, "config": {"template": "a"}},
            {"id": "node_b", "type": "llm_rigid", "label": "B", **PLACE, "config": {"template": "b"}},
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_which"),
            _edge("edge_2", "node_which", "out", "node_a"),
            _edge("edge_3", "node_which", "out", "node_b"),
        ],
    },
)

RULES = (DEAD_BRANCH, NO_CONDITIONS)


def check(view: FlowView, uses: Sequence[Use], sink: Sink) -> None:
    _check_decisions(view, sink)
    conditions = {use.place.edge.index: use for use in uses if use.place.edge is not None}
    for node in dict.fromkeys(use.place.node for use in conditions.values()):
        if view.nodes[node].type == "logic_parallel":
            continue
        config = view.configs.get(node)
        matches = isinstance(config, LogicDecisionConfig) and config.style == "match"
        for way in view.exits.get(node, ()):
            for edge, reason, fix in _dead(way, conditions, matches=matches):
                sink.report(DEAD_BRANCH, edge.path, edge_id=edge.id, fix=fix, edge=edge.id, reason=reason)


def _check_decisions(view: FlowView, sink: Sink) -> None:
    for node in view.nodes:
        if node.type != "logic_decision" or node.index in view.torn.sources:
            continue
        edges = view.control_out.get(node.index, [])
        # A condition that an edge has in vain is reported already.
        if len(edges) > 1 and not any(edge.type == "conditional" or edge.condition for edge in edges):
            fix = "make its edges conditional, and write their conditions"
            sink.report(NO_CONDITIONS, node.path, node_id=node.id, fix=fix, node=node.id)


def _dead(way: Exit, conditions: dict[int, Use], *, matches: bool) -> Iterator[tuple[FlowEdge, str, str]]:
    """Yield the edges of a port that are never taken, each with the reason and what to do."""
    seen: dict[str, FlowEdge] = {}
    catch_all: FlowEdge | None = None
    for edge in way.conditional:
        use = conditions.get(edge.index)
        if catch_all is not None:
            yield edge, _behind(catch_all), f"move it before '{catch_all.id}', or remove it"
        elif use is not None:
            text = use.read.source.strip()
            same = seen.setdefault(text, edge)
            holds = _always(use, matches=matches)
            if same is not edge:
                yield (
                    edge,
                    f"edge '{same.id}' before it has the same condition",
                    "change the condition, or remove it",
                )
            elif holds is False:
                yield edge, "its condition never holds", "change the condition, or remove it"
            elif holds:
                catch_all = edge
    if catch_all is not None:
        for edge in way.sequential:
            if (edge.condition or "").strip():
                # A condition that has no effect is reported already.
                continue
            yield edge, _behind(catch_all), f"remove it, or the condition of '{catch_all.id}'"


def _behind(catch_all: FlowEdge) -> str:
    return f"the condition of edge '{catch_all.id}' before it always holds"


def _always(use: Use, *, matches: bool) -> bool | None:
    """Return what a condition always is; None where that depends on the run."""
    (expression,) = use.expressions
    if not isinstance(expression.root, Literal) or (matches and compares(expression.source)):
        return None
    return truthy(expression.root.value)
