"""What an import answers is always a document, or the reason why it cannot be one."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler.check import Checked
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.manifest.section import ManifestError
from scaiflow_api.compiler.rules import wiring
from scaiflow_api.flowgraph import FlowGraph, Limits, parse_document

JSON = Any


def sound(document: Mapping[str, JSON], limits: Limits) -> FlowGraph:
    """Return the flow of a document, without nodes and edges.

    Raises ManifestError, with the first of its faults, and FlowTooLarge.
    """
    found = parse_document(dict(document), limits=limits)
    if not isinstance(found, list):
        return found.graph
    place = f" ({found[0].path})" if found[0].path else ""
    raise ManifestError(f"The manifest does not make a flow: {found[0].message}{place}.")


def view_of(document: Mapping[str, JSON], limits: Limits) -> FlowView:
    """Return the flow of a document with its nodes and edges resolved. Raises as `sound` does."""
    graph = sound(document, limits)
    nodes = [FlowNode.of(index, node) for index, node in enumerate(document.get("nodes", ()))]
    edges, _ = wiring.check(document.get("edges", ()), nodes, Sink())
    return FlowView(document, graph, nodes, edges)


def checked_view(checked: Checked, document: Mapping[str, JSON], limits: Limits) -> FlowView:
    """Return the flow of a document that was checked. Raises as `sound` does where it is none."""
    return view_of(document, limits) if checked.sound is None else checked.sound.view


def with_header(view: FlowView, document: Mapping[str, JSON], limits: Limits) -> FlowView:
    """Return the flow of a document that has the nodes and edges of `view`. Raises as `sound` does."""
    graph = sound({**document, "nodes": [], "edges": []}, limits)
    return FlowView(document, graph, view.nodes, view.edges)
