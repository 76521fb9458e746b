"""Module → YAML manifest: what is deployed.

Keys in the documented order. `scaiflow_meta` holds what the documented keys cannot: all models, the variables, and
the graph, so that the manifest can become the same module, and the same flow, again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.steps import without_defaults, write_outputs
from scaiflow_api.compiler.manifest.section import model_text
from scaiflow_api.compiler.manifest.steps import StepWriter
from scaiflow_api.compiler.manifest.text import MAX_BYTES, MAX_PARTS, too_many_parts
from scaiflow_api.compiler.manifest.yaml_text import TooLong, write_yaml
from scaiflow_api.flowgraph import FlowTooLarge

CARRIED_BY_STEPS = ("id", "type", "label", "config")


def emit_yaml(module: ir.Module) -> str:
    """Return the manifest of a module; the same module gives the same text.

    Raises FlowTooLarge where it would be larger than any reader allows.
    """
    graph = module.metadata.graph or {}
    writer = StepWriter(graph.get("nodes", {}))
    core: dict[str, Any] = {
        "name": module.name,
        "mode": module.mode,
        "runtime_version": module.runtime_version,
        "identity": {"provider": module.identity.provider, "persona": module.identity.persona},
    }
    if module.models:
        core["model"] = model_text(module.models[0])
    core |= {"plugins": module.plugins, "capabilities": module.capabilities}
    if module.scaiqueue is not None:
        core["scaiqueue"] = module.scaiqueue
    started_by: dict[str, list[dict[str, Any]]] = {flow.name: [] for flow in module.flows}
    for trigger in module.triggers:
        if trigger.target_flow in started_by:
            started_by[trigger.target_flow].append(_trigger(trigger))
    core["flows"] = [_flow(flow, started_by[flow.name], writer) for flow in module.flows]
    core["scaiflow_meta"] = _metadata(module)
    try:
        text = write_yaml({"core": core}, MAX_BYTES)
    except TooLong:
        raise FlowTooLarge(limit="manifest bytes", maximum=MAX_BYTES, actual="more") from None
    size = len(text.encode())
    if size > MAX_BYTES:
        raise FlowTooLarge(limit="manifest bytes", maximum=MAX_BYTES, actual=size)
    crowd = too_many_parts(text)
    if crowd is not None:
        raise FlowTooLarge(limit=f"manifest {crowd}", maximum=MAX_PARTS[crowd], actual="more")
    return text


def _flow(flow: ir.Flow, triggers: list[dict[str, Any]], writer: StepWriter) -> dict[str, Any]:
    first, *others = triggers
    return {
        "name": flow.name,
        "trigger": first,
        **without_defaults({"additional_triggers": others, "params": flow.params}),
        "steps": writer.body(flow.body),
        "outputs": write_outputs(flow.outputs),
    }


def _trigger(trigger: ir.Trigger) -> dict[str, Any]:
    fields = {
        "type": trigger.kind,
        "name": trigger.name,
        "node_id": trigger.node_id,
        "method": trigger.method,
        "path": trigger.path,
        "auth": trigger.auth,
        "cron": trigger.cron,
        "timezone": trigger.timezone,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _metadata(module: ir.Module) -> dict[str, Any]:
    metadata = module.metadata
    written: dict[str, Any] = {
        "source_id": metadata.source_id,
        "source_version": metadata.source_version,
        "scaicore_target": metadata.scaicore_target,
        "publish_as_model": metadata.publish_as_model,
        "model_visibility_group_ids": metadata.model_visibility_group_ids,
        "models": module.models,
        "variables": module.variables,
    }
    if metadata.graph is not None:
        written["graph"] = _graph(metadata.graph, module.flows)
    return written


def _graph(graph: Mapping[str, Any], flows: Iterable[ir.Flow]) -> dict[str, Any]:
    """Return the graph without what the steps carry in their `meta`."""
    carried = {block.node_id for flow in flows for block in ir.walk(flow.body)}
    nodes = {
        node_id: (
            {key: value for key, value in node.items() if key not in CARRIED_BY_STEPS}
            if node_id in carried
            else node
        )
        for node_id, node in graph["nodes"].items()
    }
    return {**graph, "nodes": nodes}
