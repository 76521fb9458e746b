"""What a deploy brings to ScaiGrid: a flow's manifest, the queues that it needs, and how it is offered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.compiler import Diagnostic, compile_flow
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits
from scaiflow_api.flowgraph.config import QueueTopology


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A compiled flow and everything that its deploy needs to know of it."""

    flow_id: str | None
    """The id that its Core carries, by which the Core is found again; None in a document without one."""
    name: str
    manifest: bytes = field(repr=False)
    """YAML."""
    queues: QueueTopology | None
    publishes: bool
    group_ids: Sequence[str]
    """Who may use the published model; empty: ScaiGrid's default."""
    findings: Sequence[Diagnostic]
    """Warnings and notes; a flow with errors makes no release."""

    @classmethod
    def of(
        cls,
        document: Any,
        *,
        publish_as_model: bool | None = None,
        group_ids: Sequence[str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> "Release":
        """Compile a document; None leaves a choice to the flow's `config`. Raises CompileError, FlowTooLarge."""
        compiled = compile_flow(document, "yaml", limits=limits)
        module, metadata = compiled.module, compiled.module.metadata
        return cls(
            flow_id=metadata.source_id,
            name=module.name,
            manifest=compiled.text.encode(),
            queues=_queues(module.scaiqueue),
            publishes=metadata.publish_as_model if publish_as_model is None else publish_as_model,
            group_ids=metadata.model_visibility_group_ids if group_ids is None else group_ids,
            findings=compiled.diagnostics,
        )


def _queues(topology: Any) -> QueueTopology | None:
    """Return the topology; None for one that names neither a scope nor a queue."""
    if topology is None:
        return None
    queues = QueueTopology.model_validate(topology)
    return queues if queues.scope or queues.queues else None
