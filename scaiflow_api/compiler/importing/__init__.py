"""The way back: a manifest or a bundle becomes a flow document again. Pure, like the rest of the compiler."""

from typing import Any

from msgspec import Struct

from scaiflow_api.compiler.diagnostics import Diagnostic, Sink
from scaiflow_api.compiler.importing.foreign import NO_META
from scaiflow_api.compiler.importing.from_graph import document_from_graph
from scaiflow_api.compiler.importing.from_steps import document_from_steps
from scaiflow_api.compiler.importing.header import Document
from scaiflow_api.compiler.importing.source import Source, read_source
from scaiflow_api.compiler.rules.imports import UNKNOWN_KEYS, UNKNOWN_STEP
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits

UNKNOWN_STEPS = "unknown_steps"
UNKNOWN_CORE = "unknown_core"


class Imported(Struct, frozen=True):
    """What a manifest says, as a flow document."""

    document: dict[str, Any]
    """It has the shape of a flow; whether it is free of other errors, `validate_flow` says."""
    diagnostics: tuple[Diagnostic, ...]
    """Warnings: what was taken over from edits by hand, and what could not be."""


def import_manifest(source: str | bytes, *, limits: Limits = DEFAULT_LIMITS) -> Imported:
    """Return the flow of a YAML manifest or, where the bytes begin with `SCIR`, of a bundle.

    What the compiler made becomes the same document again. Raises ManifestError, of which BundleError is one, and
    FlowTooLarge.
    """
    read = read_source(source, limits)
    sink = Sink()
    make = document_from_steps if read.graph is None else document_from_graph
    draft = make(read, limits, sink)
    _keep_unknown(draft.document, read, sink)
    if sink.found:
        # Without findings it is what was checked on the way.
        draft.sound(limits)
    return Imported(draft.document, tuple(sink.ordered()))


def _keep_unknown(document: Document, read: Source, sink: Sink) -> None:
    """Put what no node stands for into the document's metadata."""
    foreign = read.foreign
    metadata = document.get("metadata", {})
    if foreign.steps:
        kept = metadata.get(UNKNOWN_STEPS)
        earlier = kept if isinstance(kept, list) else []
        for number, (place, reason, _) in enumerate(foreign.steps, len(earlier)):
            path = f"metadata.{UNKNOWN_STEPS}[{number}]"
            fix = "to make it a node, give it meta with a node_id of its own" if reason == NO_META else None
            sink.report(UNKNOWN_STEP, path, fix=fix, place=place, reason=reason)
        metadata = {**metadata, UNKNOWN_STEPS: [*earlier, *(step for _, _, step in foreign.steps)]}
    if read.unknown_core:
        metadata = {**metadata, UNKNOWN_CORE: dict(read.unknown_core)}
        keys = ", ".join(read.unknown_core)
        path, outcome = f"metadata.{UNKNOWN_CORE}", f"is kept in metadata.{UNKNOWN_CORE}"
        sink.report(UNKNOWN_KEYS, path, place="core", keys=keys, outcome=outcome)
    if read.vain_model is not None:
        place, outcome = "core.scaiflow_meta.models[0]", "is not what core.model says, which counts"
        sink.report(
            UNKNOWN_KEYS, None, fix="edit core.model", place=place, keys=read.vain_model, outcome=outcome
        )
    for place, node_id, unknown in foreign.keys:
        outcome = "mean nothing and were left out" if len(unknown) > 1 else "means nothing and was left out"
        sink.report(
            UNKNOWN_KEYS, None, node_id=node_id, place=place, keys=", ".join(unknown), outcome=outcome
        )
    if metadata:
        document["metadata"] = metadata
