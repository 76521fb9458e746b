"""SF308, SF309: what is declared and read by nobody."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct, field

from scaiflow_api.compiler.analysis.occurrences import occurrences
from scaiflow_api.compiler.analysis.scope import NOT_OFFERED, OWN_RESULT, Scope, cannot_be_read
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView, short_id
from scaiflow_api.compiler.kinds.logic_loop import NAME_PATTERN
from scaiflow_api.compiler.kinds.model_call import ModelCallConfig
from scaiflow_api.compiler.rules.expressions import BAD_EXPRESSION, Use
from scaiflow_api.expressions import Expression, ExpressionSyntaxError, parse, unwrap

PLACE = {"position": {"x": 0, "y": 0}}

UNUSED_VARIABLE = Rule(
    "SF308",
    "unused-variable",
    "variable '{name}' {problem}",
    severity=WARNING,
    what=(
        "A declared variable is read by no expression, or is read although it has no default and nothing assigns "
        "it. `output` is read by the caller of the run."
    ),
    why="Usually its name is mistyped elsewhere, or it is left over.",
    example={"variables": [{"name": "attempts", "type": "int", "default": 0}]},
)
UNUSED_RESULT = Rule(
    "SF309",
    "unused-result",
    "node '{node}': nothing reads {what}",
    severity=WARNING,
    what=(
        "A `result_binding` that no expression uses; or a field of an `output_schema` that no expression reads, of "
        "a node whose result is never read as a whole and never the output of the flow."
    ),
    why="Usually the name is mistyped elsewhere. A model spends time and tokens on fields that nobody needs.",
    example={
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {
                "id": "node_answer",
                "type": "llm_rigid",
                "label": "Answer",
                **PLACE,
                "config": {"template": "hello", "result_binding": "greeting"},
            },
        ]
    },
)

RULES = (UNUSED_VARIABLE, UNUSED_RESULT)

NAME = re.compile(NAME_PATTERN)


def check(view: FlowView, scope: Scope, uses: Sequence[Use], sink: Sink) -> None:
    if any(found.code == BAD_EXPRESSION.code for found in sink.found):
        # What cannot be read may use anything.
        return
    idle = _idle_conditions(view)
    if idle is None:
        return
    read = frozenset(scope.meant).union(
        *(use.names for use in uses), *(condition.names for condition in idle)
    )
    _check_variables(view, scope, read, sink)
    reads = _Reads(view, uses, idle, scope.meant)
    for node in view.nodes:
        binding = node.config.get("result_binding")
        if isinstance(binding, str) and binding not in read and binding != short_id(node.id):
            path, what = f"{node.path}.config.result_binding", f"its result binding '{binding}'"
            fix = f"use it, or remove it: '{short_id(node.id)}' names the result too"
            if NAME.fullmatch(binding) is None or binding in NOT_OFFERED:
                fix = "no expression can ask for it; call it otherwise, with letters, digits and underscores"
            sink.report(UNUSED_RESULT, path, node_id=node.id, fix=fix, node=node.id, what=what)
        for name in reads.unread_fields(node, read):
            path, what = f"{node.path}.config.output_schema.{name}", f"the field '{name}' of its answer"
            fix = "remove it from the output_schema, or use it"
            sink.report(UNUSED_RESULT, path, node_id=node.id, fix=fix, node=node.id, what=what)


def _idle_conditions(view: FlowView) -> list[Expression] | None:
    """Return the conditions of edges that are broken, or not conditional; None where one cannot be read.

    Those edges are reported. What is read there is not left over: it will be read once they are mended.
    """
    texts = [edge.condition for edge in view.edges if edge.type != "conditional" and edge.condition]
    try:
        return [parse(unwrap(text)[0]) for text in (*texts, *view.torn.conditions) if text.strip()]
    except ExpressionSyntaxError:
        return None


def _check_variables(view: FlowView, scope: Scope, read: frozenset[str], sink: Sink) -> None:
    for index, variable in enumerate(view.graph.variables):
        name, assigned = variable.name, variable.name in scope.assigners
        if name == "output":
            continue
        reason = cannot_be_read(name)
        if reason is not None:
            problem, fix = f"is never read: {reason}", "call it otherwise"
            sink.report(UNUSED_VARIABLE, f"variables[{index}]", fix=fix, name=name, problem=problem)
        elif name not in read:
            problem = "is assigned, and nothing reads it" if assigned else "is never used"
            sink.report(UNUSED_VARIABLE, f"variables[{index}]", fix="remove it", name=name, problem=problem)
        elif not assigned and "default" not in variable.model_fields_set:
            problem = "is always null: it has no default, and nothing assigns it"
            fix = "give it a default, or assign it with a data_variable_set node"
            sink.report(UNUSED_VARIABLE, f"variables[{index}]", fix=fix, name=name, problem=problem)


class _Reads(Struct):
    """What is read of the results with declared fields."""

    view: FlowView
    uses: Sequence[Use]
    idle: Sequence[Expression]
    """Further expressions that count as read."""
    meant: AbstractSet[str]
    """Names that are probably misspelt elsewhere, so that any field of theirs may be read."""
    fields: dict[str, set[str | None]] = field(default_factory=dict)
    """Root name → the fields read of it; None stands for the whole value."""
    own_fields: dict[int, set[str | None]] = field(default_factory=dict)
    """By node: what its own `validate` reads of `result` and `output`."""
    handed_on: frozenset[int] = frozenset()
    """The nodes that data edges leave."""

    def __post_init__(self) -> None:
        self.handed_on = frozenset(edge.source for edge in self.view.edges if edge.type == "data")
        wanted = {name for node in self.view.nodes for name in self._names(node)}
        for use in self.uses:
            own = use.place.field == "validate" and use.place.edge is None
            mine = wanted | OWN_RESULT if own else wanted
            if use.names.isdisjoint(mine):
                continue
            for expression in use.expressions:
                for seen in occurrences(expression.root):
                    if own and seen.name in OWN_RESULT:
                        self.own_fields.setdefault(use.place.node, set()).add(seen.field)
                    elif seen.name in wanted:
                        self.fields.setdefault(seen.name, set()).add(seen.field)

        for name in wanted & self.meant:
            self.fields[name] = {None}
        if self.meant & OWN_RESULT:
            self.own_fields = {node.index: {None} for node in self.view.nodes}
        for expression in self.idle:
            for seen in occurrences(expression.root):
                if seen.name in wanted:
                    self.fields.setdefault(seen.name, set()).add(seen.field)

    def unread_fields(self, node: FlowNode, read: frozenset[str]) -> Iterator[str]:
        """Yield the declared fields of a node that nobody can see; none where its value is used as a whole."""
        names = self._names(node)
        if not names or node.index in self.handed_on or not self._always_goes_on(node):
            return
        seen = [self.own_fields.get(node.index, set()), *(self.fields.get(name, set()) for name in names)]
        if any(None in fields for fields in seen):
            return
        config = self.view.configs[node.index]
        assert isinstance(config, ModelCallConfig)
        assert config.output_schema is not None
        if any(not fields <= config.output_schema.keys() for fields in seen):
            # One that there is not is one of these, misspelt; that is reported already.
            return
        for name in sorted(config.output_schema):
            if name not in read and not any(name in fields for fields in seen):
                yield name

    def _names(self, node: FlowNode) -> tuple[str, ...]:
        """Return the names of a result with declared fields."""
        config = self.view.configs.get(node.index)
        if not isinstance(config, ModelCallConfig) or not config.output_schema:
            return ()
        binding = (config.result_binding,) if config.result_binding else ()
        return (node.id, short_id(node.id), *binding)

    def _always_goes_on(self, node: FlowNode) -> bool:
        """Return whether another node always runs after it, so that its result is not the output."""
        return any(way.sequential and not way.conditional for way in self.view.exits.get(node.index, ()))
