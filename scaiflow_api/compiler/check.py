"""The one order in which a document is checked. All rules run; each skips the parts that are broken."""

from collections.abc import Sequence

from msgspec import Struct

from scaiflow_api.compiler.analysis.scope import Scope
from scaiflow_api.compiler.diagnostics import Diagnostic, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.graph.regions import Regions
from scaiflow_api.compiler.rules import (
    binding,
    branches,
    configuration,
    declarations,
    expressions,
    fixtures,
    heading,
    models,
    names,
    paths,
    plugins,
    policy,
    resources,
    schedules,
    shape,
    structure,
    types,
    usage,
    wiring,
)
from scaiflow_api.flowgraph import DEFAULT_LIMITS, FlowDocument, Limits, Problem, parse_document


class Checked(Struct, frozen=True):
    """A document after the rules that find errors; the findings so far, and the flow as far as it is one."""

    sink: Sink
    sound: "SoundShape | None" = None
    """None where the document has not even the shape of a flow."""


class SoundShape(Struct, frozen=True):
    """What the rules that only warn start from."""

    view: FlowView
    regions: Regions | None
    """None where the graph has cycles."""
    uses: Sequence[expressions.Use]


def check_document(document: object, limits: Limits) -> Checked:
    """Find all errors, and what else comes to light on the way. Takes any JSON value.

    Raises FlowTooLarge alone.
    """
    return check_parsed(parse_document(document, limits=limits), limits)


def check_parsed(parsed: FlowDocument | list[Problem], limits: Limits) -> Checked:
    """Return what `check_document` does for a document of which this is known. Raises FlowTooLarge alone."""
    sink = Sink()
    if isinstance(parsed, list):
        sink.found += [shape.diagnostic(problem) for problem in parsed]
        sink.has_errors = True
        return Checked(sink)
    graph, value, text = parsed.graph, parsed.value, parsed.text
    nodes = [FlowNode.of(index, node) for index, node in enumerate(value.get("nodes", ()))]
    edges, torn = wiring.check(value.get("edges", ()), nodes, sink)
    configs = configuration.check(nodes, sink)
    view = FlowView(value, graph, nodes, edges, configs, torn)
    paths.check(view, sink)
    regions = structure.check(view, sink)
    uses = expressions.check(view, limits, sink)
    names.check_reserved(view, text, uses, sink)
    models.check(view, sink)
    plugins.check(view, sink)
    policy.check(view, sink)
    return Checked(sink, SoundShape(view, regions, uses))


def advise(checked: Checked) -> list[Diagnostic]:
    """Return all findings: those so far, and those of the rules that only warn, in the order of the document."""
    sink = Sink(list(checked.sink.found), checked.sink.has_errors)
    sound = checked.sound
    if sound is not None:
        view, regions, uses = sound.view, sound.regions, sound.uses
        scope = Scope(view, regions)
        names.check(view, scope, uses, sink)
        branches.check(view, uses, sink)
        if regions is not None:
            binding.check(view, regions, scope, uses, sink)
            types.check(view, regions, scope, uses, sink)
        heading.check(view, sink)
        declarations.check(view, sink)
        usage.check(view, scope, uses, sink)
        fixtures.check(view, sink)
        schedules.check(view, sink)
        resources.check(view, sink)
        policy.check_secrets(view, sink)
    return sink.ordered()


def validate_flow(document: object, *, limits: Limits = DEFAULT_LIMITS) -> list[Diagnostic]:
    """Return all that is wrong with any JSON value, in the order of the document.

    Raises FlowTooLarge (413) alone.
    """
    return advise(check_document(document, limits))
