"""Module ↔ plain map: what a bundle holds.

The keys stand in the order of the format, `kind` first in blocks and statements. Every key is always written;
what is absent is null. Reading tolerates further keys, takes an absent key for null, and is strict about the
rest: a complaint names the place, as in `flows[0].body[3].kind`.
"""

from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle.blocks import read_body, read_outputs, write_body, write_outputs
from scaiflow_api.compiler.manifest.section import ManifestError, Section

IR_VERSION = "0.1"
ROOT = "module"


def write_module(module: ir.Module) -> dict[str, Any]:
    """Return the map of a module. It shares the module's JSON values: read it, do not change it."""
    return {
        "ir_version": module.ir_version,
        "name": module.name,
        "version": module.version,
        "runtime_version": module.runtime_version,
        "mode": module.mode,
        "entity_key": module.entity_key,
        "identity": {"provider": module.identity.provider, "persona": module.identity.persona},
        "models": module.models,
        "plugins": module.plugins,
        "capabilities": module.capabilities,
        "scaiqueue": module.scaiqueue,
        "variables": module.variables,
        "types": module.types,
        "triggers": [_write_trigger(trigger) for trigger in module.triggers],
        "flows": [_write_flow(flow) for flow in module.flows],
        "metadata": _write_metadata(module.metadata),
    }


def read_module(values: object) -> ir.Module:
    """Return the module of a map. Raises ManifestError, and nothing else."""
    try:
        return _read_module(Section(values, ROOT))
    except ManifestError as error:
        raise ManifestError(error.message.removeprefix(f"{ROOT}.")) from None


def _read_module(root: Section) -> ir.Module:
    if root.text("ir_version") != IR_VERSION:
        raise root.fail("ir_version", f"'{IR_VERSION}'")
    identity = root.section("identity")
    return ir.Module(
        name=root.text("name"),
        version=root.text("version"),
        runtime_version=root.text("runtime_version"),
        mode=root.text("mode"),
        entity_key=root.optional_text("entity_key"),
        identity=ir.Identity(provider=identity.text("provider"), persona=identity.text("persona")),
        models=root.mappings("models"),
        plugins=root.mappings("plugins"),
        capabilities=tuple(root.items("capabilities")),
        scaiqueue=root.mapping("scaiqueue") if "scaiqueue" in root else None,
        variables=root.mappings("variables"),
        types=root.mapping("types"),
        triggers=tuple(_read_trigger(trigger) for trigger in root.sections("triggers")),
        flows=tuple(_read_flow(flow) for flow in root.sections("flows")),
        metadata=_read_metadata(root.section("metadata")),
    )


def _write_trigger(trigger: ir.Trigger) -> dict[str, Any]:
    return {
        "kind": trigger.kind,
        "name": trigger.name,
        "target_flow": trigger.target_flow,
        "node_id": trigger.node_id,
        "method": trigger.method,
        "path": trigger.path,
        "auth": trigger.auth,
        "cron": trigger.cron,
        "timezone": trigger.timezone,
    }


def _read_trigger(trigger: Section) -> ir.Trigger:
    return ir.Trigger(
        kind=trigger.text("kind"),
        name=trigger.text("name"),
        target_flow=trigger.text("target_flow"),
        node_id=trigger.optional_text("node_id"),
        method=trigger.optional_text("method"),
        path=trigger.optional_text("path"),
        auth=trigger.json("auth"),
        cron=trigger.optional_text("cron"),
        timezone=trigger.optional_text("timezone"),
    )


def _write_flow(flow: ir.Flow) -> dict[str, Any]:
    return {
        "name": flow.name,
        "params": flow.params,
        "body": write_body(flow.body),
        "outputs": write_outputs(flow.outputs),
    }


def _read_flow(flow: Section) -> ir.Flow:
    return ir.Flow(
        name=flow.text("name"),
        params=flow.texts("params"),
        body=read_body(flow, "body"),
        outputs=read_outputs(flow, "outputs"),
    )


def _write_metadata(metadata: ir.Metadata) -> dict[str, Any]:
    return {
        "source_id": metadata.source_id,
        "source_version": metadata.source_version,
        "scaicore_target": metadata.scaicore_target,
        "publish_as_model": metadata.publish_as_model,
        "model_visibility_group_ids": metadata.model_visibility_group_ids,
        "graph": metadata.graph,
    }


def _read_metadata(metadata: Section) -> ir.Metadata:
    return ir.Metadata(
        source_id=metadata.optional_text("source_id"),
        source_version=metadata.optional_text("source_version"),
        scaicore_target=metadata.optional_text("scaicore_target"),
        publish_as_model=metadata.flag("publish_as_model"),
        model_visibility_group_ids=metadata.text_items("model_visibility_group_ids"),
        graph=metadata.json("graph"),
    )
