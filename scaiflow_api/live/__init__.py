"""Short-lived state that processes share: presence, announcements, rate limits. In memory, or in Redis."""

from scaiflow_api.live.announcements import Announcements
from scaiflow_api.live.errors import LiveNotUsable, PresenceUnavailable
from scaiflow_api.live.open import open_announcements, open_presence, open_rate
from scaiflow_api.live.presence import Peer, Person, Presence
from scaiflow_api.live.rate import Rate

__all__ = [
    "Announcements",
    "LiveNotUsable",
    "Peer",
    "Person",
    "Presence",
    "PresenceUnavailable",
    "Rate",
    "open_announcements",
    "open_presence",
    "open_rate",
]
