"""A document from steps alone, for manifests and bundles that carry no graph."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext, suppress

from msgspec import Struct

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.importing.drawing import INDENT, Drawing, label_of
from scaiflow_api.compiler.importing.header import Document, edit_sections
from scaiflow_api.compiler.importing.ids import Ids, is_valid_id, is_version
from scaiflow_api.compiler.importing.leading import Followers
from scaiflow_api.compiler.importing.nodes import Edits, Meta, add_entry, add_step
from scaiflow_api.compiler.importing.ranks import by_rank
from scaiflow_api.compiler.importing.settings import Lowered, Marks, marks_of
from scaiflow_api.compiler.importing.sound import Draft, checked_view, sound, view_of
from scaiflow_api.compiler.importing.source import Source
from scaiflow_api.compiler.importing.told import do_the_same, followers_of, is_outdated, lowered
from scaiflow_api.compiler.importing.triggers import Start, starts_of
from scaiflow_api.compiler.importing.ways import Step, Walk, Way
from scaiflow_api.compiler.manifest.reader import DEFAULT_VERSION
from scaiflow_api.compiler.rules.imports import GUESSED
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.flowgraph import FlowTooLarge, Limits

DONE = "node_done"
"""Where an arm without steps leads, so that no other arm is taken in its place."""


class _Drawn(Struct, frozen=True):
    """A document that steps were made into."""

    draft: Draft
    sink: Sink
    module: ir.Module | None
    """What it compiles to; None where it does not."""


def document_from_steps(source: Source, limits: Limits, sink: Sink) -> Draft:
    """Return a document whose nodes stand one below the other, in the order of the steps.

    What was compiled says by its outputs where nodes lead. Then the drawing is compiled to see whether it is the
    same flow, and one by the steps alone is tried if it is not.
    Raises ManifestError where what the manifest says does not make a flow, and FlowTooLarge.
    """
    told = followers_of(source.module) if source.tells_outputs else {}
    if not told:
        return _take(_draw(source, limits, {}), sink)
    if is_outdated(told, source.module):
        # The outputs tell of another flow.
        by_steps = _draw(source, limits, {})
        if by_steps.module is not None:
            return _take(by_steps, sink)
    drawn = []
    for followers in (told, {}):
        with suppress(FlowTooLarge) if followers else nullcontext():
            drawn.append(_draw(source, limits, followers))
            module = drawn[-1].module
            if module is not None and do_the_same(module, source.module):
                return _take(drawn[-1], sink)
    by_steps = drawn[-1]
    if by_steps.module is not None and followers_of(by_steps.module).keys() != told.keys():
        return _take(by_steps, sink)
    fix = "import the manifest with its scaiflow_meta.graph, or compare what the two do"
    sink.report(GUESSED, None, fix=fix)
    return _take(next((each for each in drawn if each.module is not None), by_steps), sink)


def _take(drawn: _Drawn, sink: Sink) -> Draft:
    sink.found += drawn.sink.found
    return drawn.draft


def _draw(source: Source, limits: Limits, followers: Followers) -> _Drawn:
    module, marks, sink = source.module, marks_of(source.blocks), Sink()
    starts = starts_of(module)
    walk = walk_through(module, starts, limits, followers)
    ranked = [walk.steps[node_id] for node_id in by_rank(module) if node_id in walk.steps]
    drawing = _drawn(source, walk, starts, marks, ranked)
    # Edges by the steps alone may lead against the ranks, so that data edges would close cycles.
    drawing.add_data((start.name for start in starts), ranked if followers else walk.steps.values())
    document = {**_identity(module), "nodes": drawing.nodes(), "edges": drawing.edges}
    edit_sections(document, source)
    checked = check_document(document, limits) if source.tells_outputs else None
    view = view_of(sound(document, limits)) if checked is None else checked_view(checked, document, limits)
    draft = Draft.of(view.document)
    edits = Edits(draft.document["nodes"], Lowered(view), marks, sink)
    _edit_carried(draft.document, source, walk, drawing, edits)
    if checked is not None and edits.any:
        checked = draft.checked(limits)
    return _Drawn(draft, sink, None if checked is None else lowered(checked))


def walk_through(module: ir.Module, starts: list[Start], limits: Limits, followers: Followers) -> Walk:
    walk = Walk(limits, followers)
    entries: dict[str, list[str]] = defaultdict(list)
    for start in starts:
        entries[start.trigger.target_flow].append(start.name)
    for flow in module.flows:
        walk.flow(flow.body, entries[flow.name])
    return walk


def _identity(module: ir.Module) -> Document:
    metadata = module.metadata
    name = module.identity.persona or module.name
    flow_id = metadata.source_id or ""
    if not is_valid_id(flow_id):
        flow_id = Ids().claim(f"flow_{slugify(module.name) or 'imported'}")
    version = metadata.source_version or ""
    if not is_version(version):
        version = DEFAULT_VERSION
    return {"id": flow_id, "name": name, "version": version, "scaicore_target": module.runtime_version}


def _drawn(source: Source, walk: Walk, starts: list[Start], marks: Marks, ranked: list[Step]) -> Drawing:
    drawing = Drawing()
    drawing.name_nodes(start.name for start in starts if start.trigger.node_id is not None)
    drawing.name_nodes(walk.steps)
    params = {flow.name: flow.params for flow in source.module.flows}
    for start in starts:
        schema = params.get(start.trigger.target_flow, {})
        add_entry(drawing, start.name, start.trigger, schema, marks)
    for step in ranked:
        add_step(drawing, step, _meta(source, step.node_id), marks)
    ways = list(walk.ways)
    for number, loose in enumerate(walk.without_target()):
        name = f"\0{DONE}{number}"
        drawing.add_node(name, "logic_decision", label_of(DONE), x=INDENT, like=DONE)
        ways.append(Way(loose, name))
    drawing.add_edges(ways)
    return drawing


def _meta(source: Source, node_id: str) -> Meta:
    return source.foreign.carried.get(node_id, {})


def _edit_carried(document: Document, source: Source, walk: Walk, drawing: Drawing, edits: Edits) -> None:
    """Take over what steps say otherwise than the configuration that they carry.

    What was not compiled here may say in `meta` alone what its steps would have to repeat.
    """
    models = source.module.models
    role = None if source.tells_outputs else str(models[0]["role"]) if models else ""
    places = {node["id"]: place for place, node in enumerate(document["nodes"])}
    for step in walk.steps.values():
        meta: Mapping[str, object] = _meta(source, step.node_id)
        if isinstance(meta.get("node_config"), dict):
            edits.step(places[drawing.names[step.node_id]], step, default_role=role)
