"""SF504 to SF506: the plugins that nodes call, as far as their methods are known."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.kinds.tool_plugin import ToolPluginConfig
from scaiflow_api.compiler.knowledge.plugin_signatures import SIGNATURES, Methods, Signature
from scaiflow_api.compiler.suggest import Suggestions

PLACE = {"position": {"x": 0, "y": 0}}
SCHEME = "plugin://"


def _calling(plugin: str, method: str, args: dict[str, object]) -> dict[str, object]:
    config = {"plugin": plugin, "method": method, "args": args}
    return {
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {"id": "node_answer", "type": "tool_plugin", "label": "Find", **PLACE, "config": config},
        ]
    }


UNKNOWN_METHOD = Rule(
    "SF504",
    "unknown-method",
    "node '{node}': the plugin '{plugin}' has no known method '{method}'",
    severity=WARNING,
    what="A node calls a method that is not among those that are known of its plugin.",
    why="The call fails if there is no such method; usually the name is mistyped.",
    example=_calling("scaidrive", "serach", {"path": "/", "query": "x"}),
)
UNKNOWN_PLUGIN = Rule(
    "SF505",
    "unknown-plugin",
    "node '{node}': the plugin '{plugin}' is neither known nor declared",
    severity=WARNING,
    what="A node calls a plugin of which the compiler knows nothing and which `config.plugins` does not name.",
    why="It is added to the manifest all the same; the Core does not start where there is no such plugin.",
    example=_calling("scaidrvie", "search", {"path": "/", "query": "x"}),
)
MISSING_ARGUMENT = Rule(
    "SF506",
    "missing-argument",
    "plugin call '{plugin}.{method}': missing required arg '{argument}'",
    what="A node calls a known method without an argument that it needs.",
    why="The call would fail.",
    example=_calling("scaidrive", "search", {"query": "x"}),
)
BAD_METHODS = Rule(
    "SF513",
    "unreadable-methods",
    "config.plugins[{index}].methods is not a mapping of names to {{required, optional}}",
    severity=WARNING,
    what="An entry of `config.plugins` describes its methods in a form that cannot be read.",
    why="Calls of that plugin are not checked.",
    example={"config": {"plugins": [{"alias": "crm", "methods": ["find"]}]}},
)

MISNAMED_ARGUMENT = Rule(
    "SF514",
    "misnamed-argument",
    "plugin call '{plugin}.{method}': unknown arg '{argument}'",
    severity=WARNING,
    what=(
        "A node calls a known method with an argument that is almost one that it takes. Others are not reported: a "
        "plugin may take more than is known."
    ),
    why="What the method does not know has no effect.",
    example=_calling("scaidrive", "search", {"path": "/", "query": "x", "limt": 3}),
)

RULES = (UNKNOWN_METHOD, UNKNOWN_PLUGIN, MISSING_ARGUMENT, BAD_METHODS, MISNAMED_ARGUMENT)


def check(view: FlowView, sink: Sink) -> None:
    known: dict[str, Methods] = {**SIGNATURES, **_declared(view, sink)}
    suggestions = Suggestions()
    for node in view.nodes:
        config = view.configs.get(node.index)
        if isinstance(config, ToolPluginConfig):
            _check_call(node, config, known, suggestions, sink)


def _declared(view: FlowView, sink: Sink) -> dict[str, Methods]:
    """Return the plugins of the flow by alias; those of whose methods nothing is known have none."""
    declared: dict[str, Methods] = {}
    for index, entry in enumerate(view.graph.config.plugins):
        plugin = entry if isinstance(entry, dict) else {"alias": entry}
        alias, endpoint, methods = plugin.get("alias"), plugin.get("endpoint"), plugin.get("methods")
        if not isinstance(alias, str):
            continue
        name = endpoint.removeprefix(SCHEME) if isinstance(endpoint, str) else alias
        own = {} if methods is None else _read_methods(methods)
        if own is None:
            path = f"config.plugins[{index}].methods"
            sink.report(
                BAD_METHODS, path, fix="write {name: {required: [...], optional: [...]}}", index=str(index)
            )
        declared[alias] = {**SIGNATURES.get(name, {}), **(own or {})}
    return declared


def _read_methods(methods: object) -> Methods | None:
    if not isinstance(methods, dict):
        return None
    signatures = {name: _read_signature(value) for name, value in methods.items()}
    found = {name: signature for name, signature in signatures.items() if signature is not None}
    return found if len(found) == len(signatures) else None


def _read_signature(value: object) -> Signature | None:
    if not isinstance(value, dict):
        return None
    required, optional = value.get("required", []), value.get("optional", [])
    if not (_are_texts(required) and _are_texts(optional)):
        return None
    return Signature(tuple(required), tuple(optional))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _check_call(
    node: FlowNode,
    config: ToolPluginConfig,
    known: Mapping[str, Methods],
    suggestions: Suggestions,
    sink: Sink,
) -> None:
    plugin, method, path = config.plugin, config.method, f"{node.path}.config"
    if plugin not in known:
        fix = suggestions.did_you_mean(plugin, known) or "declare it in config.plugins"
        sink.report(UNKNOWN_PLUGIN, f"{path}.plugin", node_id=node.id, fix=fix, node=node.id, plugin=plugin)
        return
    methods = known[plugin]
    if not methods:
        return
    if method not in methods:
        fix = suggestions.did_you_mean(method, methods) or "known are " + ", ".join(sorted(methods))
        names = {"node": node.id, "plugin": plugin, "method": method}
        sink.report(UNKNOWN_METHOD, f"{path}.method", node_id=node.id, fix=fix, **names)
        return
    signature = methods[method]
    strange = sorted(set(config.args) - {*signature.required, *signature.optional})
    names = {"plugin": plugin, "method": method}
    for argument in signature.required:
        if argument not in config.args:
            near = suggestions.near_miss(argument, strange)
            fix = f"rename '{near}' to '{argument}'" if near else f"add '{argument}' to args"
            sink.report(
                MISSING_ARGUMENT, f"{path}.args", node_id=node.id, fix=fix, **names, argument=argument
            )
            strange = [name for name in strange if name != near]
    absent = [argument for argument in signature.optional if argument not in config.args]
    for argument in strange:
        near = suggestions.near_miss(argument, absent)
        if near is not None:
            where, fix = f"{path}.args.{argument}", f"did you mean '{near}'?"
            sink.report(MISNAMED_ARGUMENT, where, node_id=node.id, fix=fix, **names, argument=argument)
