"""SF2xx: the configuration of each node, by its kind."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode
from scaiflow_api.compiler.kinds.base import NONE_OF, NodeConfig
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig
from scaiflow_api.compiler.kinds.logic_loop import NAME_PATTERN, LogicLoopConfig
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.flowgraph.parse import CHOICE
from scaiflow_api.flowgraph.problems import join_path

EXPECTED = {
    "string_type": "must be text",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_too_short": "must not be empty",
}
PATTERNS = {
    NAME_PATTERN: "must begin with a letter or underscore and have only letters, digits and underscores"
}

IDLE_KEYS = {"foreach": ("condition",), "while": ("items", "item_var", "index_var", "max_concurrent")}


def _answer(kind: str, config: dict[str, object]) -> dict[str, object]:
    """Return the nodes of an example: an entry, and one node of the kind."""
    place = {"position": {"x": 0, "y": 0}}
    return {
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **place},
            {"id": "node_answer", "type": kind, "label": "Answer", **place, "config": config},
        ]
    }


MISSING_KEY = Rule(
    "SF201",
    "missing-configuration",
    "node '{node}': {key} is required",
    what="A key that the node's kind needs is absent from its `config`.",
    why="The step could not be carried out.",
    example=_answer("llm_flexible", {}),
)
BAD_VALUE = Rule(
    "SF202",
    "wrong-configuration",
    "node '{node}': {key} {requirement}",
    what="A key of `config` has a value that the node's kind does not take.",
    why="The step could not be carried out as configured.",
    example=_answer("llm_rigid", {"template": ["hello"]}),
)
UNKNOWN_KEY = Rule(
    "SF204",
    "unknown-configuration-key",
    "node '{node}': unknown key '{key}' in {where}",
    severity=WARNING,
    what="A key of `config` is not one that the node's kind knows.",
    why="It is kept and has no effect; usually it is mistyped.",
    example=_answer("llm_flexible", {"goal": "Answer.", "guidence": "Be brief."}),
)
NO_SUBJECT = Rule(
    "SF210",
    "match-without-subject",
    "node '{node}': a decision of style 'match' needs a subject",
    what="A `logic_decision` of style `match` has no `subject`.",
    why="Its edges' literal conditions would have nothing to be compared with.",
    example=_answer("logic_decision", {"style": "match"}),
)
NO_ITEMS = Rule(
    "SF211",
    "foreach-without-items",
    "node '{node}': a loop of style 'foreach' needs items",
    what="A `logic_loop` of style `foreach` has no `items`.",
    why="There is nothing to go through.",
    example=_answer("logic_loop", {"style": "foreach"}),
)
NO_LOOP_CONDITION = Rule(
    "SF212",
    "while-without-condition",
    "node '{node}': a loop of style 'while' needs a condition",
    what="A `logic_loop` of style `while` has no `condition`.",
    why="Nothing says when it ends.",
    example=_answer("logic_loop", {"style": "while", "max_iterations": 10}),
)
NO_BOUND = Rule(
    "SF213",
    "while-without-bound",
    "while loop missing max_iterations",
    what="A `logic_loop` of style `while` has no `max_iterations`.",
    why="A condition that never fails would repeat for ever.",
    example=_answer("logic_loop", {"style": "while", "condition": "true"}),
)
IDLE_KEY = Rule(
    "SF214",
    "configuration-without-effect",
    "node '{node}': {key} has no effect on a loop of style '{style}'",
    severity=WARNING,
    what="A key that belongs to one style of loop is given to the other.",
    why="It is ignored; usually the style is wrong.",
    example=_answer("logic_loop", {"items": "[1]", "condition": "true"}),
)

RULES = (MISSING_KEY, BAD_VALUE, UNKNOWN_KEY, NO_SUBJECT, NO_ITEMS, NO_LOOP_CONDITION, NO_BOUND, IDLE_KEY)


def check(nodes: Sequence[FlowNode], sink: Sink) -> dict[int, NodeConfig]:
    """Report what is wrong with the configurations; return the sound ones by place of the node."""
    sound = {}
    suggestions = Suggestions()
    for node in nodes:
        _check_unknown_keys(node, "config", node.kind.config, node.config, suggestions, sink)
        try:
            config = node.kind.config.model_validate(node.config)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                _report(node, detail, suggestions, sink)
            continue
        sound[node.index] = config
        for where, part in _parts("config", config):
            _check_unknown_keys(node, where, type(part), part.model_extra or {}, suggestions, sink)
        _check_style(node, config, sink)
    return sound


def _report(node: FlowNode, detail: ErrorDetails, suggestions: Suggestions, sink: Sink) -> None:
    key = join_path("config", *detail["loc"])
    path = f"{node.path}.{key}"
    if detail["type"] == "missing":
        sink.report(MISSING_KEY, path, node_id=node.id, node=node.id, key=key)
    else:
        requirement, fix = _requirement(detail), _nearest(detail, suggestions)
        sink.report(BAD_VALUE, path, node_id=node.id, fix=fix, node=node.id, key=key, requirement=requirement)


def _nearest(detail: ErrorDetails, suggestions: Suggestions) -> str | None:
    """Return which of the values that may be given is meant, where there is a list of them."""
    given, kind = detail["input"], detail["type"]
    if kind not in ("literal_error", NONE_OF) or not isinstance(given, str):
        return None
    context = detail["ctx"]
    choices = context["choices"] if kind == NONE_OF else CHOICE.findall(context["expected"])
    return suggestions.did_you_mean(given, choices)


def _requirement(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in EXPECTED:
        return EXPECTED[kind]
    if kind in ("value_error", NONE_OF):
        return f"is not valid: {context['error']}"
    match kind:
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "string_pattern_mismatch":
            return PATTERNS[context["pattern"]]
        case _:
            return f"is not valid ({kind})"


def _check_unknown_keys(
    node: FlowNode,
    where: str,
    model: type[BaseModel],
    given: Iterable[str],
    suggestions: Suggestions,
    sink: Sink,
) -> None:
    known = _known_keys(model)
    if known.issuperset(given):
        return
    for key in given:
        if key not in known:
            fix = suggestions.did_you_mean(key, known)
            path = f"{node.path}.{where}.{key}"
            sink.report(UNKNOWN_KEY, path, node_id=node.id, fix=fix, node=node.id, key=key, where=where)


def _parts(where: str, model: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    """Yield the typed parts of a configuration, each with its path."""
    for name in _fields(type(model)):
        value = getattr(model, name)
        for index, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(item, BaseModel):
                path = f"{where}.{name}" if index is None else f"{where}.{name}[{index}]"
                yield path, item
                yield from _parts(path, item)


@cache
def _fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields that can hold typed parts."""
    return tuple(
        name for name, field in model.model_fields.items() if any(map(_is_model, _types(field.annotation)))
    )


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


