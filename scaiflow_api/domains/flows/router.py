"""`/v1/flows`: list, create, read, change, delete, and the versions."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.errors import (
    FlowNotFound,
    InsufficientAcl,
    InvalidCursor,
    InvalidFlow,
    SaveContention,
    VersionConflict,
    VersionNotFound,
)
from scaiflow_api.domains.flows.etag import etag_of, matches
from scaiflow_api.domains.flows.repository import Position
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import (
    FlowCreate,
    FlowDetail,
    FlowPage,
    FlowSummary,
    FlowUpdate,
    FlowVersionItem,
)
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.paging import decode_cursor, encode_cursor
from scaiflow_api.storage import StoreUnavailable
from scaiflow_api.web.deps import Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented

router = APIRouter(prefix="/flows", tags=["flows"])


async def flow_service(resources: ResourcesDep) -> FlowService:
    return FlowService(resources.db, resources.versions)


async def flow_writer(resources: ResourcesDep) -> FlowWriter:
    return FlowWriter(resources.db, resources.versions, resources.limits, resources.clock, resources.saves)


FlowServiceDep = Annotated[FlowService, Depends(flow_service)]
FlowWriterDep = Annotated[FlowWriter, Depends(flow_writer)]
IfMatch = Annotated[str | None, Header(max_length=4096, description="The ETag of the flow that you changed.")]
IfNoneMatch = Annotated[
    str | None, Header(max_length=4096, description="The ETag of the flow that you have.")
]

_SUMMARY = tuple(FlowSummary.model_fields)


@router.get("", response_model=FlowPage, responses=documented(InvalidCursor))
async def list_flows(
    caller: Viewer,
    flows: FlowServiceDep,
    search: Annotated[str | None, Query(max_length=200, description="part of the name")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[
        str | None, Query(max_length=1024, description="`next_cursor` of the page before")
    ] = None,
) -> FlowPage:
    """List the flows that you may see, newest change first."""
    after = _position(cursor) if cursor is not None else None
    rows, total, end = await flows.page(caller, search=search, after=after, size=limit)
    return FlowPage(
        items=[FlowSummary.model_validate(row) for row in rows],
        total=total,
        next_cursor=encode_cursor(end.updated_at.isoformat(), end.flow_id) if end else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=FlowDetail,
    responses=documented(InvalidFlow, FlowTooLarge, StoreUnavailable),
)
async def create_flow(body: FlowCreate, caller: Manager, writer: FlowWriterDep) -> Response:
    """Create a flow; you become its owner. The server writes `id`, `name` and `version` into the content."""
    flow, document = await writer.create(caller, body)
    return _detail(flow, document, status=201)


@router.get(
    "/{flow_id}",
    response_model=FlowDetail,
    responses={304: {"description": "unchanged"}, **documented(FlowNotFound, StoreUnavailable)},
    openapi_extra=acl(Level.VIEW),
)
async def read_flow(
    flow_id: str, caller: Viewer, flows: FlowServiceDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a flow with its content."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    if if_none_match is not None and matches(if_none_match, flow):
        return Response(status_code=304, headers={"ETag": etag_of(flow)})
    return _detail(flow, await flows.document(flow))


@router.put(
    "/{flow_id}",
    response_model=FlowDetail,
    responses=documented(
        FlowNotFound,
        InsufficientAcl,
        VersionConflict,
        InvalidFlow,
        FlowTooLarge,
        SaveContention,
        StoreUnavailable,
    ),
    openapi_extra=acl(Level.EDIT),
)
async def update_flow(
    flow_id: str,
    body: FlowUpdate,
    caller: Manager,
    flows: FlowServiceDep,
    writer: FlowWriterDep,
    if_match: IfMatch = None,
) -> Response:
    """Change a flow. Content makes a new version, one patch higher; a name or description alone does not."""
    flow = await flows.open(caller, flow_id, Level.EDIT)
    flow, document = await writer.update(caller, flow, body, if_match)
    return _detail(flow, document if document is not None else await flows.document(flow))


@router.delete(
    "/{flow_id}",
    status_code=204,
    responses=documented(FlowNotFound, InsufficientAcl, VersionConflict),
    openapi_extra=acl(Level.ADMIN),
)
async def delete_flow(
    flow_id: str, caller: Manager, flows: FlowServiceDep, writer: FlowWriterDep, if_match: IfMatch = None
) -> None:
    """Delete a flow. Its versions stay in the store."""
    await writer.delete(await flows.open(caller, flow_id, Level.ADMIN), if_match)


@router.get(
    "/{flow_id}/versions",
    response_model=list[FlowVersionItem],
    responses=documented(FlowNotFound),
    openapi_extra=acl(Level.VIEW),
)
async def list_versions(flow_id: str, caller: Viewer, flows: FlowServiceDep) -> list[FlowVersionItem]:
    """List every version of the flow, newest first."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    return [
        FlowVersionItem(
            version=row.version,
            is_current=row.version == flow.version,
            last_modified=row.created_at,
            author_id=row.author_id,
            message=row.message,
            sha256=row.sha256,
            size=row.size,
        )
        for row in await flows.versions(flow)
    ]


@router.get(
    "/{flow_id}/versions/{version}",
    response_model=FlowDetail,
    responses=documented(FlowNotFound, VersionNotFound, StoreUnavailable),
    openapi_extra=acl(Level.VIEW),
)
async def read_version(flow_id: str, version: str, caller: Viewer, flows: FlowServiceDep) -> Response:
    """Read one version of the flow."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    document = await flows.document(flow, version)
    return _detail(flow, document, version=version)


def _detail(
    flow: Flow, document: dict[str, Any], *, status: int = 200, version: str | None = None
) -> Response:
    """Answer with a FlowDetail, built without a model: the content was checked when it was stored."""
    summary = {field: getattr(flow, field) for field in _SUMMARY}
    headers = {"ETag": etag_of(flow)}
    if version is not None and version != flow.version:
        summary["version"] = version
        headers = {}
    body = orjson.dumps({**summary, "content": document}, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers=headers, media_type="application/json")


def _position(cursor: str) -> Position:
    parts = decode_cursor(cursor, 2)
    try:
        moment = datetime.fromisoformat(parts[0]) if parts else None
    except ValueError:
        moment = None
    if parts is None or moment is None or moment.tzinfo is None:
        raise InvalidCursor
    return Position(moment, parts[1])
