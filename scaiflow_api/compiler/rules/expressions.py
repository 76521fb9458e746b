"""SF30x: expressions and templates can be read. What they ask for is left to `names`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.flow import FlowNode, FlowView
from scaiflow_api.compiler.kinds import StepKind
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig
from scaiflow_api.expressions import ExpressionSyntaxError, parse, parse_template, unwrap
from scaiflow_api.flowgraph.problems import join_path

PLACE = {"position": {"x": 0, "y": 0}}


def _guarded(guard: str) -> dict[str, object]:
    node = {"id": "node_answer", "type": "llm_guarded", "label": "Answer", **PLACE}
    entry = {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE}
    return {"nodes": [entry, {**node, "config": {"goal": "Answer.", "guard": guard}}]}


BAD_EXPRESSION = Rule(
    "SF300",
    "unreadable-expression",
    "{owner}: {field} cannot be read: {problem}",
    what="A condition, guard, check or template is not an expression of the language.",
    why="It has no value.",
    example=_guarded("confidence >"),
)
WRAPPED_EXPRESSION = Rule(
    "SF306",
    "wrapped-expression",
    "{owner}: {field} is an expression and needs no {{{{ }}}} around it",
    severity=WARNING,
    what="A field that holds an expression is written as a template.",
    why="It is read without the braces; only texts need them.",
    example=_guarded("{{ confidence > 0.7 }}"),
)

RULES = (BAD_EXPRESSION, WRAPPED_EXPRESSION)


@dataclass(frozen=True, slots=True)
class Use:
    """One readable expression or template, and the root names that it asks its scope for."""

    path: str
    names: frozenset[str]
    node: int
    """The node in whose scope it is evaluated."""
    edge_id: str | None = None
    field: str = ""


def check(view: FlowView, sink: Sink) -> list[Use]:
    """Report what cannot be read; return what can."""
    uses: list[Use] = []
    for node in view.nodes:
        if isinstance(node.kind, StepKind):
            uses += _check_node(node, node.kind, view, sink)
    for edge in view.edges:
        if edge.type == "conditional" and edge.condition and edge.condition.strip():
            place = _Place(f"edge '{edge.id}'", f"{edge.path}.condition", "condition", edge.source, edge.id)
            uses += _read_expression(edge.condition, place, sink)
    return uses


@dataclass(frozen=True, slots=True)
class _Place:
    owner: str
    path: str
    field: str
    node: int
    edge_id: str | None = None
    node_id: str | None = None


def _check_node(node: FlowNode, kind: StepKind, view: FlowView, sink: Sink) -> Iterator[Use]:
    config = node.source.config
    owner = f"node '{node.id}'"
    for field in _expression_fields(kind, view.configs.get(node.index)):
        text = config.get(field)
        if isinstance(text, str):
            place = _Place(owner, f"{node.path}.config.{field}", field, node.index, node_id=node.id)
            yield from _read_expression(text, place, sink)
    for field in kind.templates:
        for parts, text in _texts(config.get(field)):
            name = join_path(field, *parts)
            place = _Place(owner, f"{node.path}.config.{name}", name, node.index, node_id=node.id)
            yield from _read_template(text, place, sink)


def _expression_fields(kind: StepKind, config: Any) -> tuple[str, ...]:
    """Return the fields to read; the subject of a decision of style `if` is only a hint for people."""
    if isinstance(config, LogicDecisionConfig):
        return ("subject",) if config.style == "match" and config.subject else ()
    return kind.expressions


def _texts(value: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text in a JSON value with the way to it, in order."""
    pending: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while pending:
        parts, item = pending.pop()
        if isinstance(item, str):
            yield parts, item
        elif isinstance(item, list):
            pending.extend(((*parts, index), item[index]) for index in reversed(range(len(item))))
        elif isinstance(item, dict):
            pending.extend(((*parts, key), item[key]) for key in sorted(item, reverse=True))


def _read_expression(text: str, place: _Place, sink: Sink) -> Iterator[Use]:
    bare, wrapped = unwrap(text)
    try:
        expression = parse(bare)
    except ExpressionSyntaxError as error:
        _report(error, bare, place, sink)
        return
    if wrapped:
        sink.report(
            WRAPPED_EXPRESSION,
            place.path,
            node_id=place.node_id,
            edge_id=place.edge_id,
            fix=f"write {bare}",
            owner=place.owner,
            field=place.field,
        )
    yield Use(place.path, expression.names, place.node, place.edge_id, place.field)


def _read_template(text: str, place: _Place, sink: Sink) -> Iterator[Use]:
    if "{{" not in text:
        return
    try:
        template = parse_template(text)
    except ExpressionSyntaxError as error:
        _report(error, text, place, sink)
        return
    yield Use(place.path, template.names, place.node, place.edge_id, place.field)


def _report(error: ExpressionSyntaxError, text: str, place: _Place, sink: Sink) -> None:
    near = (
        text[max(0, error.position - 20) : error.position]
        + "⟨here⟩"
        + text[error.position : error.position + 20]
    )
    sink.report(
        BAD_EXPRESSION,
        place.path,
        node_id=place.node_id,
        edge_id=place.edge_id,
        fix=f"look at {near.strip()!r}",
        owner=place.owner,
        field=place.field,
        problem=error.message.rstrip("."),
    )
