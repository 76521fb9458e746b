"""The check of all rooms of a process, every two seconds: who may still be there, and what other processes wrote.

It asks the database three questions, however many sockets there are. So a change of grants, groups, roles or accounts
counts in every process, however it was made, and a lost announcement does no harm.
"""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.principals import Standing
from scaiflow_api.domains.sync.access import access_of
from scaiflow_api.domains.sync.closing import NOT_AUTHENTICATED, OTHER_EPOCH, Closing
from scaiflow_api.domains.sync.draft.errors import DraftTooLarge, DraftUnreadable
from scaiflow_api.domains.sync.draft_log import Place
from scaiflow_api.domains.sync.opening import Opening
from scaiflow_api.domains.sync.peer import Peer
from scaiflow_api.domains.sync.repository import FlowNow, SyncRepository
from scaiflow_api.domains.sync.room import Room
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import Resources

log = structlog.get_logger(__name__)


class Watch:
    """Raises what the database raises; then only expired tokens were looked at."""

    def __init__(self, resources: Resources, opening: Opening) -> None:
        self._db = resources.db
        self._principals = resources.principals
        self._clock = resources.clock
        self._opening = opening
        self._following: dict[Place, asyncio.Task[None]] = {}
        self._given_up: dict[Place, tuple[str, int, str]] = {}
        """Drafts that cannot take a version in before they change: epoch, last entry, and the version."""

    async def look(self, rooms: Sequence[Room]) -> None:
        """Judge all peers, and have rooms read what is new."""
        # Who comes while we ask was let in by something newer than our answers.
        here = [(room, list(room.peers)) for room in rooms]
        now = self._clock.seconds()
        for _, peers in here:
            for peer in peers:
                if peer.admitted.expired(now):
                    peer.end(NOT_AUTHENTICATED)
        if not rooms:
            return
        async with self._db.read() as session:
            flows = await SyncRepository(session).flows(
                {(room.place.tenant_id, room.place.flow_id) for room in rooms}
            )
        people = {
            (peer.person.tenant_id, peer.person.user_id)
            for _, peers in here
            for peer in peers
            if peer.admitted.claims is not None
        }
        standings = await self._principals.find_all(people)
        for room, peers in here:
            flow = flows.get((room.place.tenant_id, room.place.flow_id))
            for peer in peers:
                if _judge(peer, flow, standings):
                    room.ask(peer)
            if flow is not None and not flow.deleted:
                self._compare(room, flow)
        open_places = {room.place for room in rooms}
        self._given_up = {place: seen for place, seen in self._given_up.items() if place in open_places}

    async def close(self) -> None:
        """End what it began."""
        for task in self._following.values():
            task.cancel()
        await asyncio.gather(*self._following.values(), return_exceptions=True)

    def _compare(self, room: Room, now: FlowNow) -> None:
        """Have a room read what others wrote, and bring the draft up to a version that its save did not merge."""
        draft = now.draft
        if draft is None or draft.epoch != room.held.epoch:
            for peer in list(room.peers):
                peer.end(OTHER_EPOCH)
            room.look_at_log()  # and find that its epoch is over
        elif draft.last_seq > room.held.seq:
            room.look_at_log()
        if draft is not None and draft.applied_version != now.flow.version:
            self._follow(room.place, now.flow, draft)

    def _follow(self, place: Place, flow: Flow, draft: SyncDocument) -> None:
        """Bring a draft up to the flow's version. It waits for the store, and nobody may wait for that."""
        seen = draft.epoch, draft.last_seq, flow.version
        if place in self._following or self._given_up.get(place) == seen:
            return

        async def follow() -> None:
            try:
                await self._opening.load(flow)
            except (AppError, DBAPIError) as failure:
                log.warning("draft is behind its flow", flow_id=flow.id, failure=repr(failure))
                if isinstance(failure, DraftTooLarge | DraftUnreadable):
                    self._given_up[place] = seen

        task = self._following[place] = asyncio.create_task(follow())
        task.add_done_callback(lambda _: self._following.pop(place, None))


def _judge(peer: Peer, flow: FlowNow | None, standings: dict[tuple[str, str], Standing]) -> bool:
    """Adjust what a peer may do, or close it; tell whether it may write now and could not before."""
    admitted = peer.admitted.now(standings.get((peer.person.tenant_id, peer.person.user_id)))
    access = admitted if isinstance(admitted, Closing) else access_of(admitted, flow)
    if isinstance(access, Closing):
        peer.end(access)
        return False
    before, peer.may_write = peer.may_write, access
    return access and not before
