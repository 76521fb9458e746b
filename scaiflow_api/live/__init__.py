"""What is true only for a moment: who is here, what happens now. In the process, or in Redis for several of them."""

from scaiflow_api.live.announcements import Announcements
from scaiflow_api.live.errors import LiveNotUsable, PresenceUnavailable
from scaiflow_api.live.open import open_announcements, open_presence
from scaiflow_api.live.presence import Peer, Person, Presence

__all__ = [
    "Announcements",
    "LiveNotUsable",
    "Peer",
    "Person",
    "Presence",
    "PresenceUnavailable",
    "open_announcements",
    "open_presence",
]
