"""SF30x: the names that expressions ask for, and those that the flow offers."""

import re
from collections.abc import Sequence
from functools import cache

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.analysis.scope import Scope, cannot_be_read, offers
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.graph.regions import Chain
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig
from scaiflow_api.compiler.kinds.logic_loop import BODY_PORT, LogicLoopConfig
from scaiflow_api.compiler.rules.expressions import Use
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.expressions import Expression
from scaiflow_api.expressions.syntax import Binary, Name
from scaiflow_api.flowgraph.models import VARIABLE_PATTERN

PLACE = {"position": {"x": 0, "y": 0}}
ENTRY = {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE}


def _answer(kind: str, config: dict[str, object]) -> dict[str, object]:
    return {
        "nodes": [ENTRY, {"id": "node_answer", "type": kind, "label": "Answer", **PLACE, "config": config}],
        "variables": [{"name": "attempts", "type": "int", "default": 0}],
    }


def _edge(edge_id: str, source: str, port: str, target: str) -> dict[str, object]:
    ends = {"source": {"node": source, "port": port}, "target": {"node": target, "port": "in"}}
    return {"id": edge_id, "type": "sequential", **ends}


UNKNOWN_NAME = Rule(
    "SF301",
    "unknown-name",
    "{owner}: {field} uses the unknown name '{name}'",
    severity=WARNING,
    what=(
        "An expression asks for a name that nothing offers. Where the entries declare no `input_schema` any "
        "name may come with the input, so only near misses of known names are reported, and words for `true`, "
        "`false` and `null` in other languages."
    ),
    why="An unbound name is null.",
    example=_answer("llm_rigid", {"template": "{{ attemps }} attempts"}),
)
UNDECLARED_VARIABLE = Rule(
    "SF304",
    "undeclared-variable",
    "node '{node}' assigns '{name}', which is no declared variable",
    severity=WARNING,
    what="A `data_variable_set` node assigns a name that `variables` lacks. `output` needs no declaration.",
    why="It works, but the variable has no type and no default; usually the name is mistyped.",
    example=_answer("data_variable_set", {"variable": "atempts", "value": 1}),
)
RESERVED_NAME = Rule(
    "SF305",
    "reserved-name",
    "the name '{name}' is reserved: names that begin with '__' belong to the compiler",
    what=(
        "A node, variable, binding, port or result has a name that begins with two underscores, or an expression "
        "asks for one."
    ),
    why="The compiler guards joins with variables of such names, which must not be hidden.",
    example=_answer("data_variable_set", {"variable": "__attempts", "value": 1}),
)

NOT_VISIBLE = Rule(
    "SF307",
    "name-out-of-sight",
    "{owner}: {field} uses '{name}', which cannot be seen here: {reason}",
    severity=WARNING,
    what=(
        "An expression asks for a result from inside the body of a loop or another branch of a parallel node, or "
        "for a variable of a loop outside its rounds."
    ),
    why="Rounds and branches have results of their own. Out here the name is unbound, and so null.",
    example={
        "nodes": [
            ENTRY,
            {
                "id": "node_each",
                "type": "logic_loop",
                "label": "Each",
                **PLACE,
                "config": {"items": "input.orders"},
            },
            {
                "id": "node_check",
                "type": "llm_rigid",
                "label": "Check",
                **PLACE,
                "config": {"template": "{{ item }}"},
            },
            {
                "id": "node_answer",
                "type": "llm_rigid",
                "label": "Answer",
                **PLACE,
                "config": {"template": "{{ check }}"},
            },
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_each"),
            _edge("edge_2", "node_each", "body", "node_check"),
            _edge("edge_3", "node_each", "out", "node_answer"),
        ],
    },
)

