"""SF311, SF313, SF314: the types that the flow declares can be read, and defaults fit them."""

from collections.abc import Iterator

from scaiflow_api.compiler.analysis.shapes import misfit
from scaiflow_api.compiler.analysis.types import TYPE_NAMES, Type, TypeSyntaxError, parse_type
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.suggest import Suggestions

UNREADABLE_TYPE = Rule(
    "SF311",
    "unreadable-type",
    "the type of {what} cannot be read: {problem}",
    severity=WARNING,
    what="A type in `output_schema`, `input_schema` or `variables` is not one of the language.",
    why="A runtime cannot say whether a value has it, and nothing is checked against it here.",
    example={"variables": [{"name": "orders", "type": "array<string", "default": []}]},
)
WRONG_DEFAULT = Rule(
    "SF313",
    "default-against-its-type",
    "variable '{name}' is {type}, and its default is not: {problem}",
    severity=WARNING,
    what="The default of a variable is no value of its declared type.",
    why="Whatever reads the variable counts on its type.",
    example={"variables": [{"name": "attempts", "type": "int", "default": "none"}]},
)

MISNAMED_TYPE = Rule(
    "SF314",
    "misnamed-type",
    "the type of {what} is '{type}', which is none of the language",
    severity=WARNING,
    what="A type is almost one of the language, or is what other languages call one: `strng`, `integer`.",
    why="It is taken for a type that is declared elsewhere, and nothing is checked against it.",
    example={"variables": [{"name": "attempts", "type": "integer", "default": 0}]},
)

RULES = (UNREADABLE_TYPE, WRONG_DEFAULT, MISNAMED_TYPE)

ELSEWHERE = {
    "str": "string",
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "double": "float",
    "list": "array",
    "dict": "object",
}
"""What other languages call a type → what this one does."""


def check(view: FlowView, sink: Sink) -> None:
    suggestions = Suggestions()
    for place, node_id, what, text in _types(view):
        _read(text, place, what, suggestions, sink, node_id)
    for index, variable in enumerate(view.graph.variables):
        path = f"variables[{index}]"
        type_ = _read(variable.type, f"{path}.type", f"variable '{variable.name}'", suggestions, sink)
        problem = type_ and misfit(variable.default, type_)
        if problem:
            fix = "write a default of that type, or change the type"
            names = {"name": variable.name, "type": variable.type, "problem": problem}
            sink.report(WRONG_DEFAULT, f"{path}.default", fix=fix, **names)


def _types(view: FlowView) -> Iterator[tuple[str, str, str, str]]:
    """Yield the declared types of fields: path, node, what it belongs to, text."""
    for node in view.nodes:
        for key in ("input_schema", "output_schema"):
            given = node.config.get(key)
            if not isinstance(given, dict):
                continue
            for name in sorted(given):
                text = given[name]
                if isinstance(text, str):
                    yield f"{node.path}.config.{key}.{name}", node.id, f"field '{name}'", text


def _read(
    text: str, path: str, what: str, suggestions: Suggestions, sink: Sink, node_id: str | None = None
) -> Type | None:
    try:
        type_ = parse_type(text)
    except TypeSyntaxError as error:
        fix = "write it like string, int?, enum[a, b], array<string> or map<string, float>"
        sink.report(UNREADABLE_TYPE, path, node_id=node_id, fix=fix, what=what, problem=str(error))
        return None
    for name in type_.names():
        if name not in TYPE_NAMES:
            near = ELSEWHERE.get(name.lower()) or suggestions.near_miss(name, TYPE_NAMES)
            if near:
                fix = f"did you mean '{near}'?"
                sink.report(MISNAMED_TYPE, path, node_id=node_id, fix=fix, what=what, type=name)
    return type_
