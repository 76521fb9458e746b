"""What `core` says beside the steps, written into the sections of a document."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.importing.ids import is_valid_id, is_version
from scaiflow_api.compiler.importing.settings import same
from scaiflow_api.compiler.importing.source import Source, first_model
from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.compiler.kinds.base import COMPUTE
from scaiflow_api.compiler.lowering.surroundings import bunker_of
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.flowgraph import FlowGraph

JSON = Any
Document = dict[str, JSON]


def edit_identity(document: Document, module: ir.Module) -> list[str]:
    """Take over name, id and version where they were edited by hand; return the keys of `core` that were."""
    keys = []
    metadata = module.metadata
    if metadata.source_id != document["id"] and is_valid_id(metadata.source_id or ""):
        document["id"] = metadata.source_id
        keys.append("scaiflow_meta.source_id")
    if metadata.source_version != document["version"] and is_version(metadata.source_version or ""):
        document["version"] = metadata.source_version
        keys.append("scaiflow_meta.source_version")
    name = document["name"]
    if module.identity.persona != name:
        document["name"] = module.identity.persona
        keys.append("identity.persona")
    elif module.name != (slugify(name) or document["id"]):
        document["name"] = module.name
        keys.append("name")
    return keys


def edit_sections(document: Document, source: Source) -> list[str]:
    """Write what differs into the document, whose `config` is replaced, not changed.

    Return the keys of `core` that differed.
    """
    module = source.module
    edits = _Edits(document)
    target = document.get("scaicore_target", FlowGraph.model_fields["scaicore_target"].default)
    edits.top("runtime_version", "scaicore_target", target, module.runtime_version)
    given = [{"default": None, **item} for item in document.get("variables", ())]
    edits.top("scaiflow_meta.variables", "variables", given, [dict(item) for item in module.variables])
    _edit_models(edits, module)
    _edit_plugins(edits, source)
    _edit_capabilities(edits, document, module)
    edits.config("scaiqueue", "scaiqueue", module.scaiqueue, None)
    metadata = module.metadata
    edits.config("scaiflow_meta.publish_as_model", "publish_as_model", metadata.publish_as_model, False)
    groups = list(metadata.model_visibility_group_ids)
    key = "model_visibility_group_ids"
    edits.config(f"scaiflow_meta.{key}", key, groups, [])
    return list(dict.fromkeys(edits.keys))


class _Edits:
    """Sets what differs, and remembers what it was called in the manifest."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.values: Document = document.get("config", {})
        self.keys: list[str] = []

    def top(self, name: str, key: str, given: JSON, wanted: JSON) -> None:
        if not same(given, wanted):
            self._document[key] = wanted
            self.keys.append(name)

    def config(self, name: str, key: str, wanted: JSON, default: JSON) -> None:
        if not same(self.values.get(key, default), wanted):
            self.replace(name, key, wanted)

    def replace(self, name: str, key: str, wanted: JSON) -> None:
        """Set a key of `config`; None removes it."""
        self.values = {**self.values, key: wanted}
        if wanted is None:
            del self.values[key]
        self._document["config"] = self.values
        self.keys.append(name)


def _edit_models(edits: _Edits, module: ir.Module) -> None:
    """Take over the registry. What its first model is called, `core.model` says."""
    models = [dict(item) for item in module.models]
    identity = edits.values.get("core_identity") or {}
    given = identity.get("models") or []
    if not same(given, models):
        name = "scaiflow_meta.models" if first_model(given) == first_model(models) else "model"
        others = {key: value for key, value in identity.items() if key != "models"}
        edits.replace(name, "core_identity", {**others, "models": models} if models else others)


def _edit_plugins(edits: _Edits, source: Source) -> None:
    """Take over the plugins, but for those that compiling adds by itself because a step calls them."""
    given = edits.values.get("plugins") or []
    filled = [_filled(item) for item in given]
    added = {_text(_filled(alias)) for alias in set(_called(source.blocks))}
    places = {_text(plugin): place for place, plugin in reversed(list(enumerate(filled)))}
    texts = [(plugin, _text(plugin)) for plugin in map(dict, source.module.plugins)]
    wanted = [(plugin, text) for plugin, text in texts if text in places or text not in added]
    if not same([plugin for plugin, _ in wanted], filled):
        kept = [given[places[text]] if text in places else plugin for plugin, text in wanted]
        edits.replace("plugins", "plugins", kept)


def _text(plugin: JSON) -> str:
    """Return what tells one plugin from another."""
    try:
        return orjson.dumps(plugin, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return repr(plugin)


def _filled(plugin: JSON) -> JSON:
    """Return a declared plugin as the manifest has it."""
    if isinstance(plugin, str):
        plugin = {"alias": plugin}
    if not isinstance(plugin, Mapping):
        return plugin
    return {"endpoint": f"plugin://{plugin.get('alias')}", **plugin}


def _called(blocks: Iterable[ir.AnyBlock]) -> Iterator[str]:
    for block in blocks:
        for statement in block.statements if isinstance(block, ir.RigidBlock) else ():
            if isinstance(statement, ir.PluginCallStatement):
                yield statement.alias


def _edit_capabilities(edits: _Edits, document: Document, module: ir.Module) -> None:
    """Take over the capabilities; the sandbox among them is `config.bunker`, unless it is listed there as well."""
    given = edits.values.get("capabilities") or []
    wanted = list(module.capabilities)
    if not any(map(_is_bunker, given)):
        bunkers = [item for item in wanted if _is_bunker(item)]
        if len(bunkers) == 1 and set(bunkers[0]) == {"bunker"} and isinstance(bunkers[0]["bunker"], dict):
            wanted.remove(bunkers[0])
            _edit_bunker(edits, document, bunkers[0]["bunker"])
        elif not bunkers and edits.values.get("bunker"):
            edits.replace("capabilities", "bunker", None)
    if not same(given, wanted):
        edits.replace("capabilities", "capabilities", wanted)


def _is_bunker(capability: JSON) -> bool:
    return isinstance(capability, dict) and "bunker" in capability


def _edit_bunker(edits: _Edits, document: Document, wanted: Mapping[str, JSON]) -> None:
    kinds: Iterable[JSON] = (node.get("type") for node in document.get("nodes", ()))
    computes = any(KINDS[kind].category is COMPUTE for kind in kinds if kind in KINDS)
    given = bunker_of(edits.values) if computes or edits.values.get("bunker") else None
    if not same(given, wanted):
        edits.replace("capabilities", "bunker", dict(wanted))
