"""What an import answers is always a document, or the reason why it cannot be one."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from scaiflow_api.compiler.check import Checked, check_parsed
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.importing.header import Document
from scaiflow_api.compiler.manifest.section import ManifestError
from scaiflow_api.compiler.rules import wiring
from scaiflow_api.flowgraph import FlowDocument, Limits, Problem, parse_again, parse_document

JSON = Any


class Draft(Struct, frozen=True):
    """A document that is made from one that was found sound."""

    document: Document
    before: Mapping[str, JSON]
    """The sound one; nodes and edges that are as they were there, are the same objects."""

    @classmethod
    def of(cls, before: Mapping[str, JSON]) -> "Draft":
        """Return a draft that is like the document still, and can be changed."""
        lists = {key: list(before[key]) for key in ("nodes", "edges") if key in before}
        return cls({**before, **lists}, before)

    def sound(self, limits: Limits) -> FlowDocument:
        """Return the flow of the document. Raises as `sound` does."""
        return _sound(parse_again(self.document, self.before, limits=limits))

    def checked(self, limits: Limits) -> Checked:
        """Return what `check_document` finds in the document. Raises FlowTooLarge."""
        return check_parsed(parse_again(self.document, self.before, limits=limits), limits)


def sound(document: Document, limits: Limits) -> FlowDocument:
    """Return the flow of a document. Raises ManifestError, with the first of its faults, and FlowTooLarge."""
    return _sound(parse_document(document, limits=limits))


def _sound(found: FlowDocument | list[Problem]) -> FlowDocument:
    if not isinstance(found, list):
        return found
    place = f" ({found[0].path})" if found[0].path else ""
    raise ManifestError(f"The manifest does not make a flow: {found[0].message}{place}.")


def view_of(flow: FlowDocument) -> FlowView:
    """Return a flow with its nodes and edges resolved."""
    nodes = [FlowNode.of(index, node) for index, node in enumerate(flow.value.get("nodes", ()))]
    edges, _ = wiring.check(flow.value.get("edges", ()), nodes, Sink())
    return FlowView(flow.value, flow.graph, nodes, edges)


def checked_view(checked: Checked, document: Document, limits: Limits) -> FlowView:
    """Return the flow of a document that was checked. Raises as `sound` does where it is none."""
    return view_of(sound(document, limits)) if checked.sound is None else checked.sound.view


def with_header(view: FlowView, document: Document, limits: Limits) -> FlowView:
    """Return the flow of a document that has the nodes and edges of `view`. Raises as `sound` does."""
    header = sound({**document, "nodes": [], "edges": []}, limits)
    return FlowView(document, header.graph, view.nodes, view.edges)
