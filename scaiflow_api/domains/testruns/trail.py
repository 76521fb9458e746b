"""What the events of one run tell: where it came, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_RUNTIME = "scaicore.runtime."
STARTED = f"{_RUNTIME}invocation.started"
COMPLETED = f"{_RUNTIME}invocation.completed"
FAILED = f"{_RUNTIME}invocation.failed"
_ENTERED = f"{_RUNTIME}block.entered"
_EXITED = f"{_RUNTIME}block.exited"


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: with an output, or with an error, which is text or an object with a `message`."""

    completed: bool
    output: Any = None
    error: Any = None


@dataclass(slots=True)
class Trail:
    """The way of one run through its flow. Events may come in any order, and twice."""

    nodes: set[str] = field(default_factory=set)
    """Whose blocks were entered; entries have none."""
    arms: set[str] = field(default_factory=set)
    """Edges that decisions took."""
    fell_through: set[str] = field(default_factory=set)
    """Decisions that took none of their conditional edges."""
    end: End | None = None

    def take(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Take what an event of this run tells; other kinds tell nothing."""
        if kind == _ENTERED and (node_id := _node_of(payload)) is not None:
            self.nodes.add(node_id)
        elif kind == _EXITED and "edge_id" in payload:
            edge_id, node_id = payload["edge_id"], _node_of(payload)
            if isinstance(edge_id, str):
                self.arms.add(edge_id)
            elif edge_id is None and node_id is not None:
                self.fell_through.add(node_id)
        elif kind == COMPLETED:
            self.end = End(True, output=payload.get("output"))
        elif kind == FAILED:
            self.end = End(False, error=payload.get("error"))


def _node_of(payload: Mapping[str, Any]) -> str | None:
    """Return the node that a block belongs to; some runtimes tell it only in `source_location`."""
    location = payload.get("source_location")
    places = (payload, location if isinstance(location, Mapping) else {})
    return next((found for place in places if isinstance(found := place.get("node_id"), str)), None)
