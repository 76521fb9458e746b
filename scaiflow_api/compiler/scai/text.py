"""Module → `.scai`: the module as a person reads it, in the look of ScaiCore source. There is no way back.

A string that is exactly one template stands as the bare expression. A comment names the node or the edge that
a block comes from.
"""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.scai.blocks import BlockWriter
from scaiflow_api.compiler.scai.lines import Page, Texts, name, quoted, type_name, value


def emit_scai(module: ir.Module, readable: Container[str] = ()) -> str:
    """Return the text of a module; the same module gives the same text.

    `readable` are those of its expressions that were read before; that changes only what it costs.
    """
    page = Page()
    page.line(
        f"// The intermediate representation {quoted(module.ir_version)}, to be read; it cannot be compiled."
    )
    with page.block(f"@core {_core_name(module.name)}"):
        _settings(module, page)
        _named(page, "@models", "role", module.models)
        _named(page, "@plugins", "alias", module.plugins)
        _variables(page, module.variables)
        if module.types:
            with page.block("@types"):
                for key, kind in module.types.items():
                    page.field(f"type {name(key)}", kind)
        _triggers(page, module.triggers)
        blocks = BlockWriter(page, Texts(readable), module.metadata.graph)
        for flow in module.flows:
            page.line()
            params = ", ".join(f"{name(key)}: {type_name(kind)}" for key, kind in flow.params.items())
            with page.block(f"@flow {name(flow.name)}({params})"):
                blocks.body(flow.body)
                blocks.outputs("return", flow.outputs)
    return str(page)


def _core_name(slug: str) -> str:
    """Return a name as types have it: `customer-support` becomes `CustomerSupport`."""
    words = re.findall(r"[A-Za-z0-9]+", slug)
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Core{joined}"


def _settings(module: ir.Module, page: Page) -> None:
    metadata = module.metadata
    page.field("name", module.name)
    page.field("version", module.version)
    page.field("runtime_version", module.runtime_version)
    key = "" if module.entity_key is None else f"(key = {quoted(module.entity_key)})"
    page.line(f"instance = :{name(module.mode)}{key}")
    page.field("identity", {"provider": module.identity.provider, "persona": module.identity.persona})
    page.field("capabilities", module.capabilities)
    page.field("scaiqueue", module.scaiqueue)
    page.field("source_id", metadata.source_id)
    page.field("source_version", metadata.source_version)
    page.field("scaicore_target", metadata.scaicore_target)
    if metadata.publish_as_model:
        page.field("publish_as_model", item=True)
    page.field("model_visibility_group_ids", metadata.model_visibility_group_ids)


def _named(page: Page, head: str, key: str, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write entries under the name that each has in `key`."""
    if entries:
        with page.block(head):
            for entry in entries:
                rest = {field: item for field, item in entry.items() if field != key}
                page.line(f"{name(str(entry.get(key)))} = {value(rest, page.indent)}")


def _variables(page: Page, variables: Iterable[Mapping[str, Any]]) -> None:
    if variables:
        with page.block("@variables"):
            for variable in variables:
                kind = type_name(str(variable.get("type")))
                note = variable.get("description")
                comment = f"  // {quoted(note)}" if isinstance(note, str) and note else ""
                default = value(variable.get("default"), page.indent)
                page.line(f"{name(str(variable.get('name')))}: {kind} = {default}{comment}")


def _triggers(page: Page, triggers: Iterable[ir.Trigger]) -> None:
    if triggers:
        with page.block("@triggers"):
            for trigger in triggers:
                origin = "" if trigger.node_id is None else name(trigger.node_id)
                with page.block(f"@{name(trigger.kind)} {name(trigger.name)}", origin):
                    page.line(f"flow = {name(trigger.target_flow)}")
                    page.field("method", trigger.method)
                    page.field("path", trigger.path)
                    page.field("auth", trigger.auth)
                    page.field("cron", trigger.cron)
                    page.field("timezone", trigger.timezone)
