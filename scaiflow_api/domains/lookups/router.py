"""Lookups: what the canvas offers in its pickers, asked for at ScaiQueue, ScaiBunker and ScaiGrid."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.domains.lookups.schemas import BunkerList, ModelList, QueueList, ScopeList
from scaiflow_api.domains.lookups.service import Lookups
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import (
    ScaiBunkerApi,
    ScaiBunkerAuth,
    ScaiBunkerBusy,
    ScaiBunkerTimeout,
    ScaiGridApi,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
    ScaiQueueApi,
    ScaiQueueAuth,
    ScaiQueueBusy,
    ScaiQueueTimeout,
)
from scaiflow_api.web.deps import KEY_FAILURES, Viewer
from scaiflow_api.web.deps import credentials as credentials_of
from scaiflow_api.web.deps import resources as resources_of
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import CONDITIONAL, etag_matches

router = APIRouter(tags=["lookups"])


async def lookups(request: Request) -> Lookups:
    return Lookups(await credentials_of(request), (await resources_of(request)).lookups)


LookupsDep = Annotated[Lookups, Depends(lookups)]
IfNoneMatch = Annotated[
    str | None, Header(max_length=4096, description="The ETag of the answer that you have.")
]
ScopeId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.:~-]{0,127}$", description="`id` of a scope")
]


def _answers(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    return {
        **CONDITIONAL,
        **documented(MissingCredentials, *errors, ScaiGridNotConfigured, *KEY_FAILURES),
    }


_QUEUE_ANSWERS = _answers(ScaiQueueAuth, ScaiQueueApi, ScaiQueueBusy, ScaiQueueTimeout)


@router.get("/scaiqueue/scopes", response_model=ScopeList, responses=_QUEUE_ANSWERS)
async def list_scopes(caller: Viewer, found: LookupsDep, if_none_match: IfNoneMatch = None) -> Response:
    """List the ScaiQueue scopes of your tenant."""
    return _listed(await found.scopes(caller), if_none_match)


@router.get("/scaiqueue/scopes/{scope_id}/queues", response_model=QueueList, responses=_QUEUE_ANSWERS)
async def list_queues(
    scope_id: ScopeId, caller: Viewer, found: LookupsDep, if_none_match: IfNoneMatch = None
) -> Response:
    """List the queues of a scope. A scope that is not there is `scaiqueue_api` with ScaiQueue's 404."""
    return _listed(await found.queues(caller, scope_id), if_none_match)


@router.get(
    "/scaibunker/bunkers",
    response_model=BunkerList,
    responses=_answers(ScaiBunkerAuth, ScaiBunkerApi, ScaiBunkerBusy, ScaiBunkerTimeout),
)
async def list_bunkers(caller: Viewer, found: LookupsDep, if_none_match: IfNoneMatch = None) -> Response:
    """List the sandboxes of your tenant that run or are persistent."""
    return _listed(await found.bunkers(caller), if_none_match)


@router.get(
    "/scaigrid/models",
    response_model=ModelList,
    responses=_answers(ScaiGridAuth, ScaiGridApi, ScaiGridBusy, ScaiGridTimeout),
)
async def list_models(caller: Viewer, found: LookupsDep, if_none_match: IfNoneMatch = None) -> Response:
    """List the models that your tenant may use."""
    return _listed(await found.models(caller), if_none_match)


def _listed(content: bytes, if_none_match: str | None) -> Response:
    """Return the list with its ETag, for its caller alone; 304 where the caller has it."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and etag_matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
