"""`/v1/scaicore`: events of deployed flows, running one, and ending a run."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.flows.errors import InsufficientAcl
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.domains.runs.cores import Cores
from scaiflow_api.domains.runs.errors import ExecutionNotActive, ExecutionNotFound
from scaiflow_api.domains.runs.schemas import EventsAnswer, InvokeAnswer, InvokeRequest
from scaiflow_api.domains.runs.service import Runs
from scaiflow_api.upstreams.errors import (
    ScaiGridApi,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
)
from scaiflow_api.web.deps import KEY_FAILURES, Limit, Manager, Viewer, acl
from scaiflow_api.web.deps import credentials as credentials_of
from scaiflow_api.web.deps import resources as resources_of
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/scaicore", tags=["runs"], route_class=IdempotentRoute)

PathId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.:~-]{0,127}$")]
OneCore = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="left out: the Cores of all flows that you may see"),
]
UPSTREAM = (
    MissingCredentials,
    ScaiGridAuth,
    ScaiGridApi,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
    *KEY_FAILURES,
)
_EVENTS_EXAMPLE = {
    "data": {
        "events": [
            {
                "type": "scaicore.runtime.block.entered",
                "core_id": "core_xxx",
                "timestamp": "2026-04-29T12:34:57Z",
                "payload": {"execution_id": "exec_xxx", "node_id": "node_classify", "block_kind": "flexible"},
            }
        ],
        "next_cursor": None,
    }
}


async def cores(request: Request) -> Cores:
    resources = await resources_of(request)
    flows = FlowService(resources.db, resources.versions)
    return Cores(resources.db, flows, Deployments(resources.db), await credentials_of(request))


CoresDep = Annotated[Cores, Depends(cores)]


async def runs(request: Request) -> Runs:
    return Runs(audit=(await resources_of(request)).audit, cores=await cores(request))


RunsDep = Annotated[Runs, Depends(runs)]


@router.get(
    "/events",
    response_model=EventsAnswer,
    responses={
        200: {"content": {"application/json": {"example": _EVENTS_EXAMPLE}}},
        **documented(CoreNotFound, *UPSTREAM),
    },
)
async def list_events(
    caller: Viewer,
    found: RunsDep,
    core_id: OneCore = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, Query(max_length=2048, description="`next_cursor` of the page before")
    ] = None,
) -> Response:
    """List runtime events of the flows that you may see, or of one Core; payloads as ScaiGrid sends them."""
    page = await found.events(caller, core_id=core_id, limit=limit, cursor=cursor)
    return Response(page, media_type="application/json")


@router.post(
    "/cores/{core_id}/invoke",
    response_model=InvokeAnswer,
    response_model_exclude_unset=True,
    responses=documented(CoreNotFound, InsufficientAcl, *UPSTREAM),
    openapi_extra=acl(Level.DEPLOY),
)
async def invoke_core(core_id: str, body: InvokeRequest, caller: Manager, found: RunsDep) -> InvokeAnswer:
    """Run a Core on an input and wait for what becomes of it. The flow's effects are real."""
    run = await found.invoke(
        caller, core_id, body.input, flow_name=body.flow_name, instance_key=body.instance_key
    )
    return InvokeAnswer.of(run)


@router.post(
    "/executions/{execution_id}/cancel",
    status_code=204,
    responses=documented(CoreNotFound, ExecutionNotFound, ExecutionNotActive, InsufficientAcl, *UPSTREAM),
    openapi_extra=acl(Level.DEPLOY),
)
async def cancel_execution(
    execution_id: PathId,
    caller: Manager,
    found: RunsDep,
    core_id: Annotated[str, Query(min_length=1, max_length=128, description="The Core that runs it")],
) -> None:
    """End a run, and what it waits for. It is looked for among the Core's open checkpoints and latest 500 events."""
    await found.cancel(caller, core_id, execution_id)
