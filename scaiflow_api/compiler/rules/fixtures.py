"""SF32x: the fixtures in `tests`: what they give, where they start, how they answer, what they expect."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from scaiflow_api.compiler.analysis.shapes import misfit
from scaiflow_api.compiler.analysis.types import TypeSyntaxError, parse_type
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.kinds.base import EntryConfig, NodeConfig
from scaiflow_api.compiler.kinds.pause import PauseConfig, option_id
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.flowgraph.models import TestFixture
from scaiflow_api.flowgraph.problems import join_path

JSON: TypeAlias = Any
Choice: TypeAlias = tuple[str, frozenset[str]]
"""The key of a resolution that says what was chosen, and what there is to choose from."""
PLACE = {"position": {"x": 0, "y": 0}}


def _tested(fixture: dict[str, object]) -> list[dict[str, object]]:
    return [{"name": "answers", "input": {}, "expect": {}, **fixture}]


WRONG_INPUT = Rule(
    "SF320",
    "fixture-against-the-input-schema",
    "fixture '{fixture}': {problem}",
    severity=WARNING,
    what="The input of a fixture is not what the `input_schema` of the entry it starts at declares.",
    why="Nobody may call the flow so, and what the test shows says little.",
    example={
        "nodes": [
            {
                "id": "node_entry",
                "type": "entry_api",
                "label": "API",
                **PLACE,
                "config": {"input_schema": {"message": "string"}},
            },
            {
                "id": "node_answer",
                "type": "llm_rigid",
                "label": "A",
                **PLACE,
                "config": {"template": "hello"},
            },
        ],
        "tests": _tested({"input": {"mesage": "hi"}}),
    },
)
WRONG_NODE = Rule(
    "SF321",
    "fixture-names-no-such-node",
    "fixture '{fixture}': '{node}' is {what}",
    severity=WARNING,
    what="The `entry` of a fixture is no entry node, or a key of its `resolutions` is no node that waits for people.",
    why="The test could not start there, and nobody would ask for that answer.",
    example={"tests": _tested({"resolutions": {"node_answer": "approve"}})},
)
WRONG_MATCHER = Rule(
    "SF322",
    "malformed-matcher",
    "fixture '{fixture}': {problem}",
    severity=WARNING,
    what="A matcher in the `expect` of a fixture does not exist, or does not get what it takes.",
    why="The test would fail whatever the flow answers.",
    example={"tests": _tested({"expect": {"count": {"$gtr": 3}}})},
)

WRONG_ANSWER = Rule(
    "SF323",
    "fixture-answers-no-option",
    "fixture '{fixture}': '{answer}' is none of the options of node '{node}'",
    severity=WARNING,
    what="A fixture in its `resolutions` chooses what the node does not offer.",
    why="The answer is refused, and the test fails.",
    example={
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {
                "id": "node_answer",
                "type": "hitl_decision",
                "label": "Ask",
                **PLACE,
                "config": {"options": ["approve", "reject"]},
            },
        ],
        "tests": _tested({"resolutions": {"node_answer": "aprove"}}),
    },
)

RULES = (WRONG_INPUT, WRONG_NODE, WRONG_MATCHER, WRONG_ANSWER)

WAITING_KINDS = frozenset({"checkpoint", "hitl_decision", "hitl_review"})
JSON_TYPES = frozenset(
    {
        "string",
        "int",
        "integer",
        "float",
        "number",
        "bool",
        "boolean",
        "array",
        "list",
        "object",
        "map",
        "null",
    }
)
MAX_PATTERN = 512


def check(view: FlowView, sink: Sink) -> None:
    suggestions = Suggestions()

    @cache
    def choice(node: int) -> Choice:
        return _choice(view.configs.get(node))

    for index, fixture in enumerate(view.graph.tests):
        path = f"tests[{index}]"
        entry = _check_entry(fixture, f"{path}.entry", view, suggestions, sink)
        if entry is not None:
            _check_input(fixture, f"{path}.input", view, entry, suggestions, sink)
        _check_resolutions(fixture, f"{path}.resolutions", view, choice, suggestions, sink)
        for where, problem, fix in _malformed(fixture.expect, suggestions):
            place = join_path(f"{path}.expect", *where)
            sink.report(WRONG_MATCHER, place, fix=fix, fixture=fixture.name, problem=problem)


def _check_entry(
    fixture: TestFixture, path: str, view: FlowView, suggestions: Suggestions, sink: Sink
) -> FlowNode | None:
    """Return the node that a fixture starts at: the one it names, else the first entry."""
    if fixture.entry is None:
        return view.entries[0] if view.entries else None
    node = view.by_id.get(fixture.entry)
    if node is not None and node.is_entry:
        return node
    what = "no node of this flow" if node is None else "no entry node"
    fix = suggestions.did_you_mean(fixture.entry, [entry.id for entry in view.entries])
    sink.report(WRONG_NODE, path, fix=fix, fixture=fixture.name, node=fixture.entry, what=what)
    return None


def _check_input(
    fixture: TestFixture, path: str, view: FlowView, entry: FlowNode, suggestions: Suggestions, sink: Sink
) -> None:
    config = view.configs.get(entry.index)
    if not isinstance(config, EntryConfig) or config.input_schema is None:
        return
    for name in sorted(fixture.input.keys() - config.input_schema.keys()):
        fix = suggestions.did_you_mean(name, config.input_schema)
        problem = f"the input_schema of '{entry.id}' has no field '{name}'"
        sink.report(WRONG_INPUT, f"{path}.{name}", fix=fix, fixture=fixture.name, problem=problem)
    for name, text in sorted(config.input_schema.items()):
        try:
            type_ = parse_type(text)
        except TypeSyntaxError:
            continue
        if name not in fixture.input and not type_.optional:
            problem = f"the field '{name}' is missing, which the input_schema of '{entry.id}' declares"
            fix = f"give it, or declare it as {text}?"
            sink.report(WRONG_INPUT, path, fix=fix, fixture=fixture.name, problem=problem)
        elif (wrong := misfit(fixture.input.get(name), type_)) is not None:
            problem = f"the field '{name}' is {text}: {wrong}"
            sink.report(WRONG_INPUT, f"{path}.{name}", fixture=fixture.name, problem=problem)


def _check_resolutions(
    fixture: TestFixture,
    path: str,
    view: FlowView,
    choice: Callable[[int], Choice],
    suggestions: Suggestions,
    sink: Sink,
) -> None:
    for name in sorted(fixture.resolutions):
        node = view.by_id.get(name)
        if node is not None and node.type in WAITING_KINDS:
            _check_answers(fixture, join_path(path, name), node, choice(node.index), suggestions, sink)
            continue
        what = "no node of this flow" if node is None else "no node that waits for an answer"
        waiting = [item.id for item in view.nodes if item.type in WAITING_KINDS]
        fix = suggestions.did_you_mean(name, waiting)
        sink.report(WRONG_NODE, f"{path}.{name}", fix=fix, fixture=fixture.name, node=name, what=what)


def _check_answers(
    fixture: TestFixture, path: str, node: FlowNode, choice: Choice, suggestions: Suggestions, sink: Sink
) -> None:
    field, options = choice
    given = fixture.resolutions[node.id]
    for place, answer in enumerate(given) if isinstance(given, list) else [(None, given)]:
        chosen = answer.get(field) if isinstance(answer, dict) else answer
        if options and isinstance(chosen, str) and chosen not in options:
            fix = suggestions.did_you_mean(chosen, options)
            where = path if place is None else join_path(path, place)
            ids = {"fixture": fixture.name, "answer": chosen, "node": node.id}
            sink.report(WRONG_ANSWER, where, fix=fix, **ids)


def _choice(config: NodeConfig | None) -> Choice:
    """Return what a node lets people choose from; no options where that is not known, or everything."""
    if not isinstance(config, PauseConfig):
        return "", frozenset()
    field, options = config.decision
    names = frozenset(str(option_id(option)) for option in options)
    return field, frozenset() if any("{{" in name for name in names) else names


# Matchers

Where: TypeAlias = tuple[str | int, ...]


def _malformed(expect: JSON, suggestions: Suggestions) -> Iterator[tuple[Where, str, str | None]]:
    """Yield what is wrong with the matchers in an expectation: where, what, and what may be meant."""
    pending: list[tuple[Where, JSON]] = [((), expect)]
    while pending:
        where, value = pending.pop()
        if isinstance(value, list):
            pending += [((*where, index), value[index]) for index in reversed(range(len(value)))]
        if not isinstance(value, dict):
            continue
        names = sorted(key for key in value if key.startswith("$"))
        if names and len(value) > 1:
            yield (
                where,
                f"'{names[0]}' stands beside other keys, so it is no matcher",
                "give it an object of its own",
            )
        elif names and names[0] not in TAKES:
            yield where, f"there is no matcher '{names[0]}'", suggestions.did_you_mean(names[0], TAKES)
        elif names:
            accepts, what = TAKES[names[0]]
            given = value[names[0]]
            if not accepts(given):
                is_type = names[0] == "$type" and isinstance(given, str)
                fix = suggestions.did_you_mean(given, JSON_TYPES) if is_type else None
                yield where, f"'{names[0]}' takes {what}", fix
        nested = value.keys() - OPAQUE
        pending += [((*where, key), value[key]) for key in sorted(nested, reverse=True)]


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_length(value: JSON) -> bool:
    return isinstance(value, dict) or (_is_number(value) and value >= 0)


def _is_approximation(value: JSON) -> bool:
    if not isinstance(value, dict) or value.keys() != {"value", "tol"}:
        return False
    return _is_number(value["value"]) and _is_number(value["tol"]) and value["tol"] >= 0


def _is_orderable(value: JSON) -> bool:
    return _is_number(value) or isinstance(value, str)


_ORDERING: tuple[Callable[[JSON], bool], str] = (_is_orderable, "a number or a text")
TAKES: Mapping[str, tuple[Callable[[JSON], bool], str]] = {
    "$any": (lambda value: value is True, "true"),
    "$absent": (lambda value: value is True, "true"),
    "$type": (
        lambda value: isinstance(value, str) and value in JSON_TYPES,
        f"one of {', '.join(sorted(JSON_TYPES))}",
    ),
    "$regex": (
        lambda value: isinstance(value, str) and len(value) <= MAX_PATTERN,
        f"a pattern of at most {MAX_PATTERN} characters",
    ),
    "$contains": (lambda _: True, "any value"),
    "$in": (lambda value: isinstance(value, list), "a list"),
    "$gt": _ORDERING,
    "$gte": _ORDERING,
    "$lt": _ORDERING,
    "$lte": _ORDERING,
    "$approx": (_is_approximation, "{value, tol}, two numbers, tol not below 0"),
    "$len": (_is_length, "a length, or a matcher of it"),
}
"""Matcher → whether it takes an argument, and what it takes, in words."""
OPAQUE = frozenset({"$any", "$absent", "$type", "$regex", "$approx"})
"""Matchers whose argument holds no expectations."""
