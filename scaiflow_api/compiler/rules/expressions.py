"""SF30x: expressions and templates can be read. What they ask for is left to `names`."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowEdge, FlowNode, FlowView
from scaiflow_api.compiler.kinds import StepKind
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig
from scaiflow_api.expressions import (
    Expression,
    ExpressionSyntaxError,
    Template,
    parse,
    parse_template,
    unwrap,
)
from scaiflow_api.flowgraph import FlowTooLarge, Limits
from scaiflow_api.flowgraph.scan import Trail, path_of

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


class Place(Struct, frozen=True, gc=False):
    """A field of a node's configuration, or the condition of an edge."""

    owner: FlowNode
    """The node in whose scope the text is evaluated: that of the configuration, or the edge's source."""
    field: str
    """`condition`, or where the text stands in the configuration."""
    edge: FlowEdge | None = None

    @property
    def path(self) -> str:
        return (
            f"{self.owner.path}.config.{self.field}" if self.edge is None else f"{self.edge.path}.condition"
        )

    @property
    def node(self) -> int:
        return self.owner.index

    @property
    def is_of_loop(self) -> bool:
        return self.owner.type == "logic_loop"

    def report(self, rule: Rule, sink: Sink, *, fix: str | None = None, **fields: str) -> None:
        """Report a finding about this place; it fills the fields `owner` and `field` of the rule's template."""
        if self.edge is None:
            owner, ids = f"node '{self.owner.id}'", {"node_id": self.owner.id}
        else:
            owner, ids = f"edge '{self.edge.id}'", {"edge_id": self.edge.id}
        sink.report(rule, self.path, fix=fix, **ids, owner=owner, field=self.field, **fields)


class Use(Struct, frozen=True, gc=False):
    """One readable expression or template, and the place where it stands."""

    place: Place
    read: Expression | Template

    @property
    def names(self) -> frozenset[str]:
        """The root names that it asks its scope for."""
        return self.read.names

    @property
    def expressions(self) -> list[Expression]:
        if isinstance(self.read, Expression):
            return [self.read]
        return [piece for piece in self.read.pieces if isinstance(piece, Expression)]


def check(view: FlowView, limits: Limits, sink: Sink) -> list[Use]:
    """Report what cannot be read; return what can. Raises FlowTooLarge."""
    uses: list[Use] = []
    maximum, length = limits.max_expression_characters, 0
    for text, place, read in _places(view):
        length += len(text)
        if length > maximum:
            raise FlowTooLarge(limit="expression characters", maximum=maximum, actual="more")
        uses += read(text, place, sink)
    return uses


def _places(view: FlowView) -> Iterator[tuple[str, Place, Callable[[str, Place, Sink], Iterator[Use]]]]:
    """Yield each text that holds expressions, its place, and how it is read."""
    for node in view.nodes:
        if isinstance(node.kind, StepKind):
            yield from _places_of_node(node, node.kind, view)
    for edge in view.edges:
        if edge.type == "conditional" and edge.condition and edge.condition.strip():
            yield edge.condition, Place(view.nodes[edge.source], "condition", edge), _read_expression


def _places_of_node(
    node: FlowNode, kind: StepKind, view: FlowView
) -> Iterator[tuple[str, Place, Callable[[str, Place, Sink], Iterator[Use]]]]:
    config = node.config
    for field in _expression_fields(kind, view.configs.get(node.index)):
        text = config.get(field)
        place = Place(node, field)
        if text == "" and place.is_of_loop:
            # That it must not be empty its configuration says.
            continue
        if isinstance(text, str):
            yield text, place, _read_expression
    for field in kind.templates:
        if field not in config:
            continue
        if _may_hold_templates(config[field]):
            for trail, text in _texts(field, config[field]):
                yield text, Place(node, path_of(trail)), _read_template


def _expression_fields(kind: StepKind, config: Any) -> tuple[str, ...]:
    """Return the fields to read; the subject of a decision of style `if` is only a hint for people."""
    if isinstance(config, LogicDecisionConfig):
        return ("subject",) if config.style == "match" and config.subject else ()
    return kind.expressions


def _texts(field: str, value: object) -> Iterator[tuple[Trail, str]]:
    """Yield every text in the value of a field that may be a template, with the way to it, in order."""
    pending: list[tuple[Trail, object]] = [((None, field), value)]
    while pending:
        trail, item = pending.pop()
        if isinstance(item, str):
            yield trail, item
        elif isinstance(item, list):
            # Of millions of numbers none is asked by a function.
            places = [
                index
                for index, part in enumerate(item)
                if type(part) in HOLDERS and (type(part) is not str or "{{" in part)
            ]
            pending += [((trail, index), item[index]) for index in reversed(places)]
        elif isinstance(item, dict):
            keys = sorted((key for key in item if _may_hold_templates(item[key])), reverse=True)
            pending += [((trail, key), item[key]) for key in keys]


HOLDERS = frozenset({str, list, dict})


def _may_hold_templates(value: object) -> bool:
    return "{{" in value if isinstance(value, str) else isinstance(value, list | dict)


def _read_expression(text: str, place: Place, sink: Sink) -> Iterator[Use]:
    bare, wrapped = unwrap(text)
    try:
        expression = parse(bare)
    except ExpressionSyntaxError as error:
        # Names are wrapped where one thinks of a template; a map as the key of a map is nothing.
        fix = "write it without {{ }}: all of it is an expression" if "{{" in bare else None
        _report(error, bare, place, sink, fix)
        return
    if wrapped:
        place.report(WRAPPED_EXPRESSION, sink, fix=f"write {bare}")
    yield Use(place, expression)


def _read_template(text: str, place: Place, sink: Sink) -> Iterator[Use]:
    try:
        template = parse_template(text)
    except ExpressionSyntaxError as error:
        _report(error, text, place, sink)
        return
    yield Use(place, template)


def _report(
    error: ExpressionSyntaxError, text: str, place: Place, sink: Sink, fix: str | None = None
) -> None:
    near = (
        text[max(0, error.position - 20) : error.position]
        + "⟨here⟩"
        + text[error.position : error.position + 20]
    )
    place.report(
        BAD_EXPRESSION,
        sink,
        fix=fix or _as_fix(error.hint) or f"look at {near.strip()!r}",
        problem=f"{error.problem} at position {error.position}",
    )


def _as_fix(hint: str) -> str:
    """Return a hint without the marks of a sentence, as fixes are written."""
    return hint[:1].lower() + hint[1:].rstrip(".")
