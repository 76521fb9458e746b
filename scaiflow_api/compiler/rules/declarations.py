"""SF311, SF313: the types that the flow declares can be read, and defaults fit them."""

from collections.abc import Iterator

from scaiflow_api.compiler.analysis.shapes import misfit
from scaiflow_api.compiler.analysis.types import Type, TypeSyntaxError, parse_type
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView

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

RULES = (UNREADABLE_TYPE, WRONG_DEFAULT)


def check(view: FlowView, sink: Sink) -> None:
    for place, node_id, what, text in _types(view):
        _read(text, place, what, sink, node_id)
    for index, variable in enumerate(view.graph.variables):
        path = f"variables[{index}]"
        type_ = _read(variable.type, f"{path}.type", f"variable '{variable.name}'", sink)
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


def _read(text: str, path: str, what: str, sink: Sink, node_id: str | None = None) -> Type | None:
    try:
        return parse_type(text)
    except TypeSyntaxError as error:
        fix = "write it like string, int?, enum[a, b], array<string> or map<string, float>"
        sink.report(UNREADABLE_TYPE, path, node_id=node_id, fix=fix, what=what, problem=str(error))
        return None
