"""`/v1/flows`: list, create, read, change, delete, the versions, and flows as files."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Header, Query, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.errors import (
    DoesNotCompile,
    FlowNotFound,
    InsufficientAcl,
    InvalidCursor,
    InvalidFlow,
    InvalidManifest,
    SaveContention,
    VersionConflict,
    VersionNotFound,
)
from scaiflow_api.domains.flows.etag import etag_of, matches
from scaiflow_api.domains.flows.exporting import MEDIA_TYPES, ExportFormat, export_document
from scaiflow_api.domains.flows.importing import read_import
from scaiflow_api.domains.flows.repository import Position
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import (
    FlowCreate,
    FlowDetail,
    FlowImport,
    FlowPage,
    FlowSummary,
    FlowUpdate,
    FlowVersionItem,
    ImportedContent,
    ImportedFlow,
)
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.preview.schemas import DiagnosticItem
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
_MANIFEST = """core:
  name: echo-agent
  mode: stateless
  flows:
    - name: echo-agent
      trigger: {type: api, method: POST, path: /}
      steps:
        - rigid: "You said: {{ message }}"
"""
_IMPORTS: dict[str, Any] = {
    "manifest": {"summary": "A manifest, to look at", "value": {"content": _MANIFEST}},
    "bundle": {
        "summary": "A SCIR bundle, to keep",
        "value": {"format": "ir", "content": "U0NJUgEAAACD…", "name": "Echo Agent", "save": True},
    },
}


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


@router.post(
    "/import",
    response_model=ImportedContent,
    responses={
        201: {"model": ImportedFlow, "description": "the flow that was created"},
        **documented(InvalidManifest, InvalidFlow, FlowTooLarge, StoreUnavailable),
    },
)
async def import_flow(
    body: Annotated[FlowImport, Body(openapi_examples=_IMPORTS)],
    caller: Manager,
    writer: FlowWriterDep,
    resources: ResourcesDep,
) -> Response:
    """Make a flow of a manifest, a SCIR bundle or a document. With `save` it is created, as by `POST /v1/flows`."""
    content, found = await asyncio.to_thread(read_import, body, resources.limits)
    diagnostics = [DiagnosticItem.of(item).model_dump() for item in found]
    if body.save:
        flow, document = await writer.create(caller, FlowCreate(name=body.name, content=content))
        return _detail(flow, document, status=201, diagnostics=diagnostics)
    answer = orjson.dumps({"content": content, "diagnostics": diagnostics})
    return Response(answer, media_type="application/json")


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


@router.get(
    "/{flow_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "the file; its name is in `Content-Disposition`",
            "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
        },
        **documented(FlowNotFound, VersionNotFound, DoesNotCompile, FlowTooLarge, StoreUnavailable),
    },
    openapi_extra=acl(Level.VIEW),
)
async def export_flow(
    flow_id: str,
    caller: Viewer,
    flows: FlowServiceDep,
    resources: ResourcesDep,
    wanted: Annotated[
        ExportFormat,
        Query(
            alias="format",
            description="`json` the document, `yaml` the manifest, `ir` a SCIR bundle, `scai` a text to read",
        ),
    ] = "json",
    version: Annotated[
        str | None, Query(max_length=64, description="an older version than the current one")
    ] = None,
) -> Response:
    """Download the flow as a file. Only `json` can be had of a flow with errors."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    document = await flows.document(flow, version)
    file = await asyncio.to_thread(export_document, document, wanted, resources.limits)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.body, headers=headers, media_type=file.media_type)


def _detail(
    flow: Flow,
    document: dict[str, Any],
    *,
    status: int = 200,
    version: str | None = None,
    **beside: Any,
) -> Response:
    """Answer with a FlowDetail, built without a model: the content was checked when it was stored."""
    summary = {field: getattr(flow, field) for field in _SUMMARY}
    headers = {"ETag": etag_of(flow)}
    if version is not None and version != flow.version:
        summary["version"] = version
        headers = {}
    body = orjson.dumps({**summary, "content": document, **beside}, option=orjson.OPT_UTC_Z)
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
