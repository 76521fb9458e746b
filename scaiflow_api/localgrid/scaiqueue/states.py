"""The states of scopes and queues, and what leads from one to another."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from scaiflow_api.localgrid.scaigrid.errors import GridError

ACTIVE = "active"
PAUSED = "paused"
DRAINING = "draining"
ARCHIVED = "archived"

ScopeVerb: TypeAlias = Literal["pause", "resume", "archive", "unarchive"]
QueueVerb: TypeAlias = Literal["pause", "resume", "drain", "archive", "unarchive"]

_STEPS: Mapping[str, tuple[frozenset[str], str]] = {
    "pause": (frozenset({ACTIVE, DRAINING}), PAUSED),
    "resume": (frozenset({PAUSED, DRAINING}), ACTIVE),
    "drain": (frozenset({ACTIVE, PAUSED}), DRAINING),
    "archive": (frozenset({ACTIVE, PAUSED, DRAINING}), ARCHIVED),
    # Archived things must be unarchived before they can be resumed.
    "unarchive": (frozenset({ARCHIVED}), PAUSED),
}


def state_after(state: str, verb: str) -> str:
    """Return the state that `verb` leads to. Raises GridError 409 where it leads nowhere."""
    allowed, reached = _STEPS[verb]
    if state not in allowed:
        raise GridError(409, "SCAIQUEUE_STATE_CONFLICT", f"It is {state}: {verb} does not apply.")
    return reached
