"""What routes on drafts ask for."""

from typing import Annotated

from fastapi import Depends

from scaiflow_api.domains.flows.deps import FlowWriterDep
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.following import DraftFollower
from scaiflow_api.domains.sync.draft.reading import DraftReader
from scaiflow_api.domains.sync.draft.service import DraftService
from scaiflow_api.resources import Resources
from scaiflow_api.web.deps import ResourcesDep


def draft_follower(resources: Resources) -> DraftFollower:
    flows = FlowService(resources.db, resources.versions)
    return DraftFollower(
        resources.db, flows, resources.settings.sync, resources.clock, resources.announcements
    )


def draft_reader(resources: Resources) -> DraftReader:
    return DraftReader(draft_follower(resources), resources.settings.sync, resources.limits)


async def _drafts(resources: ResourcesDep) -> DraftReader:
    return draft_reader(resources)


async def _draft_service(resources: ResourcesDep, writer: FlowWriterDep) -> DraftService:
    flows = FlowService(resources.db, resources.versions)
    return DraftService(
        resources.db,
        flows,
        draft_reader(resources),
        writer,
        resources.settings.sync,
        resources.clock,
        resources.announcements,
    )


DraftReaderDep = Annotated[DraftReader, Depends(_drafts)]
DraftServiceDep = Annotated[DraftService, Depends(_draft_service)]
