"""From a sound flow document to the intermediate representation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.graph.regions import Regions
from scaiflow_api.compiler.kinds.base import COMPUTE, EntryConfig, EntryKind
from scaiflow_api.compiler.lowering.blocks import Blocks
from scaiflow_api.compiler.lowering.placement import place
from scaiflow_api.compiler.lowering.surroundings import bunker_of
from scaiflow_api.compiler.slugs import distinct, slugify
from scaiflow_api.flowgraph.models import Variable

IDENTITY_PROVIDER = "scaikey"
MODE = "stateless"


def lower(view: FlowView, regions: Regions) -> ir.Module:
    """Return the module of a flow without errors."""
    graph = view.graph
    slug = slugify(graph.name) or graph.id
    groups = view.groups
    names = distinct(_flow_names(view, slug, groups))
    triggers = _triggers(
        view, [(entry, name) for (entries, _), name in zip(groups, names, strict=True) for entry in entries]
    )
    flows, called = _flows(view, regions, dict(zip(names, groups, strict=True)))
    config: Mapping[str, Any] = view.document.get("config", {})
    identity = graph.config.core_identity
    return ir.Module(
        name=slug,
        version=graph.version,
        runtime_version=graph.scaicore_target,
        mode=MODE,
        identity=ir.Identity(provider=IDENTITY_PROVIDER, persona=graph.name),
        models=tuple(_in_order(entry) for entry in (identity.models if identity else None) or ()),
        plugins=_plugins(config, called),
        capabilities=_capabilities(view, config),
        scaiqueue=_in_order(graph.config.scaiqueue) if graph.config.scaiqueue else None,
        variables=tuple(_variable(item) for item in graph.variables),
        triggers=triggers,
        flows=flows,
        metadata=ir.Metadata(
            source_id=graph.id,
            source_version=graph.version,
            scaicore_target=graph.scaicore_target,
            publish_as_model=graph.config.publish_as_model,
            model_visibility_group_ids=tuple(graph.config.model_visibility_group_ids),
            graph=_graph(view),
        ),
    )


def _in_order(part: BaseModel) -> dict[str, Any]:
    """Return a part of the document as it was given, its keys in the order of the schema."""
    given = part.model_dump(mode="json", exclude_unset=True)
    # The models read whole numbers as floats where both will do; canonical JSON has them whole.
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in given.items()
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {"name": variable.name, "type": variable.type, "default": variable.default, **_in_order(variable)}


def _flow_names(view: FlowView, slug: str, groups: Sequence[tuple[list[int], set[int]]]) -> list[str]:
    further = [view.nodes[entries[0]] for entries, _ in groups[1:]]
    return [slug, *(f"{slug}-{_entry_slug(entry)}" for entry in further)]


def _entry_slug(entry: FlowNode) -> str:
    return slugify(entry.label) or entry.id


def _triggers(view: FlowView, started: list[tuple[int, str]]) -> tuple[ir.Trigger, ...]:
    names = distinct(_entry_slug(view.nodes[entry]) for entry, _ in started)
    triggers = []
    for (index, flow), name in zip(started, names, strict=True):
        entry, config = view.nodes[index], view.configs[index]
        assert isinstance(entry.kind, EntryKind)
        assert isinstance(config, EntryConfig)
        fields = config.trigger_fields()
        trigger = ir.Trigger(kind=entry.kind.trigger, name=name, target_flow=flow, node_id=entry.id, **fields)
        triggers.append(trigger)
    return tuple(triggers)


def _plugins(config: Mapping[str, Any], called: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """Return the declared plugins, then those that are called without being declared, in order of first use."""
    declared = [{"alias": item} if isinstance(item, str) else item for item in config.get("plugins", ())]
    aliases = {item["alias"] for item in declared}
    declared += [{"alias": alias} for alias in called if alias not in aliases]
    return tuple(
        {"alias": item["alias"], "endpoint": f"plugin://{item['alias']}", **item} for item in declared
    )


def _capabilities(view: FlowView, config: Mapping[str, Any]) -> tuple[Any, ...]:
    given = config.get("capabilities", [])
    if any(isinstance(item, dict) and "bunker" in item for item in given):
        return tuple(given)
    computes = any(node.kind.category is COMPUTE for node in view.nodes)
    bunker = [{"bunker": bunker_of(config)}] if computes or config.get("bunker") else []
    return (*given, *bunker)


def _flows(
    view: FlowView, regions: Regions, groups: Mapping[str, tuple[list[int], set[int]]]
) -> tuple[tuple[ir.Flow, ...], Iterable[str]]:
    """Return the flows, and the plugins that they call in the order of first use."""
    at_top, frames = _by_flow(regions.levels[None], groups), _by_flow(regions.frame(None), groups)
    placed = {
        name: place(view, regions, entries, at_top.get(name, [])) for name, (entries, _) in groups.items()
    }
    flagged = [node for body in placed.values() for node in (*body.flagged, *body.flagged_inside)]
    blocks = Blocks(view, regions, flagged)
    flows = tuple(
        ir.Flow(
            name=name,
            params=_params(view, entries),
            body=blocks.body(placed[name]),
            outputs=blocks.outputs(frames.get(name, [])),
        )
        for name, (entries, _) in groups.items()
    )
    return flows, blocks.plugins


def _by_flow(
    nodes: Iterable[int], groups: Mapping[str, tuple[list[int], set[int]]]
) -> Mapping[str, list[int]]:
    """Return which of the nodes each flow reaches, in their order."""
    flows = {node: name for name, (_, reached) in groups.items() for node in reached}
    found: dict[str, list[int]] = defaultdict(list)
    for node in nodes:
        if node in flows:
            found[flows[node]].append(node)
    return found


def _params(view: FlowView, entries: Iterable[int]) -> dict[str, str]:
    params: dict[str, str] = {}
    for entry in entries:
        config = view.configs[entry]
        assert isinstance(config, EntryConfig)
        params = {**(config.input_schema or {}), **params}
    return params


def _graph(view: FlowView) -> dict[str, Any]:
    """Return all of the document, so that a manifest becomes the same flow again."""
    document = dict(view.document)
    nodes = document.pop("nodes", [])
    edges = {"edges": document.pop("edges")} if "edges" in document else {}
    return {
        "document": document,
        "node_order": [node["id"] for node in nodes],
        "nodes": {node["id"]: node for node in nodes},
        **edges,
    }
