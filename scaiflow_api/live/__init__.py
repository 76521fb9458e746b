"""What is true only for a moment: who is here now. Kept in the process, or in Redis for several processes."""

from scaiflow_api.live.errors import LiveNotUsable, PresenceUnavailable
from scaiflow_api.live.open import open_presence
from scaiflow_api.live.presence import Peer, Person, Presence

__all__ = ["LiveNotUsable", "Peer", "Person", "Presence", "PresenceUnavailable", "open_presence"]
