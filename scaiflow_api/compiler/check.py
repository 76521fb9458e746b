"""The one order in which a document is checked. All rules run; each skips the parts that are broken."""

from dataclasses import dataclass

from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.flow import FlowNode, FlowView
from scaiflow_api.compiler.rules import configuration, expressions, models, names, paths, shape, wiring
from scaiflow_api.flowgraph import FlowGraph, Limits, parse_document
from scaiflow_api.kit.canonical_json import normalized


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings, and the flow as far as it is one."""

    sink: Sink
    view: FlowView | None


def check_document(document: object, limits: Limits) -> Checked:
    """Check any JSON value. Raises FlowTooLarge alone."""
    sink = Sink()
    graph = parse_document(document, limits=limits)
    if not isinstance(graph, FlowGraph):
        sink.found += [shape.diagnostic(problem) for problem in graph]
        return Checked(sink, None)
    nodes = [FlowNode.of(index, node) for index, node in enumerate(graph.nodes)]
    edges = wiring.check(graph.edges, nodes, sink)
    configs = configuration.check(nodes, sink)
    view = FlowView(normalized(document), graph, nodes, edges, configs)
    paths.check(view, sink)
    uses = expressions.check(view, sink)
    names.check(view, uses, sink)
    models.check(view, sink)
    return Checked(sink, view)
