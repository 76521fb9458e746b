"""From a flow to its draft: made once, of the current version, and afterwards only loaded and brought up to date."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.drafts import Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.document import seed
from scaiflow_api.domains.sync.draft.following import DraftFollower, is_behind
from scaiflow_api.domains.sync.log import DraftLog, Place
from scaiflow_api.kit.ids import new_id

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5


class DraftContended(Exception):
    """Others began the draft anew, time and again, while we looked."""


class Opening:
    """Raises the errors of the store and of the database."""

    def __init__(self, flows: FlowService, draft_log: DraftLog, follower: DraftFollower) -> None:
        self._flows = flows
        self._log = draft_log
        self._follower = follower

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
            if not is_behind(draft, flow):
                return draft, entries
            await self._follower.catch_up(draft, entries, flow)
        raise DraftContended

    async def _begin(self, place: Place, flow: Flow) -> None:
        epoch = new_id("epoch")
        content = await self._flows.document(flow)
        made = await asyncio.to_thread(seed, content, epoch)
        try:
            await self._log.begin(place, epoch=epoch, version=flow.version, seed=made)
        except IntegrityError:
            log.info("another process began the draft", flow_id=flow.id)
