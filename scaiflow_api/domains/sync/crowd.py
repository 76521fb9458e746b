"""The peers of a room: what is sent to all of them, and what they say of themselves."""

import secrets
import time
from collections.abc import Callable
from typing import Final

import structlog

from scaiflow_api.domains.sync import awareness
from scaiflow_api.domains.sync.peer import Peer
from scaiflow_api.domains.sync.protocol import awareness_frame
from scaiflow_api.domains.sync.varints import Malformed
from scaiflow_api.live.draft_news import AwarenessChanged, News, WhoIsThere

log = structlog.get_logger(__name__)

_SILENCE_S: Final = 15.0
_SIGN_OF_LIFE: Final = awareness_frame(awareness.written([]))
"""y-websocket gives a connection up on which nothing came for 30 seconds; it does not see pings."""


class Crowd:
    """Those who are in a room of this process; `announce` tells the rooms of others."""

    def __init__(self, announce: Callable[[News], None], max_awareness_bytes: int) -> None:
        self.peers: set[Peer] = set()
        """All who were let in, even if they have not joined yet."""
        self._announce = announce
        self._me = secrets.token_bytes(8)
        self._who = awareness.WhoIsWhere[Peer](max_awareness_bytes)

    def send(self, frame: bytes, *, but: Peer | None = None) -> int:
        """Send a frame to all who have joined, but one; return how many that are."""
        receivers = [peer for peer in self.peers if peer.joined and peer is not but]
        for peer in receivers:
            peer.send(frame)
        return len(receivers)

    def leave(self, peer: Peer) -> None:
        """Forget a peer whose socket is gone."""
        self.peers.discard(peer)
        self._tell(self._who.leave(peer))

    def say(self, peer: Peer, update: bytes) -> None:
        """Take what a peer says of itself. Raises Malformed and SaidTooMuch."""
        self._tell(self._who.hear(update, peer, peer.person, time.monotonic()))

    def ask(self, peer: Peer) -> None:
        """Tell a peer of everybody."""
        if everybody := self._who.all():
            peer.send(awareness_frame(awareness.written(everybody)))

    def ask_others(self) -> None:
        """Have the rooms of other processes tell who is there."""
        self._announce(WhoIsThere(self._me))

    def hear(self, news: AwarenessChanged | WhoIsThere) -> None:
        """Take what another room says, or asks."""
        if news.room == self._me:
            return
        if isinstance(news, AwarenessChanged):
            try:
                self._tell_peers(self._who.hear_from_afar(news.update, time.monotonic()))
            except Malformed:
                log.warning("awareness of another process cannot be read")
        elif ours := self._who.ours():
            self._announce(AwarenessChanged(self._me, awareness.written(ours)))

    def tidy(self) -> None:
        """Forget clients elsewhere that went silent; let no peer think that we are gone."""
        now = time.monotonic()
        self._tell_peers(self._who.forget_silent(now))
        for peer in self.peers:
            if peer.joined and now - peer.sent_at > _SILENCE_S:
                peer.send(_SIGN_OF_LIFE)

    def _tell(self, entries: list[awareness.Entry]) -> None:
        self._tell_peers(entries)
        if entries:
            self._announce(AwarenessChanged(self._me, awareness.written(entries)))

    def _tell_peers(self, entries: list[awareness.Entry]) -> None:
        """Tell everybody, the speaker included: this shows a client that it was heard."""
        if entries:
            self.send(awareness_frame(awareness.written(entries)))
