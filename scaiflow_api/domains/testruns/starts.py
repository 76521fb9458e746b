"""Where a fixture's run begins, and whether an invocation can begin there.

An invocation names a compiled flow, and the run enters at that flow's first entry: ScaiGrid documents no way to name
another one. Entries that reach the same nodes share a flow, so only the first of them can be tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler import CompileError, compile_flow
from scaiflow_api.flowgraph import Limits


class CannotStart(Exception):
    """Its text is the sentence that the fixture fails with."""


@dataclass(frozen=True, slots=True)
class Starts:
    """The entries of a document as they were compiled."""

    flows: Mapping[str, str]
    """Entry → the flow that it starts."""
    first: Mapping[str, str]
    """Flow → the entry at which an invocation begins."""

    @classmethod
    def of(cls, document: dict[str, Any], limits: Limits) -> "Starts":
        """Compile the document, which takes long for a large one. One with errors has no starts."""
        try:
            triggers = compile_flow(document, "yaml", limits=limits).module.triggers
        except CompileError:
            triggers = ()
        flows = {t.node_id: t.target_flow for t in triggers if t.node_id is not None}
        first: dict[str, str] = {}
        for entry, flow in flows.items():
            first.setdefault(flow, entry)
        return cls(flows, first)

    def flow_name(self, entry: str) -> str:
        """Return the flow to invoke for an entry. Raises CannotStart."""
        flow = self.flows.get(entry)
        if flow is None:
            raise CannotStart(f"entry '{entry}' starts no flow of this document")
        if self.first[flow] != entry:
            raise CannotStart(
                f"entry '{entry}' cannot be tested: it shares the flow '{flow}' with '{self.first[flow]}', "
                "and ScaiGrid invokes a flow at its first entry only"
            )
        return flow