UNQUOTED_TEXT = Rule(
    "SF315",
    "unquoted-text",
    "{owner}: {field} `{text}` is no text: without quotes it asks for a name, and nothing offers it",
    severity=WARNING,
    what="An edge that leaves a `logic_decision` of style `match` has a word as its condition, without quotes.",
    why="The subject is compared with literals. A name that nothing offers is null, so the edge is never taken.",
    example={
        "nodes": [
            ENTRY,
            {
                "id": "node_which",
                "type": "logic_decision",
                "label": "Which?",
                **PLACE,
                "config": {"style": "match", "subject": "input.intent"},
            },
            {"id": "node_pay", "type": "llm_rigid", "label": "Pay", **PLACE, "config": {"template": "paid"}},
        ],
        "edges": [
            _edge("edge_1", "node_entry", "out_request", "node_which"),
            {
                **_edge("edge_2", "node_which", "out", "node_pay"),
                "type": "conditional",
                "condition": "refund",
            },
        ],
    },
)
UNREADABLE_LOOP_VARIABLE = Rule(
    "SF316",
    "unreadable-loop-variable",
    "node '{node}': no expression in a round can ask for '{name}': {reason}",
    severity=WARNING,
    what="The `item_var` or `index_var` of a loop is a word of the language, or `input`, or both are the same.",
    why="Where the name stands something else is meant.",
    example=_answer("logic_loop", {"items": "[1, 2]", "item_var": "input"}),
)

RULES = (
    UNKNOWN_NAME,
    UNDECLARED_VARIABLE,
    RESERVED_NAME,
    NOT_VISIBLE,
    UNQUOTED_TEXT,
    UNREADABLE_LOOP_VARIABLE,
)

CONSTANTS = {
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "null"),
}
"""What other languages call a constant → what this one does."""
VARIABLE = re.compile(VARIABLE_PATTERN)


def check_reserved(view: FlowView, text: bytes, uses: Sequence[Use], sink: Sink) -> None:
    """Report names that would hide the compiler's own, or ask for them. `text` is the document's."""
    if ir.RESERVED_PREFIX.encode() not in text:
        return
    for use in uses:
        for name in sorted(use.names):
            if name.startswith(ir.RESERVED_PREFIX):
                use.place.report(RESERVED_NAME, sink, fix="rename it", name=name)
    for offer in offers(view):
        if offer.name.startswith(ir.RESERVED_PREFIX):
            node_id = offer.node.id if offer.node and offer.edge is None else None
            sink.report(RESERVED_NAME, offer.path, node_id=node_id, fix="rename it", name=offer.name)


def check(view: FlowView, scope: Scope, uses: Sequence[Use], sink: Sink) -> None:
    """Report names that are probably mistyped."""
    _check_assignments(scope, sink)
    _check_loop_variables(view, sink)
    _check_uses(view, uses, scope, sink)


def _check_assignments(scope: Scope, sink: Sink) -> None:
    suggestions = Suggestions()
    for offer in scope.assignments:
        name = offer.name
        if offer.node is None or name in scope.variables:
            continue
        if name == "output" or name.startswith(ir.RESERVED_PREFIX):
            continue
        near = suggestions.near_miss(name, [*scope.variables, "output"])
        unreadable = cannot_be_read(name)
        if near:
            scope.meant.add(near)
            fix = f"did you mean '{near}'?"
        elif name == "input" and unreadable:
            fix = f"call it otherwise: {unreadable}"
        elif VARIABLE.fullmatch(name) is None or unreadable:
            fix = "call it otherwise: a small letter or underscore, then letters, digits and underscores"
        else:
            fix = f"declare '{name}' in the flow's variables"
        node_id = offer.node.id
        sink.report(UNDECLARED_VARIABLE, offer.path, node_id=node_id, fix=fix, node=node_id, name=name)


def _check_loop_variables(view: FlowView, sink: Sink) -> None:
    for index, config in view.configs.items():
        if not isinstance(config, LogicLoopConfig) or config.style != "foreach":
            continue
        node = view.nodes[index]
        for key in ("item_var", "index_var"):
            name = getattr(config, key)
            if name is None:
                continue
            reason = cannot_be_read(name)
            if reason is None and key == "item_var" and name == config.index_var:
                reason = "index_var has the same name"
            if reason is not None:
                names = {"node": node.id, "name": name, "reason": reason}
                path = f"{node.path}.config.{key}"
                sink.report(UNREADABLE_LOOP_VARIABLE, path, node_id=node.id, fix="call it otherwise", **names)