@cache
def _known_keys(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _check_style(node: FlowNode, config: NodeConfig, sink: Sink) -> None:
    match config:
        case LogicDecisionConfig(style="match") if not config.subject:
            fix = "name what the conditions are compared with, or use style 'if'"
            sink.report(NO_SUBJECT, f"{node.path}.config.subject", node_id=node.id, fix=fix, node=node.id)
        case LogicLoopConfig():
            _check_loop(node, config, sink)


def _check_loop(node: FlowNode, config: LogicLoopConfig, sink: Sink) -> None:
    path = f"{node.path}.config"
    if config.style == "foreach" and config.items is None:
        fix = "write the list as an expression, such as 'input.orders'"
        sink.report(NO_ITEMS, f"{path}.items", node_id=node.id, fix=fix, node=node.id)
    if config.style == "while" and config.condition is None:
        fix = "write an expression that is false when the loop shall end"
        sink.report(NO_LOOP_CONDITION, f"{path}.condition", node_id=node.id, fix=fix, node=node.id)
    if config.style == "while" and config.max_iterations is None:
        fix = "set max_iterations; 1000 is a start"
        sink.report(NO_BOUND, f"{path}.max_iterations", node_id=node.id, fix=fix)
    for key in IDLE_KEYS[config.style]:
        if key in config.model_fields_set and getattr(config, key) is not None:
            fix = "remove it, or change the style"
            names = {"node": node.id, "key": f"config.{key}", "style": config.style}
            sink.report(IDLE_KEY, f"{path}.{key}", node_id=node.id, fix=fix, **names)
