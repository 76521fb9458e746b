"""From a flow to its draft: made once, of the current version, and afterwards only loaded and brought up to date."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.bounds import bounded_seed
from scaiflow_api.domains.sync.draft.errors import DraftContention
from scaiflow_api.domains.sync.draft.following import DraftFollower, LoadedDraft
from scaiflow_api.domains.sync.draft_log import DraftLog, Place
from scaiflow_api.kit.ids import new_id
from scaiflow_api.settings import Sync

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5


class Opening:
    """Raises the errors of the store and of the database."""

    def __init__(
        self, flows: FlowService, draft_log: DraftLog, follower: DraftFollower, bounds: Sync
    ) -> None:
        self._flows = flows
        self._log = draft_log
        self._follower = follower
        self._bounds = bounds

    async def load(self, flow: Flow) -> LoadedDraft:
        """Return the draft of a flow, begun where there was none. Raises DraftContention and DraftTooLarge."""
        for _ in range(_ATTEMPTS):
            loaded = await self._follower.load(flow)
            if loaded is not None:
                return loaded
            await self._begin(flow)
        raise DraftContention

    async def _begin(self, flow: Flow) -> None:
        epoch = new_id("epoch")
        content = await self._flows.document(flow)
        made = await asyncio.to_thread(bounded_seed, content, epoch, self._bounds)
        try:
            place = Place(flow.tenant_id, flow.id)
            await self._log.begin(place, epoch=epoch, version=flow.version, seed=made)
        except IntegrityError:
            log.info("another process began the draft", flow_id=flow.id)
