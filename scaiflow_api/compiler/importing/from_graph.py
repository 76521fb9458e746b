"""The document that a manifest carries in its graph, and the edits made by hand since."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.importing.drawing import Drawing, Node, label_of
from scaiflow_api.compiler.importing.from_steps import walk_through
from scaiflow_api.compiler.importing.header import Document, edit_identity, edit_sections
from scaiflow_api.compiler.importing.in_place import edited_in_place
from scaiflow_api.compiler.importing.nodes import Edits
from scaiflow_api.compiler.importing.rearranging import Ends, Rearranging, edit_conditions, report_removed
from scaiflow_api.compiler.importing.recognition import kind_of
from scaiflow_api.compiler.importing.settings import Lowered, Marks, marks_of
from scaiflow_api.compiler.importing.skeleton import are_alike
from scaiflow_api.compiler.importing.sound import Draft, checked_view, with_header
from scaiflow_api.compiler.importing.source import Source
from scaiflow_api.compiler.importing.told import Outline, lowered, outline_due, outline_of
from scaiflow_api.compiler.importing.triggers import Start, shared_out, starts_of
from scaiflow_api.compiler.importing.ways import Walk
from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.compiler.rules.imports import EDITED, REARRANGED
from scaiflow_api.flowgraph import Limits

JSON = Any


def document_from_graph(source: Source, limits: Limits, sink: Sink) -> Draft:
    """Return the document that was compiled; with what differs in the steps taken over, and reported.

    Raises ManifestError where what the manifest says does not make a flow, and FlowTooLarge.
    """
    document, cut = _carried(source.take_graph(), source.blocks, sink)
    checked = check_document(document, limits)
    view = checked_view(checked, document, limits)
    del document
    draft = Draft.of(view.document)
    before, given = outline_due(checked), outline_of(source.blocks)
    baseline = None
    if before is not None and not cut and before.names_the_same(given):
        baseline = lowered(checked)
    steps = None if baseline is None else edited_in_place(baseline, source.module)
    if before is None or steps is None:
        starts = starts_of(source.module)
        walk = walk_through(source.module, starts, limits, {})
        _Import(source, given, walk, starts, limits, sink).edit(draft, cut, view, before, baseline)
        return draft
    _edit_header(draft.document, source, sink)
    edit_conditions(draft.document.get("edges", []), given.arms, before.arms, sink)
    if steps:
        view = with_header(view, draft.document, limits)
        edits = Edits(draft.document["nodes"], Lowered(view), marks_of(source.blocks), sink)
        for step in steps:
            edits.step(view.by_id[step.node_id].index, step)
    return draft


def _edit_header(document: Document, source: Source, sink: Sink) -> None:
    keys = [*edit_identity(document, source.module), *edit_sections(document, source)]
    if keys:
        sink.report(EDITED, None, what="core", keys=", ".join(keys))


def _carried(carried: JSON, blocks: Iterable[ir.AnyBlock], sink: Sink) -> tuple[Document, list[Ends]]:
    """Return the document of the graph but for nodes whose steps are gone; and the ends of edges gone with them."""
    steps = _steps(blocks)
    graph = Section(carried, "core.scaiflow_meta.graph")
    given = graph.mapping("nodes")
    order = dict.fromkeys(
        item for item in graph.items("node_order") if isinstance(item, str) and item in given
    )
    nodes, removed = [], set()
    for node_id in {**order, **given}:
        node = given[node_id]
        step = steps.get(node_id)
        if step is not None and isinstance(node, dict):
            nodes.append(_completed(node_id, node, step))
        elif isinstance(node, dict) and (node.get("type") is None or node.get("label") is None):
            removed.add(node_id)
            report_removed(sink, node_id, "step")
        else:
            nodes.append({"id": node_id, **node} if isinstance(node, dict) else node)
    document = {**graph.mapping("document"), "nodes": nodes}
    if "edges" in graph.values:
        document["edges"] = graph.items("edges")
    if not removed or "edges" not in document:
        return document, []
    kept, cut = [], []
    for edge in document["edges"]:
        ends = _end(edge, "source"), _end(edge, "target")
        if removed.isdisjoint(ends):
            kept.append(edge)
        else:
            cut.append(ends)
    document["edges"] = kept
    return document, cut


def _steps(blocks: Iterable[ir.AnyBlock]) -> dict[str, ir.AnyBlock]:
    """Return those blocks that stand for nodes, by their ids."""
    return {
        block.node_id: block for block in blocks if block.node_id is not None and kind_of(block) is not None
    }


def _completed(node_id: str, node: Document, step: ir.AnyBlock) -> Document:
    """Return a node with what the `meta` of its step does not say."""
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        node = {**node, "type": kind_of(step)}
    return node if isinstance(node.get("label"), str) else {**node, "label": label_of(node_id)}


def _end(edge: JSON, side: str) -> str:
    """Return the node at one end of an edge that may be anything."""
    end = edge.get(side) if isinstance(edge, dict) else None
    node = end.get("node") if isinstance(end, dict) else None
    return node if isinstance(node, str) else ""


class _Import:
    """Takes over the edits of one manifest in which steps came, went or moved."""

    def __init__(
        self, source: Source, given: Outline, walk: Walk, starts: list[Start], limits: Limits, sink: Sink
    ) -> None:
        self._source = source
        self._module = source.module
        self._given = given
        self._walk = walk
        self._starts = starts
        self._marks: Marks = marks_of(source.blocks)
        self._limits = limits
        self._sink = sink

    def edit(
        self,
        draft: Draft,
        cut: list[Ends],
        view: FlowView,
        before: Outline | None,
        baseline: ir.Module | None,
    ) -> None:
        """Take over the edits; `before`, `view` and `baseline` are what the document was until now."""
        document = draft.document
        drawing = Drawing(document["nodes"], document.get("edges", ()))
        known = set(drawing.by_id)
        changed = self._rearrange(drawing, cut, before)
        document["nodes"] = drawing.nodes()
        if drawing.edges or "edges" in document:
            document["edges"] = drawing.edges
        _edit_header(document, self._source, self._sink)
        checked = draft.checked(self._limits) if changed else None
        if checked is None:
            view = with_header(view, document, self._limits)
        else:
            view = checked_view(checked, document, self._limits)
        edited = self._edit_nodes(document["nodes"], drawing, known, view)
        if edited if changed else baseline is None:
            checked = draft.checked(self._limits)
        if checked is not None:
            baseline = lowered(checked)
        if baseline is not None:
            self._compare(baseline, drawing)

    def _rearrange(self, drawing: Drawing, cut: list[Ends], before: Outline | None) -> bool:
        rearranging = Rearranging(drawing, cut, self._walk, self._sink)
        rearranging.match_entries(self._starts)
        if before is not None:
            gone = dict.fromkeys(step for step in before.steps if step not in self._walk.steps)
            rearranging.remove([step for step in gone if step in drawing.by_id], "step")
        rearranging.edit_arms(self._given.arms, {} if before is None else before.arms)
        params = {flow.name: flow.params for flow in self._module.flows}
        rearranging.name_new(self._starts)
        rearranging.add_entries(self._starts, params, self._marks)
        rearranging.add_steps(self._source.foreign.carried, self._marks)
        rearranging.connect()
        rearranging.sort_arms()
        return rearranging.changed

    def _edit_nodes(self, nodes: list[Node], drawing: Drawing, known: set[str], view: FlowView) -> bool:
        """Take over the edits of nodes that were known; return whether there were any."""
        edits = Edits(nodes, Lowered(view), self._marks, self._sink)
        places = {node["id"]: place for place, node in enumerate(nodes)}
        started: dict[str, list[Start]] = defaultdict(list)
        for start in self._starts:
            started[start.trigger.target_flow].append(start)
        for flow in self._module.flows:
            starts = started[flow.name]
            ids = [drawing.names[start.name] for start in starts]
            wanted = shared_out(flow.params, [_input_schema(nodes[places[node_id]]) for node_id in ids])
            for node_id, start, schema in zip(ids, starts, wanted, strict=True):
                if node_id in known:
                    edits.entry(places[node_id], start.trigger, schema)
        for step in self._walk.steps.values():
            node_id = drawing.names[step.node_id]
            if node_id in known or "node_config" in self._source.foreign.carried.get(step.node_id, {}):
                edits.step(places[node_id], step)
        return edits.any

    def _compare(self, baseline: ir.Module, drawing: Drawing) -> None:
        """Report flows whose steps the graph cannot tell."""
        names = {name: node_id for name, node_id in drawing.names.items() if name != node_id}
        by_place = list(zip(baseline.flows, self._module.flows, strict=False))
        for before, given in by_place:
            if not are_alike(before.body, given.body, names):
                self._report_rearranged(given.name)
        for flow in self._module.flows[len(by_place) :]:
            self._report_rearranged(flow.name)

    def _report_rearranged(self, flow: str) -> None:
        fix = "remove scaiflow_meta.graph from the manifest, so that the edges follow from the steps"
        self._sink.report(REARRANGED, None, fix=fix, flow=flow)


def _input_schema(node: Document) -> dict[str, str]:
    schema = (node.get("config") or {}).get("input_schema")
    return schema if isinstance(schema, dict) else {}
