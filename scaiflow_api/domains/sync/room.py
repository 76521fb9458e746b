"""A draft that somebody has open, in one process. Work is done one piece after the other, in `_turn`.

The keeper judges each change, the room stores it together with all that came meanwhile, and only then sends it to
everybody else. Changes that other processes stored come in between. A peer joins between two such steps, so it misses
nothing and sees nothing that is not stored. Any failure ends the room: its peers reconnect and find what is stored.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from scaiflow_api.domains.sync.closing import (
    MALFORMED,
    OTHER_EPOCH,
    TOO_LARGE,
    TRY_AGAIN,
    Closing,
)
from scaiflow_api.domains.sync.counters import SyncCounters
from scaiflow_api.domains.sync.crowd import Crowd
from scaiflow_api.domains.sync.draft_log import Place
from scaiflow_api.domains.sync.held_draft import EpochOver, HeldDraft
from scaiflow_api.domains.sync.keeper.helper import HelperCrashed, HelperLost
from scaiflow_api.domains.sync.keeper.kept_document import CHANGED, INVALID
from scaiflow_api.domains.sync.keeper.kept_document import OTHER_EPOCH as OF_ANOTHER_EPOCH
from scaiflow_api.domains.sync.peer import Peer
from scaiflow_api.domains.sync.protocol import (
    EMPTY_UPDATE,
    answer_frame,
    refusal_frame,
    state_frame,
    update_frame,
)
from scaiflow_api.domains.sync.varints import Malformed
from scaiflow_api.kit.errors import AppError
from scaiflow_api.live import Announcements
from scaiflow_api.live.draft_news import AwarenessChanged, LogGrew, News, WhoIsThere, read, topic_of, written
from scaiflow_api.settings import Sync

log = structlog.get_logger(__name__)

_MOST_AT_ONCE: Final = 256
"""At most so many changes are stored in one transaction."""
_REST_S: Final = 1.0
"""A long log is merged once nothing came for so long, because what comes meanwhile has to wait some 10 ms."""
_WITHOUT_REST: Final = 4
"""Where people never pause, the log is merged when it is so many times as long."""
_NOTHING: Final = b"\x00"
"""The state vector of an empty document."""
_VIEW_ONLY: Final = "You may only view this flow: your change was not taken."


class RoomOver(Exception):
    """The room has ended: what was asked of it will not be answered."""


@dataclass(frozen=True, slots=True)
class _Change:
    peer: Peer | None
    """None: the process itself makes it."""
    update: bytes
    answers: bool = False


@dataclass(frozen=True, slots=True)
class _Joins:
    peer: Peer
    vector: bytes | None
    """None: it joined before, and is only asked for what it has."""


@dataclass(frozen=True, slots=True)
class _Reads:
    updates: asyncio.Future[list[bytes]]


class Room:
    """The peers and the work of one open draft. `end` ends it; `failed` says that it ended by itself."""

    def __init__(
        self,
        place: Place,
        held: HeldDraft,
        server_keys: dict[str, str],
        settings: Sync,
        announcements: Announcements,
        counters: SyncCounters,
    ) -> None:
        self.place = place
        self.topic = topic_of(place.tenant_id, place.flow_id)
        self.crowd = Crowd(self._announce)
        self.peers = self.crowd.peers
        self.empty_since = time.monotonic()
        self.failed = False
        self.held = held
        self.server_keys = server_keys
        """What only the server writes into the flow: id, name, version."""
        self.changes = asyncio.Event()
        """Set when the draft has changed, so that it is validated again."""
        self.changes.set()
        self._settings = settings
        self._announcements = announcements
        self._counters = counters
        self._work: deque[_Change | _Joins | _Reads] = deque()
        self._waiting_bytes = 0
        self._behind = False
        self._wanted = asyncio.Event()
        self._queue_has_space = asyncio.Event()
        self._queue_has_space.set()
        self._ending = False
        self._attending: list[asyncio.Task[None]] = []
        self._task = asyncio.create_task(self._run())
        announcements.subscribe(self.topic, self._hear)
        self.crowd.ask_others()
        self.look_at_log()  # something may have been written before we listened

    # What sockets do.

    def enter(self, peer: Peer) -> None:
        """Let a peer in. It hears nothing before it joins."""
        self.peers.add(peer)

    def leave(self, peer: Peer) -> None:
        """Forget a peer whose socket is gone."""
        self.empty_since = time.monotonic()
        self.crowd.leave(peer)

    async def join(self, peer: Peer, vector: bytes) -> None:
        """Give a peer what it lacks, and every change from then on."""
        await self._add(_Joins(peer, vector), len(vector))

    def ask(self, peer: Peer) -> None:
        """Ask a peer that may write again for what it changed meanwhile, which was refused."""
        if not self._has_ended:
            self._work.append(_Joins(peer, None))
            self._wanted.set()

    async def change(self, peer: Peer, update: bytes, *, answers: bool) -> None:
        """Queue a peer's change; waits while too many bytes are queued already."""
        self._counters.updates_received += 1
        await self._add(_Change(peer, update, answers), len(update))

    # What the process does.

    def look_at_log(self, seq: int | None = None) -> None:
        """Have the log read on, unless `seq`, the number of its last entry, is known already."""
        if seq is None or seq > self.held.seq:
            self._behind = True
            self._wanted.set()

    async def insert(self, update: bytes) -> None:
        """Queue a change that this process makes. It does not count as a change of the flow."""
        await self._add(_Change(None, update), len(update))

    async def snapshot(self) -> list[bytes]:
        """Return the updates that make up the draft, with all that was queued before. Raises RoomOver."""
        if self._has_ended:
            raise RoomOver
        updates: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._work.append(_Reads(updates))
        self._wanted.set()
        return await updates

    def attend(self, task: asyncio.Task[None]) -> None:
        """Have a task cancelled when the room ends."""
        self._attending.append(task)

    def tidy(self) -> None:
        """Free what is not needed for the moment."""
        self.crowd.tidy()
        self.held.drop_copy()

    async def end(self, closing: Closing) -> None:
        """Store what was taken, close all sockets, and let go of the draft."""
        for task in self._attending:
            task.cancel()
        await asyncio.gather(*self._attending, return_exceptions=True)
        self._ending = True
        self._queue_has_space.set()
        self._wanted.set()
        await self._task
        for peer in list(self.peers):
            peer.end(closing)
        self._announcements.unsubscribe(self.topic, self._hear)
        try:
            if not self.failed and self.held.unmerged > self._settings.merge_after // 10:
                await self.held.merge()
            await self.held.forget()
        except (AppError, DBAPIError, HelperLost, EpochOver) as failure:
            log.warning("a draft was left as it is", flow_id=self.place.flow_id, failure=repr(failure))

    # One thing after the other.

    async def _add(self, work: _Change | _Joins, size: int) -> None:
        while self._waiting_bytes > self._settings.max_message_bytes and not self._has_ended:
            self._queue_has_space.clear()
            await self._queue_has_space.wait()
        if self._has_ended:
            if work.peer is not None:
                work.peer.end(TRY_AGAIN)
            return
        self._waiting_bytes += size
        self._work.append(work)
        self._wanted.set()

    @property
    def _has_ended(self) -> bool:
        return self._ending or self.failed

    async def _run(self) -> None:
        try:
            while not self._ending or self._work:
                if await self._is_wanted():
                    await self._turn()
                else:
                    await self._merge()
        except EpochOver:
            self._fail(OTHER_EPOCH)
        except (AppError, DBAPIError, HelperLost) as failure:
            log.warning("a room ends", flow_id=self.place.flow_id, failure=repr(failure))
            self._fail(TRY_AGAIN)
        except Exception:
            log.exception("a room ends unexpectedly", flow_id=self.place.flow_id)
            self._fail(TRY_AGAIN)

    def _fail(self, closing: Closing) -> None:
        self.failed = True
        self._queue_has_space.set()
        for work in self._work:
            if isinstance(work, _Reads) and not work.updates.done():
                work.updates.set_exception(RoomOver())
        self._work.clear()
        for peer in list(self.peers):
            peer.end(closing)

    async def _is_wanted(self) -> bool:
        """Wait for work; False: none came for a moment, so a long log is to be merged now."""
        is_long = self.held.unmerged >= self._settings.merge_after
        try:
            async with asyncio.timeout(_REST_S if is_long else None):
                await self._wanted.wait()
        except TimeoutError:
            return False
        self._wanted.clear()
        return True

    async def _turn(self) -> None:
        while self._behind or self._work:
            if self._behind:
                self._behind = False
                self._deliver_foreign(await self.held.catch_up())
            changes: list[_Change] = []
            while self._work and isinstance(self._work[0], _Change) and len(changes) < _MOST_AT_ONCE:
                work = self._work.popleft()
                assert isinstance(work, _Change)
                changes.append(work)
            if changes:
                self._release(sum(len(change.update) for change in changes))
                await self._store_changes(changes)
            match self._work[0] if self._work else None:
                case _Joins() as joins:
                    self._work.popleft()
                    self._release(len(joins.vector or b""))
                    await self._let_join(joins)
                case _Reads(updates):
                    self._work.popleft()
                    if not updates.done():
                        update, later, _ = await self.held.beginning()
                        updates.set_result([update, *later])

    def _release(self, size: int) -> None:
        self._waiting_bytes -= size
        self._queue_has_space.set()

    async def _store_changes(self, changes: list[_Change]) -> None:
        changes = await self._allowed(changes)
        judged = await self.held.judge([(change.update, change.answers) for change in changes])
        kept = [
            (change.peer, update)
            for change, (verdict, update) in zip(changes, judged, strict=True)
            if _is_kept(change, verdict)
        ]
        if not kept:
            return
        self._deliver_foreign(await self.held.store([update for _, update in kept]))
        self._counters.commits += 1
        self._counters.updates_stored += len(kept)
        self._deliver(kept)
        self._announce(LogGrew(self.held.seq))
        if self.held.unmerged >= _WITHOUT_REST * self._settings.merge_after:
            await self._merge()

    async def _allowed(self, changes: list[_Change]) -> list[_Change]:
        """Return the changes that may be stored; tell the peers of the others why theirs may not."""
        allowed = []
        size = 0
        for change in changes:
            peer = change.peer
            if change.update == EMPTY_UPDATE or (peer is not None and peer.closing is not None):
                continue
            if peer is not None and not peer.may_write:
                # An answer always repeats everything that was ever deleted, even if it holds no change.
                if not change.answers or await self.held.adds(change.update):
                    self._counters.updates_refused += 1
                    peer.send(refusal_frame(_VIEW_ONLY))
            elif await self._fits(size + len(change.update)):
                size += len(change.update)
                allowed.append(change)
            elif peer is not None:
                peer.end(TOO_LARGE)
        return allowed

    async def _fits(self, size: int) -> bool:
        most = self._settings.max_document_bytes
        if self.held.size + size > most and self.held.unmerged:
            await self._merge()
        return self.held.size + size <= most

    async def _merge(self) -> None:
        if await self.held.merge():
            self._counters.merges += 1

    async def _let_join(self, joins: _Joins) -> None:
        peer = joins.peer
        if peer.closing is not None:
            return
        if joins.vector is None:
            _, _, vector = await self.held.beginning()
            peer.send(state_frame(vector))
            return
        later: list[bytes] = []
        if joins.vector == _NOTHING:
            update, later, vector = await self.held.beginning()
        else:
            try:
                lacked = await self.held.lacked_by(joins.vector)
            except (Malformed, HelperCrashed):
                peer.end(MALFORMED)
                return
            if lacked is None:
                peer.end(OTHER_EPOCH)
                return
            update, vector = lacked
        peer.send(answer_frame(update), beginning=not peer.joined)
        peer.send(state_frame(vector), beginning=not peer.joined)
        for each in later:
            peer.send(update_frame(each), beginning=not peer.joined)
        if not peer.joined:
            peer.joined = True
            self.crowd.ask(peer)

    def _deliver_foreign(self, updates: list[bytes]) -> None:
        if updates:
            self._deliver([(None, update) for update in updates])
            self.changes.set()

    def _deliver(self, updates: list[tuple[Peer | None, bytes]]) -> None:
        """Send stored changes to everybody except their maker."""
        for maker, update in updates:
            self._counters.updates_delivered += self.crowd.send(update_frame(update), but=maker)
            if maker is not None:
                self.changes.set()

    def _announce(self, news: News) -> None:
        self._announcements.publish(self.topic, written(news))

    def _hear(self, message: bytes) -> None:
        """Take what other processes, or other parts of this one, announce."""
        match read(message):
            case LogGrew(seq):
                self.look_at_log(seq)
            case AwarenessChanged() | WhoIsThere() as news:
                self.crowd.hear(news)


def _is_kept(change: _Change, verdict: str) -> bool:
    """Tell whether a judged change is to be stored; close the peer whose change is invalid or of another epoch."""
    refused = {INVALID: MALFORMED, OF_ANOTHER_EPOCH: OTHER_EPOCH}.get(verdict)
    if refused is not None and change.peer is not None:
        change.peer.end(refused)
    return verdict == CHANGED
