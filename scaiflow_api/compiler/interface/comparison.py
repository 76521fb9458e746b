"""The whole comparison of two flow documents: what differs, and whether callers could break on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler.interface.compare import Verdict, compare_interfaces
from scaiflow_api.flowgraph import DEFAULT_LIMITS, Limits
from scaiflow_api.flowgraph.diff import FlowDiff, diff_flows


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two documents, and whether callers could break on it."""

    diff: FlowDiff
    verdict: Verdict

    @classmethod
    def of(
        cls, old: Mapping[str, Any], new: Mapping[str, Any], *, limits: Limits = DEFAULT_LIMITS
    ) -> "Comparison":
        """Compare two documents that have the shape of a flow; both are compiled."""
        return cls(diff_flows(old, new), compare_interfaces(old, new, limits=limits))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON: the difference, and beside it the verdict as `callers`."""
        return {**self.diff.as_dict(), "callers": self.verdict.as_dict()}
