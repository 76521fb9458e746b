"""What routes on drafts ask for."""

from typing import Annotated

from fastapi import Depends, Request

from scaiflow_api.domains.flows.deps import FlowWriterDep
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.reading import DraftReader
from scaiflow_api.domains.sync.draft.service import DraftService
from scaiflow_api.web.deps import ResourcesDep


async def _drafts(request: Request) -> DraftReader:
    found: DraftReader = request.app.state.drafts
    return found


DraftReaderDep = Annotated[DraftReader, Depends(_drafts)]


async def _draft_service(
    resources: ResourcesDep, drafts: DraftReaderDep, writer: FlowWriterDep
) -> DraftService:
    flows = FlowService(resources.db, resources.versions)
    return DraftService(
        resources.db,
        flows,
        drafts,
        writer,
        resources.settings.sync,
        resources.clock,
        resources.announcements,
    )


DraftServiceDep = Annotated[DraftService, Depends(_draft_service)]
