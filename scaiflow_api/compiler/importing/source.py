"""Reads what an import is given: the text of a manifest, or a bundle."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle.blocks import write_body
from scaiflow_api.compiler.bundle.framing import MAGIC, read_bundle
from scaiflow_api.compiler.importing.flags import are_flags, is_flag
from scaiflow_api.compiler.importing.foreign import Foreign, take_foreign_steps
from scaiflow_api.compiler.importing.recognition import kind_of
from scaiflow_api.compiler.kinds.checkpoint import BREAKPOINT
from scaiflow_api.compiler.lowering.lower import IDENTITY_PROVIDER, MODE
from scaiflow_api.compiler.manifest.reader import TRIGGER_KINDS, read_values
from scaiflow_api.compiler.manifest.section import ManifestError, model_text
from scaiflow_api.compiler.manifest.text import load_manifest_text
from scaiflow_api.flowgraph import FlowTooLarge, Limits

JSON = Any
CORE_KEYS = frozenset(
    {
        *("name", "mode", "runtime_version", "identity", "model", "plugins", "capabilities", "scaiqueue"),
        *("flows", "scaiflow_meta"),
    }
)


METADATA_KEYS = frozenset(
    {
        *("source_id", "source_version", "scaicore_target", "publish_as_model", "model_visibility_group_ids"),
        *("models", "variables", "graph"),
    }
)


class Source(Struct):
    """A module, and what a module cannot hold."""

    module: ir.Module
    """Without its graph."""
    blocks: Sequence[ir.AnyBlock]
    """Those of the module."""
    graph: JSON
    """That of the module, until somebody takes it; None where it has none."""
    foreign: Foreign
    unknown_core: Mapping[str, JSON]
    """What `core` says that no flow can."""
    tells_outputs: bool
    """Whether it says what a run returns, as what was compiled does."""
    vain_model: str | None = None
    """What the registry was edited to call its first model, while `core.model`, which counts, says otherwise."""

    def take_graph(self) -> JSON:
        """Return the graph, and let it go: it takes as much memory as the document that is made of it."""
        graph, self.graph = self.graph, None
        return graph


def read_source(source: str | bytes, limits: Limits) -> Source:
    """Read a manifest or, where the bytes begin with `SCIR`, a bundle. Raises ManifestError and FlowTooLarge."""
    if isinstance(source, bytes) and source.startswith(MAGIC):
        read = _from_bundle(read_bundle(source), limits)
    else:
        read = _from_text(source if isinstance(source, str) else _decoded(source), limits)
    _check_names(read)
    return read


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ManifestError("The manifest is neither UTF-8 text nor a SCIR bundle.") from error


def _check_names(source: Source) -> None:
    seen = set()
    triggers = source.module.triggers
    for trigger in triggers:
        if trigger.kind not in TRIGGER_KINDS:
            raise ManifestError(f"The trigger '{trigger.name}' must be one of {', '.join(TRIGGER_KINDS)}.")
    for node_id in [item.node_id for item in (*triggers, *source.blocks)]:
        if node_id in seen:
            raise ManifestError(f"The node_id '{node_id}' occurs twice among triggers and steps.")
        if node_id is not None:
            seen.add(node_id)


def _check_triggers(triggers: int, limits: Limits) -> None:
    if triggers > limits.max_nodes:
        # Each would be an entry.
        raise FlowTooLarge(limit="nodes", maximum=limits.max_nodes, actual=triggers)


def _triggers_in(flows: object) -> int:
    """Return how many triggers the flows of a manifest seem to have, whatever they hold."""
    further = [
        flow.get("additional_triggers") if isinstance(flow, dict) else None
        for flow in (flows if isinstance(flows, list) else ())
    ]
    return len(further) + sum(len(items) for items in further if isinstance(items, list))


def _from_text(text: str, limits: Limits) -> Source:
    values = load_manifest_text(text)
    core = values.get("core") if isinstance(values, dict) else None
    if not isinstance(core, dict):
        core = {}
    _check_triggers(_triggers_in(core.get("flows")), limits)
    foreign = take_foreign_steps(core.get("flows"), limits.max_nodes)
    metadata = core.get("scaiflow_meta")
    if isinstance(metadata, dict):
        foreign.note((None, "core.scaiflow_meta", None), None, metadata.keys() - METADATA_KEYS)
    module = read_values(values)
    unknown = {key: core[key] for key in core if key not in CORE_KEYS}
    tells_outputs = all("outputs" in flow for flow in core["flows"])
    return _source(module, foreign, unknown, tells_outputs=tells_outputs, vain_model=_vain_model(core))


def _vain_model(core: Mapping[str, JSON]) -> str | None:
    metadata = core.get("scaiflow_meta")
    said = first_model(metadata, "models")
    drawn = first_model(metadata, "graph", "document", "config", "core_identity", "models")
    return None if core.get("model") in (None, said) or said == drawn else said


def first_model(value: JSON, *way: str) -> str | None:
    """Return what the registry at a place below a value calls its first model."""
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    first = value[0] if isinstance(value, list) and value else None
    return model_text(first) if isinstance(first, dict) and {"ref", "model"} <= first.keys() else None


def _from_bundle(module: ir.Module, limits: Limits) -> Source:
    _check_triggers(len(module.triggers), limits)
    foreign = Foreign(limits.max_nodes)
    for flow in module.flows:
        for block in foreign_blocks(flow.body):
            reason = (
                "a block has no node_id"
                if block.node_id is None
                else "no kind of node becomes one of its blocks"
            )
            foreign.add(f"flow '{flow.name}'", reason, write_body((block,))[0])
    more = {"entity_key": module.entity_key, "types": module.types}
    unknown = {key: value for key, value in more.items() if value}
    return _source(module, foreign, unknown, tells_outputs=True)


def _source(
    module: ir.Module,
    foreign: Foreign,
    unknown: Mapping[str, JSON],
    *,
    tells_outputs: bool,
    vain_model: str | None = None,
) -> Source:
    return Source(
        replace(module, metadata=replace(module.metadata, graph=None)),
        module.blocks(),
        module.metadata.graph,
        foreign,
        {**unknown, **_unlike_ours(module)},
        tells_outputs,
        vain_model,
    )


def _unlike_ours(module: ir.Module) -> dict[str, JSON]:
    """Return the mode and the identity provider, where they are not those of every flow."""
    mode = {} if module.mode == MODE else {"mode": module.mode}
    provider = module.identity.provider
    return mode | ({} if provider == IDENTITY_PROVIDER else {"identity": {"provider": provider}})


def foreign_blocks(body: tuple[ir.AnyBlock, ...]) -> Iterator[ir.AnyBlock]:
    """Yield the outermost blocks that come from no node and that compiling a flow does not make."""
    for block in body:
        if _is_ours(block):
            for inner in ir.bodies(block):
                yield from foreign_blocks(inner)
        else:
            yield block


def _is_ours(block: ir.AnyBlock) -> bool:
    if isinstance(block, ir.TryBlock):
        return True
    return is_synthetic(block) if block.node_id is None else kind_of(block) is not None


def is_synthetic(block: ir.AnyBlock) -> bool:
    """Return whether a block without a node is one that compiling makes."""
    source = block.source_location.node_id
    match block:
        case ir.RigidBlock():
            names = [item.name for item in block.statements if isinstance(item, ir.AssignStatement)]
            flags = len(names) == len(block.statements) and all(is_flag(name) for name in names)
            return source is not None or flags
        case ir.MatchBlock():
            return source is not None or block.subject == ir.ENTRY_NAME or are_flags(block)
        case ir.CheckpointBlock():
            return source is not None and block.checkpoint_type == BREAKPOINT
        case _:
            return False
