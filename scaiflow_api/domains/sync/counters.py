"""What a process counts of its sockets, for whoever watches over it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class SyncCounters:
    """Counted since the process began, but for the first two, which are of this moment."""

    rooms: int = 0
    peers: int = 0
    updates_received: int = 0
    """Changes that peers sent."""
    updates_stored: int = 0
    """Of these, those that brought something new."""
    updates_refused: int = 0
    """Changes of peers who may only view."""
    updates_delivered: int = 0
    """Changes handed to a peer's socket."""
    commits: int = 0
    """Transactions that stored changes; each stores all that came while the one before it went on."""
    merges: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    closed: Counter[int] = field(default_factory=Counter)
    """Sockets that the server closed, by code."""
