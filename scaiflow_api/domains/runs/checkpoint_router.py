"""`/v1/scaicore/checkpoints`: what runs of deployed flows wait for, and answering it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.errors import CoreNotFound
from scaiflow_api.domains.flows.errors import InsufficientAcl
from scaiflow_api.domains.runs.checkpoints import Checkpoints
from scaiflow_api.domains.runs.errors import CheckpointNotFound, CheckpointNotPending, ResolutionRefused
from scaiflow_api.domains.runs.router import UPSTREAM, OneCore, PathId, cores
from scaiflow_api.domains.runs.schemas import CheckpointAnswer, CheckpointsAnswer, ResolveRequest
from scaiflow_api.web.deps import Limit, Manager, Viewer, acl
from scaiflow_api.web.deps import resources as resources_of
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/scaicore/checkpoints", tags=["runs"], route_class=IdempotentRoute)

_ROW = {
    "id": "chk_xxx",
    "core_id": "core_xxx",
    "execution_id": "exec_xxx",
    "checkpoint_type": "hitl_review",
    "status": "pending",
    "prompt": "May this be refunded?",
    "options": ["approve", "reject"],
    "context": {"node_id": "node_review"},
}
_JSON = {"application/json": {"example": {"data": _ROW}}}
_LIST_JSON = {"application/json": {"example": {"data": {"checkpoints": [_ROW], "next_cursor": None}}}}
_WITH_A_ROW: dict[int | str, dict[str, object]] = {200: {"content": _JSON}}


async def checkpoints(request: Request) -> Checkpoints:
    return Checkpoints(audit=(await resources_of(request)).audit, cores=await cores(request))


CheckpointsDep = Annotated[Checkpoints, Depends(checkpoints)]


@router.get(
    "",
    response_model=CheckpointsAnswer,
    responses={200: {"content": _LIST_JSON}, **documented(CoreNotFound, *UPSTREAM)},
)
async def list_checkpoints(
    caller: Viewer,
    found: CheckpointsDep,
    core_id: OneCore = None,
    status: Annotated[
        Literal["pending", "resolved", "failed", "expired", "cancelled"],
        Query(description="`failed`: expired or cancelled"),
    ] = "pending",
    limit: Limit = 50,
    cursor: Annotated[
        str | None, Query(max_length=2048, description="`next_cursor` of the page before")
    ] = None,
) -> Response:
    """List what runs of the flows that you may see wait for, or waited, or those of one Core."""
    page = await found.page(caller, core_id=core_id, status=status, limit=limit, cursor=cursor)
    return Response(page, media_type="application/json")


@router.get(
    "/{checkpoint_id}",
    response_model=CheckpointAnswer,
    responses={**_WITH_A_ROW, **documented(CheckpointNotFound, *UPSTREAM)},
    openapi_extra=acl(Level.VIEW),
)
async def read_checkpoint(checkpoint_id: PathId, caller: Viewer, found: CheckpointsDep) -> Response:
    """Read a checkpoint, as ScaiGrid sends it."""
    return Response(await found.get(caller, checkpoint_id), media_type="application/json")


@router.post(
    "/{checkpoint_id}/resolve",
    response_model=CheckpointAnswer,
    response_description="the checkpoint as it is now",
    responses={
        **_WITH_A_ROW,
        **documented(CheckpointNotFound, CheckpointNotPending, ResolutionRefused, InsufficientAcl, *UPSTREAM),
    },
    openapi_extra=acl(Level.DEPLOY),
)
async def resolve_checkpoint(
    checkpoint_id: PathId, body: ResolveRequest, caller: Manager, found: CheckpointsDep
) -> Response:
    """Answer a checkpoint, so that its run goes on. ScaiGrid asks for `scaicore:checkpoint_resolve` besides."""
    row = await found.resolve(caller, checkpoint_id, body.resolution, body.comment)
    return Response(row, media_type="application/json")
