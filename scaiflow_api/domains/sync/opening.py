"""From a flow to its draft: made once, of the current version, and afterwards only loaded and brought up to date."""

import asyncio
from typing import Final

import structlog
from pycrdt import merge_updates
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.drafts import Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.document import NO_CHANGE, epoch_client_id, merge, seed
from scaiflow_api.domains.sync.log import DraftLog, Place
from scaiflow_api.kit.ids import new_id
from scaiflow_api.live import Announcements
from scaiflow_api.live.draft_news import LogGrew, topic_of, written

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5


class DraftContended(Exception):
    """Others began the draft anew, time and again, while we looked."""


class Opening:
    """Raises the errors of the store and of the database."""

    def __init__(self, flows: FlowService, draft_log: DraftLog, announcements: Announcements) -> None:
        self._flows = flows
        self._log = draft_log
        self._announcements = announcements

    async def load(self, flow: Flow) -> tuple[SyncDocument, list[Entry]]:
        """Return the draft of a flow and its log, begun where there was none, with all of the flow's version."""
        place = Place(flow.tenant_id, flow.id)
        for _ in range(_ATTEMPTS):
            draft = await self._log.find(place)
            if draft is None:
                await self._begin(place, flow)
                continue
            entries = await self._log.since(draft, 0)
            if not entries:  # begun anew between the two looks
                continue
            if draft.applied_version == flow.version:
                return draft, entries
            await self._catch_up(draft, entries, flow)
        raise DraftContended

    async def _begin(self, place: Place, flow: Flow) -> None:
        epoch = new_id("epoch")
        content = await self._flows.document(flow)
        made = await asyncio.to_thread(seed, content, epoch)
        try:
            await self._log.begin(place, epoch=epoch, version=flow.version, seed=made)
        except IntegrityError:
            log.info("another process began the draft", flow_id=flow.id)

    async def _catch_up(self, draft: SyncDocument, entries: list[Entry], flow: Flow) -> None:
        """Add to the draft what changed up to the flow's version, unless somebody else does so at this moment."""
        base = await self._flows.document(flow, draft.applied_version)
        new = await self._flows.document(flow)
        updates = [entry.update for entry in entries]

        def changes() -> bytes:
            state = merge_updates(*updates) if len(updates) > 1 else updates[0]
            return merge(state, base, new, client_id=epoch_client_id(draft.epoch))

        update = await asyncio.to_thread(changes)
        versions = (draft.applied_version, flow.version)
        last = await self._log.append(draft, [] if update == NO_CHANGE else [update], versions)
        if last is not None:
            self._announcements.publish(topic_of(flow.tenant_id, flow.id), written(LogGrew(last)))