def _check_uses(view: FlowView, uses: Sequence[Use], scope: Scope, sink: Sink) -> None:
    suggestions = Suggestions(budget=1_000_000)
    known = scope.known | {"output"}
    enclosed = _enclosed(scope)

    @cache
    def near_known(name: str) -> str | None:
        return suggestions.near_miss(name, scope.known)

    @cache
    def hidden(name: str, level: Chain) -> tuple[str, str] | None:
        return _hidden(name, level, view, scope)

    for use in uses:
        doubtful = [name for name in use.names if name not in known or name in enclosed]
        if not doubtful:
            continue
        local = scope.own_names(use.place)
        level = scope.level(use.place)
        rounds = scope.of_rounds(level)
        for name in sorted(doubtful):
            if name in local or name in rounds or name.startswith(ir.RESERVED_PREFIX):
                continue
            if name in known or name in scope.loops:
                # Where a node stands that is displaced, nobody can say.
                why = None if use.place.node in view.displaced else hidden(name, level)
                if why is not None:
                    reason, fix = why
                    use.place.report(NOT_VISIBLE, sink, fix=fix, name=name, reason=reason)
                continue
            near = CONSTANTS.get(name) or suggestions.near_miss(name, local, rounds) or near_known(name)
            if near is not None:
                scope.meant.add(near)
            if near is not None or scope.input_schema is not None:
                meant = f"did you mean '{near}'?" if near else None
                use.place.report(UNKNOWN_NAME, sink, fix=meant, name=name)
            elif _is_unquoted(use, view):
                text = use.read.source.strip()
                field = f", or input.{name} for what the input brings" if name == text else ""
                fix = f"write '{text}' in quotes{field}"
                use.place.report(UNQUOTED_TEXT, sink, fix=fix, text=text)
                break


def _is_unquoted(use: Use, view: FlowView) -> bool:
    """Return whether a condition is nothing but a word, or several with dashes, and is compared with a subject."""
    if use.place.edge is None or not isinstance(use.read, Expression):
        return False
    config = view.configs.get(use.place.node)
    if not isinstance(config, LogicDecisionConfig) or config.style != "match":
        return False
    node = use.read.root
    while isinstance(node, Binary) and node.operator == "-" and isinstance(node.right, Name):
        node = node.left
    return isinstance(node, Name)


def _enclosed(scope: Scope) -> frozenset[str]:
    """Return the names that come from inside loops and branches alone."""
    if scope.regions is None:
        return frozenset()
    chains = scope.regions.chains
    elsewhere = {*scope.given, *scope.variables, *scope.assigners}
    return frozenset(
        name
        for name, nodes in scope.producers.items()
        if name not in elsewhere and all(chains[node] for node in nodes)
    )


def _hidden(name: str, level: Chain, view: FlowView, scope: Scope) -> tuple[str, str] | None:
    """Return why nobody who offers a name can be seen at a level, and what to do; None where somebody can."""
    reason, fix = "", ""
    for node in scope.producers.get(name, ()):
        region = scope.hiding(node, level)
        if region is None:
            return None
        owner, producer = view.nodes[region.owner].id, view.nodes[node].id
        if region.is_body:
            reason = reason or f"node '{producer}' stands in the body of loop '{owner}'"
            fix = fix or f"use the result of '{owner}'; its key 'collect' says what each round leaves"
        else:
            reason = reason or f"node '{producer}' stands in another branch of '{owner}'"
            fix = fix or f"use it after the branches of '{owner}' have joined"
    for loop in scope.loops.get(name, ()):
        owner = view.nodes[loop].id
        reason = reason or f"it is a variable of loop '{owner}'"
        fix = fix or f"move this into the rounds: what port '{BODY_PORT}' of '{owner}' leads to"
    return reason, fix
