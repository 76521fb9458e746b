"""FastAPI dependencies of the routes on flows."""

from typing import Annotated

from fastapi import Depends, Header, Request

from scaiflow_api.domains.flows.errors import PreconditionRequired
from scaiflow_api.domains.flows.saving import AfterSave, FlowWriter
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.flows.transferring import TransferFlow
from scaiflow_api.web.deps import resources as resources_of

# The busiest routes ask for these. Each dependency below another one costs a request as much as a short question.


async def flow_service(request: Request) -> FlowService:
    resources = await resources_of(request)
    return FlowService(resources.db, resources.versions)


async def flow_writer(request: Request) -> FlowWriter:
    resources = await resources_of(request)
    after_save: AfterSave = request.app.state.after_save
    return FlowWriter(
        resources.db, resources.versions, resources.limits, resources.clock, resources.saves, after_save
    )


async def flow_transfer(request: Request) -> TransferFlow:
    resources = await resources_of(request)
    flows = FlowService(resources.db, resources.versions)
    return TransferFlow(resources.db, flows, resources.principals, resources.clock)


async def condition(
    request: Request,
    if_match: Annotated[
        str | None, Header(max_length=4096, description="The ETag of the flow that you changed.")
    ] = None,
) -> str | None:
    """Return the `If-Match` header. Raises PreconditionRequired where this server insists on one."""
    if if_match is None and (await resources_of(request)).settings.api.require_if_match:
        raise PreconditionRequired
    return if_match


FlowServiceDep = Annotated[FlowService, Depends(flow_service)]
FlowWriterDep = Annotated[FlowWriter, Depends(flow_writer)]
TransferFlowDep = Annotated[TransferFlow, Depends(flow_transfer)]
IfMatch = Annotated[str | None, Depends(condition)]
IfNoneMatch = Annotated[
    str | None, Header(max_length=4096, description="The ETag of the flow that you have.")
]
