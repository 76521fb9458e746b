"""What REST does to a draft: a version is made of it, or it is thrown away."""

import asyncio
from functools import partial
from typing import Final

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry, record, state_hash
from scaiflow_api.db.drafts import Drafts, name_version
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows.access import require_level
from scaiflow_api.domains.flows.audited import flow_entry
from scaiflow_api.domains.flows.errors import FlowNotFound, SaveContention, VersionConflict
from scaiflow_api.domains.flows.etag import etag_of, require_match
from scaiflow_api.domains.flows.rows import FlowRows
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.bounds import bounded_seed
from scaiflow_api.domains.sync.draft.errors import DraftNotFound
from scaiflow_api.domains.sync.draft.reading import DraftReader
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.live import Announcements
from scaiflow_api.live.draft_news import LogGrew, topic_of, written
from scaiflow_api.settings import Sync

_ATTEMPTS: Final = 10
_BEYOND_ANY_ENTRY: Final = 2**63 - 1
"""Announced as the end of the log, it makes every room look, and find that its epoch is over."""


class DraftService:
    """Saves and discards drafts. Raises what opening the flow raises, besides what its methods name."""

    def __init__(
        self,
        db: Database,
        flows: FlowService,
        drafts: DraftReader,
        writer: FlowWriter,
        bounds: Sync,
        clock: Clock,
        announcements: Announcements,
    ) -> None:
        self._db = db
        self._flows = flows
        self._drafts = drafts
        self._writer = writer
        self._bounds = bounds
        self._clock = clock
        self._announcements = announcements

    async def save(
        self, caller: Caller, flow_id: str, message: str, if_match: str | None
    ) -> tuple[Flow, bytes]:
        """Make a version of the draft as it is, by the way that every version goes; return the flow and its content.

        What others save meanwhile is merged into the draft first, so no version is undone. Where `if_match` names a
        state of the flow, nothing is merged, and it raises VersionConflict. The version itself is never merged: the
        draft had all of it, and that would bring back what people undid since.
        Raises what reading a sound draft and saving raise, and SaveContention.
        """
        for _ in range(_ATTEMPTS):
            flow = await self._flows.open(caller, flow_id, Level.EDIT)
            require_match(flow, if_match)
            draft = await self._drafts.read_sound(flow)
            change = FlowUpdate(name=None, content=draft.document, message=message)
            origin, made_of = {"draft": draft.row.epoch}, partial(name_version, draft.row)
            try:
                saved, stored = await self._writer.update(
                    caller, flow, change, etag_of(flow), origin, made_of
                )
            except VersionConflict:
                continue
            assert stored is not None, "the change had content"
            return saved, stored
        raise SaveContention

    async def discard(self, caller: Caller, flow_id: str, if_match: str | None) -> SyncDocument:
        """Begin the draft anew with the current version; return its row.

        Everybody who has it open must load the new one; what they did not save is gone. Raises DraftNotFound,
        DraftTooLarge, and VersionConflict when `if_match` does not name the flow.
        """
        flow = await self._flows.open(caller, flow_id, Level.EDIT)
        require_match(flow, if_match)
        old = await self._find(flow)
        epoch = new_id("epoch")
        content = await self._flows.document(flow)
        made = await asyncio.to_thread(bounded_seed, content, epoch, self._bounds)
        async with self._db.write() as session:
            now = self._clock.now()
            # False: somebody else discarded the same draft, which is as good.
            if await Drafts(session).begin_anew(old, epoch=epoch, version=flow.version, seed=made, now=now):
                current = await session.run_sync(lambda inner: FlowRows(inner.connection()).reread(flow))
                if current.deleted_at is not None:
                    raise FlowNotFound(flow_id=flow.id)
                require_match(current, if_match)
                await require_level(session, current, caller, Level.EDIT)
                await record(session, caller, _discarded(current, old, epoch, flow.version), now)
        self._announcements.publish(topic_of(flow.tenant_id, flow.id), written(LogGrew(_BEYOND_ANY_ENTRY)))
        return await self._find(flow)

    async def _find(self, flow: Flow) -> SyncDocument:
        async with self._db.read() as session:
            row = await Drafts(session).find(flow.tenant_id, flow.id)
        if row is None:
            raise DraftNotFound(flow_id=flow.id)
        return row


def _discarded(flow: Flow, old: SyncDocument, epoch: str, version: str) -> Entry:
    return flow_entry(
        flow,
        "draft.discarded",
        before=state_hash(flow_id=flow.id, epoch=old.epoch, version=old.applied_version),
        after=state_hash(flow_id=flow.id, epoch=epoch, version=version),
        details={"epoch": epoch, "discarded": old.epoch, "version": version},
    )
