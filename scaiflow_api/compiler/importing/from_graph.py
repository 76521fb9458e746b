"""The document that a manifest carries in its graph, and the edits made by hand since."""

from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.importing.drawing import Drawing, label_of
from scaiflow_api.compiler.importing.from_steps import walk_through
from scaiflow_api.compiler.importing.header import Document, edit_identity, edit_sections
from scaiflow_api.compiler.importing.nodes import Edits
from scaiflow_api.compiler.importing.rearranging import Ends, Rearranging, arms_of, report_removed
from scaiflow_api.compiler.importing.recognition import kind_of
from scaiflow_api.compiler.importing.settings import Lowered, Marks, marks_of
from scaiflow_api.compiler.importing.skeleton import are_alike
from scaiflow_api.compiler.importing.sound import checked_view, with_header
from scaiflow_api.compiler.importing.source import Source
from scaiflow_api.compiler.importing.told import are_same, lowered
from scaiflow_api.compiler.importing.triggers import Start, shared_out, starts_of
from scaiflow_api.compiler.importing.ways import Walk
from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.compiler.rules.imports import EDITED, REARRANGED
from scaiflow_api.flowgraph import Limits

JSON = Any


def document_from_graph(source: Source, limits: Limits, sink: Sink) -> Document:
    """Return the document that was compiled; with what differs in the steps taken over, and reported.

    Raises ManifestError where what the manifest says does not make a flow, and FlowTooLarge.
    """
    document, cut = _carried(source.module, sink)
    checked = check_document(document, limits)
    baseline = lowered(checked)
    if baseline is not None and are_same(baseline, source.module):
        _edit_header(document, source, sink)
        return document
    view = checked_view(checked, document, limits)
    starts = starts_of(source.module)
    walk = walk_through(source.module, starts, limits, {})
    return _Import(source, walk, starts, limits, sink).edit(document, cut, view, baseline)


def _edit_header(document: Document, source: Source, sink: Sink) -> None:
    keys = [*edit_identity(document, source.module), *edit_sections(document, source)]
    if keys:
        sink.report(EDITED, None, what="core", keys=", ".join(keys))


def _carried(module: ir.Module, sink: Sink) -> tuple[Document, list[Ends]]:
    """Return the document of the graph but for nodes whose steps are gone; and the ends of edges gone with them."""
    steps = _steps(module)
    graph = Section(module.metadata.graph, "core.scaiflow_meta.graph")
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
    if "edges" not in graph.values:
        return document, []
    ends = [(edge, _ends(edge)) for edge in graph.items("edges")]
    document["edges"] = [edge for edge, pair in ends if removed.isdisjoint(pair)]
    return document, [pair for _, pair in ends if not removed.isdisjoint(pair)]


def _steps(module: ir.Module) -> dict[str, ir.AnyBlock]:
    """Return the blocks that nodes stand for, by their ids."""
    blocks = (block for flow in module.flows for block in ir.walk(flow.body))
    return {
        block.node_id: block for block in blocks if block.node_id is not None and kind_of(block) is not None
    }


def _completed(node_id: str, node: Document, step: ir.AnyBlock) -> Document:
    """Return a node with what the `meta` of its step does not say."""
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        node = {**node, "type": kind_of(step)}
    return node if isinstance(node.get("label"), str) else {**node, "label": label_of(node_id)}


def _ends(edge: JSON) -> Ends:
    """Return source and target of an edge that may be anything."""
    ends = [edge.get(side) if isinstance(edge, dict) else None for side in ("source", "target")]
    source, target = (end.get("node") if isinstance(end, dict) else None for end in ends)
    return source if isinstance(source, str) else "", target if isinstance(target, str) else ""


class _Import:
    """Takes over the edits of one manifest."""

    def __init__(self, source: Source, walk: Walk, starts: list[Start], limits: Limits, sink: Sink) -> None:
        self._source = source
        self._module = source.module
        self._walk = walk
        self._starts = starts
        self._marks: Marks = marks_of(source.module)
        self._limits = limits
        self._sink = sink

    def edit(
        self, document: Document, cut: list[Ends], view: FlowView, baseline: ir.Module | None
    ) -> Document:
        """Return the document with the edits; `view` and `baseline` are what it was before."""
        drawing = Drawing(map(dict, document["nodes"]), map(dict, document.get("edges", ())))
        known = set(drawing.by_id)
        changed = self._rearrange(drawing, cut, baseline)
        document = {**document, "nodes": drawing.nodes()}
        if drawing.edges or "edges" in document:
            document["edges"] = drawing.edges
        _edit_header(document, self._source, self._sink)
        checked = check_document(document, self._limits) if changed else None
        if checked is None:
            view = with_header(view, document, self._limits)
        else:
            view = checked_view(checked, document, self._limits)
        edited = self._edit_nodes(document, drawing, known, view)
        if baseline is None or (changed and edited):
            checked = check_document(document, self._limits)
        if checked is not None:
            baseline = lowered(checked)
        if baseline is not None:
            self._compare(baseline, drawing)
        return document

    def _rearrange(self, drawing: Drawing, cut: list[Ends], baseline: ir.Module | None) -> bool:
        rearranging = Rearranging(drawing, cut, self._walk, self._sink)
        rearranging.match_entries(self._starts)
        if baseline is not None:
            blocks = (block for flow in baseline.flows for block in ir.walk(flow.body))
            steps = [block.node_id for block in blocks if block.node_id is not None]
            gone = dict.fromkeys(step for step in steps if step not in self._walk.steps)
            rearranging.remove([step for step in gone if step in drawing.by_id], "step")
        rearranging.edit_arms(arms_of(self._module), {} if baseline is None else arms_of(baseline))
        params = {flow.name: flow.params for flow in self._module.flows}
        rearranging.name_new(self._starts)
        rearranging.add_entries(self._starts, params, self._marks)
        rearranging.add_steps(self._source.foreign.carried, self._marks)
        rearranging.connect()
        rearranging.sort_arms()
        return rearranging.changed

    def _edit_nodes(self, document: Document, drawing: Drawing, known: set[str], view: FlowView) -> bool:
        """Take over the edits of nodes that were known; return whether there were any."""
        edits = Edits(Lowered(view), self._marks, self._sink)
        places = {node["id"]: place for place, node in enumerate(document["nodes"])}
        for flow in self._module.flows:
            starts = [start for start in self._starts if start.trigger.target_flow == flow.name]
            ids = [drawing.names[start.name] for start in starts]
            schemas = [_input_schema(drawing.by_id[node_id]) for node_id in ids]
            wanted = shared_out(flow.params, schemas)
            for node_id, start, schema in zip(ids, starts, wanted, strict=True):
                if node_id in known:
                    edits.entry(drawing.by_id[node_id], start.trigger, schema, places[node_id])
        for step in self._walk.steps.values():
            node_id = drawing.names[step.node_id]
            if node_id in known or "node_config" in self._source.foreign.carried.get(step.node_id, {}):
                edits.step(drawing.by_id[node_id], step, places[node_id])
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
