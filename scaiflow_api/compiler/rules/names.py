"""SF30x: the names that expressions ask for, and those that nodes offer."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.flow import FlowNode, FlowView, short_id
from scaiflow_api.compiler.kinds.base import EntryConfig
from scaiflow_api.compiler.kinds.data_variable_set import DataVariableSetConfig
from scaiflow_api.compiler.rules.expressions import Use
from scaiflow_api.compiler.suggest import Suggestions

PLACE = {"position": {"x": 0, "y": 0}}


def _answer(kind: str, config: dict[str, object]) -> dict[str, object]:
    entry = {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE}
    return {
        "nodes": [entry, {"id": "node_answer", "type": kind, "label": "Answer", **PLACE, "config": config}],
        "variables": [{"name": "attempts", "type": "int", "default": 0}],
    }


UNKNOWN_NAME = Rule(
    "SF301",
    "unknown-name",
    "{owner}: {field} uses the unknown name '{name}'",
    severity=WARNING,
    what=(
        "An expression asks for a name that nothing offers. Where the entries declare no `input_schema` any "
        "name may come with the input, so only near misses of known names are reported."
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
    what="A node, variable, binding, port or result has a name that begins with two underscores.",
    why="The compiler guards joins with variables of such names, which must not be hidden.",
    example=_answer("data_variable_set", {"variable": "__attempts", "value": 1}),
)

RULES = (UNKNOWN_NAME, UNDECLARED_VARIABLE, RESERVED_NAME)

ALWAYS = frozenset({"input"})
OWN_RESULT = frozenset({"result", "output"})
"""Names of the node's own result, in `validate` alone."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A name that the document brings into scope."""

    path: str
    name: str
    node_id: str | None = None


@dataclass(slots=True)
class _Names:
    everywhere: set[str] = field(default_factory=lambda: set(ALWAYS))
    at_node: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Bindings and data values, which only their own node sees."""


def check(view: FlowView, uses: list[Use], sink: Sink) -> None:
    names = _Names()
    for offer in _offers(view, names):
        if offer.name.startswith(ir.RESERVED_PREFIX):
            sink.report(RESERVED_NAME, offer.path, node_id=offer.node_id, fix="rename it", name=offer.name)
    _check_assignments(view, sink)
    _check_uses(view, uses, names, sink)


def _offers(view: FlowView, names: _Names) -> Iterator[_Offer]:
    """Yield every name with its place, and sort them into `names`."""
    for index, variable in enumerate(view.graph.variables):
        names.everywhere.add(variable.name)
        yield _Offer(f"variables[{index}].name", variable.name)
    for fixture in view.graph.tests:
        names.everywhere.update(fixture.input)
    for node in view.nodes:
        names.everywhere.update((node.id, short_id(node.id)))
        yield _Offer(f"{node.path}.id", short_id(node.id), node.id)
        yield from _offers_of_config(node, view, names)
    for edge in view.edges:
        if edge.type == "data":
            names.at_node[edge.target].add(edge.target_port)
            yield _Offer(f"{edge.path}.target.port", edge.target_port)


def _offers_of_config(node: FlowNode, view: FlowView, names: _Names) -> Iterator[_Offer]:
    raw = node.source.config
    binding = raw.get("result_binding")
    if isinstance(binding, str):
        names.everywhere.add(binding)
        yield _Offer(f"{node.path}.config.result_binding", binding, node.id)
    for key, scope in (
        ("output_schema", names.everywhere),
        ("input_schema", names.everywhere),
        ("input_bindings", names.at_node[node.index]),
        ("context_bindings", names.at_node[node.index]),
    ):
        given = raw.get(key)
        for name in sorted(given) if isinstance(given, dict) else ():
            scope.add(name)
            yield _Offer(f"{node.path}.config.{key}.{name}", name, node.id)
    config = view.configs.get(node.index)
    if isinstance(config, DataVariableSetConfig):
        for path, item in config.places():
            names.everywhere.add(item.variable)
            yield _Offer(f"{node.path}.config.{path}", item.variable, node.id)


def _check_assignments(view: FlowView, sink: Sink) -> None:
    declared = {variable.name for variable in view.graph.variables}
    suggestions = Suggestions()
    for node in view.nodes:
        config = view.configs.get(node.index)
        if not isinstance(config, DataVariableSetConfig):
            continue
        for path, item in config.places():
            name = item.variable
            if name in declared or name == "output" or name.startswith(ir.RESERVED_PREFIX):
                continue
            near = suggestions.near_miss(name, [*declared, "output"])
            fix = f"did you mean '{near}'?" if near else f"declare '{name}' in the flow's variables"
            where = f"{node.path}.config.{path}"
            sink.report(UNDECLARED_VARIABLE, where, node_id=node.id, fix=fix, node=node.id, name=name)


def _check_uses(view: FlowView, uses: list[Use], names: _Names, sink: Sink) -> None:
    schemas = [view.configs.get(entry.index) for entry in view.entries]
    closed = bool(schemas) and all(
        isinstance(config, EntryConfig) and config.input_schema is not None for config in schemas
    )
    suggestions = Suggestions(budget=1_000_000)

    @cache
    def near_global(name: str) -> str | None:
        return suggestions.near_miss(name, names.everywhere)

    for use in uses:
        local = names.at_node.get(use.node, set())
        known = OWN_RESULT | local if use.field == "validate" else local
        for name in sorted(use.names - names.everywhere - known):
            if name == "output" or name.startswith(ir.RESERVED_PREFIX):
                continue
            near = suggestions.near_miss(name, known) or near_global(name)
            if near is None and not closed:
                continue
            node = view.nodes[use.node]
            owner = f"edge '{use.edge_id}'" if use.edge_id else f"node '{node.id}'"
            sink.report(
                UNKNOWN_NAME,
                use.path,
                node_id=None if use.edge_id else node.id,
                edge_id=use.edge_id,
                fix=f"did you mean '{near}'?" if near else None,
                owner=owner,
                field=use.field,
                name=name,
            )
