"""SF2xx: the configuration of each node, by its kind."""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.flow import FlowNode
from scaiflow_api.compiler.kinds import COMPILED_KINDS, PendingKind
from scaiflow_api.compiler.kinds.base import NodeConfig
from scaiflow_api.compiler.kinds.logic_decision import LogicDecisionConfig
from scaiflow_api.compiler.suggest import Suggestions
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
    what="A key of `config` is none that the node's kind knows.",
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
UNSUPPORTED_KIND = Rule(
    "SF290",
    "unsupported-kind",
    "kind '{kind}' is not supported yet",
    what="The compiler does not know how to compile nodes of this kind yet.",
    why="The flow can be stored and edited; compiling it would leave a step out.",
    example=_answer("tool_plugin", {"plugin": "scaidrive", "method": "search"}),
)
UNSUPPORTED_BREAKPOINT = Rule(
    "SF291",
    "unsupported-breakpoint",
    "node '{node}': breakpoints are not supported yet",
    what="A node asks for a pause before it runs.",
    why="The run would not stop where the author expects it.",
    example=_answer("llm_rigid", {"template": "hello", "breakpoint": True}),
)

RULES = (MISSING_KEY, BAD_VALUE, UNKNOWN_KEY, NO_SUBJECT, UNSUPPORTED_KIND, UNSUPPORTED_BREAKPOINT)


def check(nodes: Sequence[FlowNode], sink: Sink) -> dict[int, NodeConfig]:
    """Report what is wrong with the configurations; return the sound ones by place of the node."""
    sound = {}
    suggestions = Suggestions()
    for node in nodes:
        if isinstance(node.kind, PendingKind):
            _report_pending(node, sink)
            continue
        _check_unknown_keys(node, "config", node.kind.config, node.source.config, suggestions, sink)
        try:
            config = node.kind.config.model_validate(node.source.config)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                _report(node, detail, sink)
            continue
        sound[node.index] = config
        for where, part in _parts("config", config):
            _check_unknown_keys(node, where, type(part), part.model_extra or {}, suggestions, sink)
        _check_support(node, config, sink)
    return sound


def _report_pending(node: FlowNode, sink: Sink) -> None:
    fix = "use one of the supported kinds: " + ", ".join(COMPILED_KINDS)
    path = f"{node.path}.type"
    sink.report(UNSUPPORTED_KIND, path, node_id=node.id, fix=fix, kind=node.source.type)


def _report(node: FlowNode, detail: ErrorDetails, sink: Sink) -> None:
    key = join_path("config", *detail["loc"])
    path = f"{node.path}.{key}"
    if detail["type"] == "missing":
        sink.report(MISSING_KEY, path, node_id=node.id, node=node.id, key=key)
    else:
        requirement = _requirement(detail)
        sink.report(BAD_VALUE, path, node_id=node.id, node=node.id, key=key, requirement=requirement)


def _requirement(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in EXPECTED:
        return EXPECTED[kind]
    match kind:
        case "value_error":
            return f"is not valid: {context['error']}"
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
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
    known = {info.alias or name for name, info in model.model_fields.items()}
    for key in given:
        if key not in known:
            fix = suggestions.did_you_mean(key, known)
            path = f"{node.path}.{where}.{key}"
            sink.report(UNKNOWN_KEY, path, node_id=node.id, fix=fix, node=node.id, key=key, where=where)


def _parts(where: str, model: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    """Yield the typed parts of a configuration, each with its path."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        for index, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(item, BaseModel):
                path = f"{where}.{name}" if index is None else f"{where}.{name}[{index}]"
                yield path, item
                yield from _parts(path, item)


def _check_support(node: FlowNode, config: NodeConfig, sink: Sink) -> None:
    if config.breakpoint:
        path = f"{node.path}.config.breakpoint"
        sink.report(UNSUPPORTED_BREAKPOINT, path, node_id=node.id, fix="remove it", node=node.id)
    if isinstance(config, LogicDecisionConfig) and config.style == "match" and not config.subject:
        fix = "name what the conditions are compared with, or use style 'if'"
        sink.report(NO_SUBJECT, f"{node.path}.config.subject", node_id=node.id, fix=fix, node=node.id)
