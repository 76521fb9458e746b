"""`/v1/flows`: list, create, read, change, restore, copy and hand over.

`DELETE` is in `domains.deploy`, because it may delete the flow's Core too.
"""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.flows.answers import flow_detail, flow_page
from scaiflow_api.domains.flows.deps import (
    FlowServiceDep,
    FlowWriterDep,
    IfMatch,
    IfNoneMatch,
    TransferFlowDep,
)
from scaiflow_api.domains.flows.duplicating import duplicate_of
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    FlowNotDeleted,
    FlowNotFound,
    InsufficientAcl,
    InvalidCursor,
    InvalidFlow,
    OwnerNotFound,
    PreconditionRequired,
    SaveContention,
    VersionConflict,
)
from scaiflow_api.domains.flows.etag import etag_of, matches
from scaiflow_api.domains.flows.listing import Direction, Order, SortKey, cursor_of, position_of
from scaiflow_api.domains.flows.schemas import (
    FlowCreate,
    FlowDetail,
    FlowDuplicate,
    FlowPage,
    FlowSummary,
    FlowTransfer,
    FlowUpdate,
)
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.storage import StoreUnavailable
from scaiflow_api.web.deps import Limit, Manager, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import CONDITIONAL, TAGGED
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["flows"], route_class=IdempotentRoute)


@router.get("", response_model=FlowPage, responses=documented(InvalidCursor))
async def list_flows(
    caller: Viewer,
    flows: FlowServiceDep,
    search: Annotated[str | None, Query(max_length=200, description="part of the name")] = None,
    owner: Annotated[str | None, Query(max_length=128, description="a user's id, or `me`")] = None,
    deleted: Annotated[
        bool, Query(description="the deleted flows instead, of those that you may restore")
    ] = False,
    sort: Annotated[SortKey, Query(description="names are compared in lower case")] = "updated_at",
    order: Annotated[
        Direction | None, Query(description="if left out, times go from the newest and names from A")
    ] = None,
    limit: Limit = 100,
    cursor: Annotated[
        str | None, Query(max_length=4096, description="`next_cursor` of the page before, of the same order")
    ] = None,
) -> Response:
    """List the flows that you may see, page by page. `total` counts all pages."""
    by = Order.by(sort, order)
    after = position_of(cursor, by) if cursor is not None else None
    rows, total, end = await flows.page(
        caller, search=search, owner=owner, deleted=deleted, order=by, after=after, size=limit
    )
    return flow_page(rows, total, cursor_of(end, by) if end else None, deleted=deleted)


@router.post(
    "",
    status_code=201,
    response_model=FlowDetail,
    responses={201: TAGGED, **documented(InvalidFlow, FlowTooLarge, StoreUnavailable)},
)
async def create_flow(body: FlowCreate, caller: Manager, writer: FlowWriterDep) -> Response:
    """Create a flow; you become its owner. The server writes `id`, `name` and `version` into the content."""
    return flow_detail(*await writer.create(caller, body), status=201)


@router.get(
    "/{flow_id}",
    response_model=FlowDetail,
    responses={**CONDITIONAL, **documented(FlowNotFound, *DOCUMENT_FAILURES)},
    openapi_extra=acl(Level.VIEW),
)
async def read_flow(
    flow_id: str, caller: Viewer, flows: FlowServiceDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a flow with its content."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    if if_none_match is not None and matches(if_none_match, flow):
        return Response(status_code=304, headers={"ETag": etag_of(flow)})
    return flow_detail(flow, await flows.text(flow))


@router.put(
    "/{flow_id}",
    response_model=FlowDetail,
    responses={
        200: TAGGED,
        **documented(
            FlowNotFound,
            InsufficientAcl,
            VersionConflict,
            PreconditionRequired,
            InvalidFlow,
            FlowTooLarge,
            SaveContention,
            *DOCUMENT_FAILURES,
        ),
    },
    openapi_extra=acl(Level.EDIT),
)
async def update_flow(
    flow_id: str,
    body: FlowUpdate,
    caller: Manager,
    flows: FlowServiceDep,
    writer: FlowWriterDep,
    if_match: IfMatch,
) -> Response:
    """Change a flow. Content makes a new version, one patch higher; a name or description alone does not."""
    flow = await flows.open(caller, flow_id, Level.EDIT)
    if body.content is None:
        await flows.text(flow)  # first: what cannot be answered is not changed
    flow, content = await writer.update(caller, flow, body, if_match)
    return flow_detail(flow, content if content is not None else await flows.text(flow))


@router.post(
    "/{flow_id}/restore",
    response_model=FlowDetail,
    responses={200: TAGGED, **documented(FlowNotFound, InsufficientAcl, FlowNotDeleted, *DOCUMENT_FAILURES)},
    openapi_extra=acl(Level.ADMIN),
)
async def restore_flow(
    flow_id: str, caller: Manager, flows: FlowServiceDep, writer: FlowWriterDep
) -> Response:
    """Bring a deleted flow back as it was, with its versions and grants. `GET /v1/flows?deleted=true` finds it."""
    deleted = await flows.open_deleted(caller, flow_id)
    text = await flows.text(deleted)  # first: what cannot be read is not restored
    return flow_detail(await writer.undelete(caller, deleted), text)


@router.post(
    "/{flow_id}/duplicate",
    status_code=201,
    response_model=FlowDetail,
    responses={201: TAGGED, **documented(FlowNotFound, InvalidFlow, FlowTooLarge, *DOCUMENT_FAILURES)},
    openapi_extra=acl(Level.VIEW),
)
async def duplicate_flow(
    flow_id: str,
    caller: Manager,
    flows: FlowServiceDep,
    writer: FlowWriterDep,
    body: Annotated[FlowDuplicate | None, Body()] = None,
) -> Response:
    """Make a new flow of the current version; you own it. Older versions, grants and deployments are not copied."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    copy = duplicate_of(flow, await flows.document(flow), body.name if body else None)
    return flow_detail(*await writer.create(caller, copy, {"copy_of": flow.id}), status=201)


@router.post(
    "/{flow_id}/transfer",
    response_model=FlowSummary,
    responses=documented(FlowNotFound, InsufficientAcl, OwnerNotFound, VersionConflict, PreconditionRequired),
    openapi_extra=acl(Level.ADMIN),
)
async def transfer_flow(
    flow_id: str, body: FlowTransfer, caller: Manager, transfers: TransferFlowDep, if_match: IfMatch
) -> FlowSummary:
    """Give the flow to another user of its tenant; only its owner and administrators may.

    The old owner keeps `admin` as a grant, which the new owner may revoke.
    """
    return FlowSummary.model_validate(await transfers.transfer(caller, flow_id, body.owner_id, if_match))
