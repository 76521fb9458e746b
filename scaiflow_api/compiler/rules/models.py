"""SF50x: what nodes take from the flow's `config`: model roles, plugins."""

from scaiflow_api.compiler.diagnostics import Rule, Sink
from scaiflow_api.compiler.flow import FlowView
from scaiflow_api.compiler.suggest import Suggestions

PLACE = {"position": {"x": 0, "y": 0}}
MODEL_KINDS = ("llm_guarded", "llm_flexible")


def _flexible(config: dict[str, object]) -> list[dict[str, object]]:
    return [
        {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
        {
            "id": "node_answer",
            "type": "llm_flexible",
            "label": "Answer",
            **PLACE,
            "config": {"goal": "Answer.", **config},
        },
    ]


UNDECLARED_ROLE = Rule(
    "SF501",
    "undeclared-role",
    "llm_role validation failed: node '{node}': llm_role='{role}' is not declared",
    what="A node names a model role that `config.core_identity.models` does not declare.",
    why="Nobody could say which model to call.",
    example={"nodes": _flexible({"llm_role": "fastt"})},
)
NO_MODEL = Rule(
    "SF502",
    "no-model",
    "node '{node}' calls a model, and the flow declares none",
    what="A node calls a model without naming a role, and `config.core_identity.models` is absent.",
    why="The first entry of that registry would serve it.",
    example={"nodes": _flexible({}), "config": {}},
)
NAMELESS_PLUGIN = Rule(
    "SF503",
    "plugin-without-alias",
    "config.plugins[{index}] has no alias",
    what="An entry of `config.plugins` is neither an alias nor an object with an `alias`.",
    why="The manifest lists plugins by alias.",
    example={"config": {"plugins": [{"endpoint": "plugin://scaidrive"}]}},
)

RULES = (UNDECLARED_ROLE, NO_MODEL, NAMELESS_PLUGIN)


def check(view: FlowView, sink: Sink) -> None:
    identity = view.graph.config.core_identity
    roles = {entry.role for entry in (identity.models or () if identity else ())}
    suggestions = Suggestions()
    for node in view.nodes:
        if node.source.type not in MODEL_KINDS:
            continue
        config = node.source.config
        key = "llm_role" if config.get("llm_role") is not None else "model"
        role = config.get(key)
        if isinstance(role, str) and role not in roles:
            fix = suggestions.did_you_mean(role, roles) or "declare it in config.core_identity.models"
            path = f"{node.path}.config.{key}"
            sink.report(UNDECLARED_ROLE, path, node_id=node.id, fix=fix, node=node.id, role=role)
        elif role is None and not roles:
            fix = "declare a model in config.core_identity.models"
            sink.report(NO_MODEL, node.path, node_id=node.id, fix=fix, node=node.id)
    for index, plugin in enumerate(view.graph.config.plugins):
        alias = plugin.get("alias") if isinstance(plugin, dict) else plugin
        if not isinstance(alias, str) or not alias:
            sink.report(NAMELESS_PLUGIN, f"config.plugins[{index}]", index=str(index))
