"""SF501 to SF503, SF517, SF52x: what nodes take from the flow's `config`: model roles, plugins."""

from collections.abc import Sequence

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.flowgraph.config import ModelEntry

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


def _registry(settings: dict[str, object]) -> dict[str, object]:
    """Return the `config` of a flow with one model."""
    model = {"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o", **settings}
    return {"core_identity": {"models": [model]}}


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

PLUGIN_TWICE = Rule(
    "SF517",
    "plugin-declared-twice",
    "config.plugins[{index}] declares the plugin '{alias}' again",
    severity=WARNING,
    what="Two entries of `config.plugins` have the same alias.",
    why="A call names the alias alone; which of the two it reaches is up to the runtime.",
    example={"config": {"plugins": ["crm", {"alias": "crm", "endpoint": "plugin://other-crm"}]}},
)

UNUSED_ROLE = Rule(
    "SF520",
    "unused-role",
    "no node uses the model role '{role}'",
    severity=WARNING,
    what=(
        "A role of `config.core_identity.models` is named by no node. The first one is not reported: it serves "
        "nodes that name none."
    ),
    why="Usually a node that should use it uses the first model instead.",
    example={"nodes": _flexible({})},
)
NO_STRUCTURED_OUTPUT = Rule(
    "SF521",
    "no-structured-output",
    "node '{node}' needs structured output, and the model of role '{role}' does not offer it",
    severity=WARNING,
    what=(
        "A node has an `output_schema`, and the `modalities` of its model do not name `structured_output`. A model "
        "without `modalities` is not reported: what it then has differs between runtimes."
    ),
    why="The model may answer with text that has none of the fields.",
    example={
        "nodes": _flexible({"output_schema": {"intent": "string"}}),
        "config": _registry({"modalities": ["text"]}),
    },
)
TEXT_ONLY_SETTING = Rule(
    "SF522",
    "setting-without-text",
    "{key} has no effect on the model of role '{role}': it works with {modalities} alone",
    severity=WARNING,
    what="A model that works with no text has a `temperature` or a `system_context`.",
    why="Both are for models that write text.",
    example={"config": _registry({"modalities": ["embedding"], "temperature": 0.2})},
)

MISNAMED_PROVIDER = Rule(
    "SF523",
    "misnamed-provider",
    "the provider '{ref}' of role '{role}' is none that is known",
    severity=WARNING,
    what="The `ref` of a model, or of one in its `fallback`, is almost one of the well-known providers.",
    why="A runtime finds no such provider when it calls the model.",
    example={"config": _registry({"ref": "scaigird"})},
)

RULES = (
    UNDECLARED_ROLE,
    NO_MODEL,
    NAMELESS_PLUGIN,
    PLUGIN_TWICE,
    UNUSED_ROLE,
    NO_STRUCTURED_OUTPUT,
    TEXT_ONLY_SETTING,
    MISNAMED_PROVIDER,
)

PROVIDERS = ("scaigrid", "scaiinfer", "openai")
"""There may be others."""

WRITING = frozenset({"text", "structured_output", "vision"})
"""Modalities of models that write text."""


def check(view: FlowView, sink: Sink) -> None:
    identity = view.graph.config.core_identity
    models = (identity.models or []) if identity else []
    _check_nodes(view, models, sink)
    _check_settings(models, sink)
    _check_providers(models, sink)
    declared: set[str] = set()
    for index, plugin in enumerate(view.graph.config.plugins):
        alias = plugin.get("alias") if isinstance(plugin, dict) else plugin
        path = f"config.plugins[{index}]"
        if not isinstance(alias, str) or not alias:
            sink.report(NAMELESS_PLUGIN, path, fix="give it an alias", index=str(index))
        elif alias in declared:
            sink.report(PLUGIN_TWICE, path, fix="remove one of them", index=str(index), alias=alias)
        else:
            declared.add(alias)


def _check_nodes(view: FlowView, models: Sequence[ModelEntry], sink: Sink) -> None:
    roles = {entry.role: entry for entry in models}
    suggestions = Suggestions()
    used: set[str] = set()
    calls = [node for node in view.nodes if node.type in MODEL_KINDS]
    for node in calls:
        config = node.config
        key = "llm_role" if config.get("llm_role") is not None else "model"
        role = config.get(key)
        path = f"{node.path}.config.{key}"
        if isinstance(role, str):
            used.add(role)
        if isinstance(role, str) and role not in roles:
            fix = suggestions.did_you_mean(role, roles) or "declare it in config.core_identity.models"
            sink.report(UNDECLARED_ROLE, path, node_id=node.id, fix=fix, node=node.id, role=role)
        elif role is None and not roles:
            fix = "declare a model in config.core_identity.models"
            sink.report(NO_MODEL, node.path, node_id=node.id, fix=fix, node=node.id)
        elif roles and (role is None or isinstance(role, str)) and config.get("output_schema"):
            _check_output(node, roles[role] if role else models[0], sink)
    if calls and used <= roles.keys():
        # A role that is none is probably one of the unused ones, mistyped.
        _check_unused(models, used, sink)


def _check_output(node: FlowNode, model: ModelEntry, sink: Sink) -> None:
    if "modalities" in model.model_fields_set and "structured_output" not in model.modalities:
        path = f"{node.path}.config.output_schema"
        fix = (
            f"choose another role, or add structured_output to the modalities of '{model.role}' if it has it"
        )
        sink.report(NO_STRUCTURED_OUTPUT, path, node_id=node.id, fix=fix, node=node.id, role=model.role)


def _check_unused(models: Sequence[ModelEntry], used: set[str], sink: Sink) -> None:
    for index, model in enumerate(models):
        if index and model.role not in used:
            fix = "name it in the llm_role of a node, or remove it"
            path = f"config.core_identity.models[{index}]"
            sink.report(UNUSED_ROLE, path, fix=fix, role=model.role)


def _check_providers(models: Sequence[ModelEntry], sink: Sink) -> None:
    suggestions = Suggestions()
    for index, model in enumerate(models):
        path = f"config.core_identity.models[{index}]"
        refs = [(f"{path}.ref", model.ref)]
        refs += [(f"{path}.fallback[{n}].ref", item.ref) for n, item in enumerate(model.fallback)]
        for where, ref in refs:
            near = None if ref in PROVIDERS else suggestions.near_miss(ref, PROVIDERS)
            if near is not None:
                fix = f"did you mean '{near}'?"
                sink.report(MISNAMED_PROVIDER, where, fix=fix, ref=ref, role=model.role)


def _check_settings(models: Sequence[ModelEntry], sink: Sink) -> None:
    for index, model in enumerate(models):
        if "modalities" not in model.model_fields_set or not WRITING.isdisjoint(model.modalities):
            continue
        modalities = ", ".join(model.modalities) or "nothing"
        for key in ("temperature", "system_context"):
            if getattr(model, key) is not None:
                path = f"config.core_identity.models[{index}].{key}"
                names = {"key": key, "role": model.role, "modalities": modalities}
                sink.report(TEXT_ONLY_SETTING, path, fix="remove it", **names)
