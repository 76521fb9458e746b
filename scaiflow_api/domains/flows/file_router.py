"""Flows as files: `/v1/flows/import` and `/v1/flows/{flow_id}/export`."""

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Query, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.flows.answers import flow_detail
from scaiflow_api.domains.flows.deps import FlowServiceDep, FlowWriterDep
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    DoesNotCompile,
    FlowNotFound,
    InvalidFlow,
    InvalidManifest,
    VersionNotFound,
)
from scaiflow_api.domains.flows.exporting import MEDIA_TYPES, ExportFormat, export_document
from scaiflow_api.domains.flows.importing import read_import
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowImport, ImportedContent, ImportedFlow
from scaiflow_api.domains.preview.schemas import DiagnosticItem
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.storage import StoreUnavailable
from scaiflow_api.web.deps import Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import TAGGED
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["flows"], route_class=IdempotentRoute)

_IMPORTS: dict[str, Any] = {
    "manifest": {"summary": "A manifest, to look at", "value": FlowImport.example},
    "bundle": {
        "summary": "A SCIR bundle, to keep",
        "value": {"format": "ir", "content": "U0NJUgEAAACD…", "name": "Echo Agent", "save": True},
    },
}


@router.post(
    "/import",
    response_model=ImportedContent,
    responses={
        201: {"model": ImportedFlow, "description": "the flow that was created", **TAGGED},
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
        new = FlowCreate(name=body.name, content=content)
        flow, stored = await writer.create(caller, new, {"imported": body.format})
        return flow_detail(flow, stored, status=201, diagnostics=diagnostics)
    answer = orjson.dumps({"content": content, "diagnostics": diagnostics})
    return Response(answer, media_type="application/json")


@router.get(
    "/{flow_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "the file; its name is in `Content-Disposition`",
            "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
        },
        **documented(FlowNotFound, VersionNotFound, DoesNotCompile, FlowTooLarge, *DOCUMENT_FAILURES),
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
