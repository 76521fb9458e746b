"""The rooms of a process: each is opened once, however many peers come at once, and closed after being empty long."""

import asyncio
import time
from contextlib import suppress

import structlog
from sqlalchemy.exc import DBAPIError

from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.closing import TRY_AGAIN
from scaiflow_api.domains.sync.counters import SyncCounters
from scaiflow_api.domains.sync.document import epoch_client_id
from scaiflow_api.domains.sync.draft.conversions import Conversions
from scaiflow_api.domains.sync.draft.following import DraftFollower
from scaiflow_api.domains.sync.draft_log import DraftLog, Place
from scaiflow_api.domains.sync.findings.loop import Findings
from scaiflow_api.domains.sync.held_draft import HeldDraft
from scaiflow_api.domains.sync.keeper.client import Keeper
from scaiflow_api.domains.sync.keeper.helper import Helper
from scaiflow_api.domains.sync.opening import Opening
from scaiflow_api.domains.sync.peer import Peer
from scaiflow_api.domains.sync.room import Room
from scaiflow_api.domains.sync.watch import Watch
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.ids import new_id
from scaiflow_api.resources import Resources

log = structlog.get_logger(__name__)


class TooManyPeers(Exception):
    """The room is full."""


class Rooms:
    """One per process. It costs nothing until the first socket comes."""

    def __init__(self, resources: Resources) -> None:
        self.counters = SyncCounters()
        self._settings = resources.settings.sync
        self._announcements = resources.announcements
        self._log = DraftLog(resources.db, resources.clock)
        flows = FlowService(resources.db, resources.versions)
        self.conversions = Conversions(self._settings)
        self.follower = DraftFollower(
            resources.db,
            flows,
            self.conversions,
            resources.clock,
            resources.announcements,
            merge_after=self._settings.merge_after,
        )
        self._opening = Opening(flows, self._log, self.follower, self._settings)
        self._watch = Watch(resources, self._opening)
        self._keeper = Keeper()
        self._validator = Helper("scaiflow_api.domains.sync.findings")
        self._leases = Leases(resources.db)
        self._limits = resources.limits
        self._rooms: dict[Place, Room] = {}
        self._being_opened: dict[Place, asyncio.Task[Room]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def enter(self, flow: Flow, peer: Peer) -> Room:
        """Let a socket into the room of a flow. Raises TooManyPeers, and what opening the draft raises."""
        place = Place(flow.tenant_id, flow.id)
        while True:
            room = self._rooms.get(place)
            if room is not None and room.failed:
                self._leave(room)
                room = None
            if room is None:
                room = await self._opened(place, flow)
            if self._rooms.get(place) is room and not room.failed:  # else it is gone again
                if len(room.peers) >= self._settings.max_peers:
                    raise TooManyPeers
                room.enter(peer)
                return room

    async def close(self) -> None:
        """End all rooms, with what was taken stored."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self._watch.close()
        await asyncio.gather(*self._being_opened.values(), return_exceptions=True)
        for room in list(self._rooms.values()):
            self._leave(room)
        await asyncio.gather(*self._ending)
        await asyncio.gather(self._keeper.close(), self._validator.close(), self.conversions.close())

    async def _opened(self, place: Place, flow: Flow) -> Room:
        task = self._being_opened.get(place)
        if task is None:
            task = self._being_opened[place] = asyncio.create_task(self._open(place, flow))
            task.add_done_callback(lambda _: self._being_opened.pop(place, None))
        # Who waits may go; the others still want the room.
        return await asyncio.shield(task)

    async def _open(self, place: Place, flow: Flow) -> Room:
        loaded = await self._opening.load(flow)
        draft = loaded.row
        held = HeldDraft(
            f"{flow.id}/{new_id('room')}", draft, epoch_client_id(draft.epoch), self._keeper, self._log
        )
        await held.open(loaded.entries)
        with suppress(OSError):  # findings can come later
            await self._validator.start()  # it takes its time, and has some: nobody has changed anything yet
        keys = {"id": flow.id, "name": flow.name, "version": flow.version}
        room = Room(place, held, keys, self._settings, self._announcements, self.counters)
        findings = Findings(room, self._validator, self._leases, self._limits, self._settings)
        room.attend(asyncio.create_task(findings.run()))
        self._rooms[place] = room
        self.counters.rooms = len(self._rooms)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())
        return room

    def _leave(self, room: Room) -> None:
        """Take a room off the list and end it; the next peer opens another."""
        del self._rooms[room.place]
        self.counters.rooms = len(self._rooms)
        task = asyncio.create_task(room.end(TRY_AGAIN))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_s)
            now = time.monotonic()
            for room in list(self._rooms.values()):
                room.tidy()
                if room.failed or (not room.peers and now - room.empty_since >= self._settings.idle_s):
                    self._leave(room)
            self.counters.peers = sum(len(room.peers) for room in self._rooms.values())
            try:
                await self._watch.look(list(self._rooms.values()))
            except (AppError, DBAPIError) as failure:
                log.warning("sockets could not be judged", failure=repr(failure))
            except Exception:
                # Without it nobody would be shut out any more.
                log.exception("sockets could not be judged")
