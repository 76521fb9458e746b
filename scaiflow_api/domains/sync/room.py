"""A draft that somebody has open, in one process. Work is done one piece after the other, in `_turn`.

The keeper judges each change, the room stores it together with all that came meanwhile, and only then sends it to
everybody else. Changes that other processes stored come in between. A peer joins between two such steps, so it misses
nothing and sees nothing that is not stored. Any failure ends the room: its peers reconnect and find what is stored.
"""

import asyncio
import time
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
from scaiflow_api.domains.sync.room_work import Change, Joins, Reads, RoomWork
from scaiflow_api.domains.sync.varints import Malformed
from scaiflow_api.kit.errors import AppError
from scaiflow_api.live import Announcements
from scaiflow_api.live.draft_news import AwarenessChanged, LogGrew, News, WhoIsThere, read, topic_of, written
from scaiflow_api.settings import Sync

log = structlog.get_logger(__name__)

_REST_S: Final = 1.0
"""A long log is merged once nothing came for so long, because what comes meanwhile has to wait some 10 ms."""
_WITHOUT_REST: Final = 4
"""Where people never pause, the log is merged when it is so many times as long."""
_NOTHING: Final = b"\x00"
"""The state vector of an empty document."""
_VIEW_ONLY: Final = "You may only view this flow: your change was not taken."


class RoomOver(Exception):
    """The room has ended: what was asked of it will not be answered."""


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
        self.crowd = Crowd(self._announce, settings.max_awareness_bytes)
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
        self._work = RoomWork(settings.max_message_bytes)
        self._behind = False
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
        await self._add(Joins(peer, vector))

    def ask(self, peer: Peer) -> None:
        """Ask a peer that may write again for what it changed meanwhile, which was refused."""
        if not self._work.closed:
            self._work.add_at_once(Joins(peer, None))

    async def change(self, peer: Peer, update: bytes, *, answers: bool) -> None:
        """Queue a peer's change; waits while too many bytes are queued already."""
        self._counters.updates_received += 1
        await self._add(Change(peer, update, answers))

    # What the process does.

    def look_at_log(self, seq: int | None = None) -> None:
        """Have the log read on, unless `seq`, the number of its last entry, is known already."""
        if seq is None or seq > self.held.seq:
            self._behind = True
            self._work.call()

    async def insert(self, update: bytes) -> None:
        """Queue a change that this process makes. It does not count as a change of the flow."""
        await self._add(Change(None, update))

    async def snapshot(self) -> list[bytes]:
        """Return the updates that make up the draft, with all that was queued before. Raises RoomOver."""
        if self._work.closed:
            raise RoomOver
        updates: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._work.add_at_once(Reads(updates))
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
        self._work.close()
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

    async def _add(self, work: Change | Joins) -> None:
        if not await self._work.add(work) and work.peer is not None:
            work.peer.end(TRY_AGAIN)

    async def _run(self) -> None:
        try:
            while not self._work.closed or self._work:
                is_long = self.held.unmerged >= self._settings.merge_after
                if await self._work.wait(_REST_S if is_long else None):
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
        for work in self._work.drop():
            if isinstance(work, Reads) and not work.updates.done():
                work.updates.set_exception(RoomOver())
        for peer in list(self.peers):
            peer.end(closing)

    async def _turn(self) -> None:
        while self._behind or self._work:
            if self._behind:
                self._behind = False
                self._deliver_foreign(await self.held.catch_up())
            if changes := self._work.take_changes():
                await self._store_changes(changes)
            match self._work.take_other():
                case Joins() as joins:
                    await self._let_join(joins)
                case Reads(updates) if not updates.done():
                    update, later, _ = await self.held.beginning()
                    updates.set_result([update, *later])

    async def _store_changes(self, changes: list[Change]) -> None:
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

    async def _allowed(self, changes: list[Change]) -> list[Change]:
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

    async def _let_join(self, joins: Joins) -> None:
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


def _is_kept(change: Change, verdict: str) -> bool:
    """Tell whether a judged change is to be stored; close the peer whose change is invalid or of another epoch."""
    refused = {INVALID: MALFORMED, OF_ANOTHER_EPOCH: OTHER_EPOCH}.get(verdict)
    if refused is not None and change.peer is not None:
        change.peer.end(refused)
    return verdict == CHANGED
