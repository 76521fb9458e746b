"""`/v1/flows/{flow_id}/draft`: what people edit together, before it is a version."""

import asyncio
from typing import Annotated

import orjson
from fastapi import APIRouter, Body, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.compiler.interface.comparison import Comparison
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.flows.answers import flow_detail
from scaiflow_api.domains.flows.deps import FlowServiceDep, IfMatch, IfNoneMatch
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    FlowNotFound,
    InsufficientAcl,
    InvalidFlow,
    PreconditionRequired,
    SaveContention,
    VersionConflict,
)
from scaiflow_api.domains.flows.schemas import FlowDetail
from scaiflow_api.domains.sync.draft.deps import DraftReaderDep, DraftServiceDep
from scaiflow_api.domains.sync.draft.errors import (
    DraftContention,
    DraftNotFound,
    DraftTooLarge,
    DraftUnreadable,
)
from scaiflow_api.domains.sync.draft.following import LoadedDraft
from scaiflow_api.domains.sync.draft.schemas import DraftDetail, DraftState, SaveDraft
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.web.deps import Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import CONDITIONAL, TAGGED, etag_matches
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows/{flow_id}/draft", tags=["drafts"], route_class=IdempotentRoute)


@router.get(
    "",
    response_model=DraftDetail,
    responses={
        **CONDITIONAL,
        **documented(
            FlowNotFound,
            DraftNotFound,
            DraftContention,
            DraftTooLarge,
            DraftUnreadable,
            FlowTooLarge,
            *DOCUMENT_FAILURES,
        ),
    },
    openapi_extra=acl(Level.VIEW),
)
async def read_draft(
    flow_id: str,
    caller: Viewer,
    flows: FlowServiceDep,
    drafts: DraftReaderDep,
    resources: ResourcesDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read what people edit together, with what differs from the current version, whether or not they are at it."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    loaded = await drafts.load(flow)
    tag = _tag(flow, loaded)
    if if_none_match is not None and etag_matches(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    draft = await drafts.read(flow, loaded)
    diff = None
    if not draft.problems:
        current = await flows.document(flow)
        found = await asyncio.to_thread(Comparison.of, current, draft.document, limits=resources.limits)
        diff = found.as_dict()
    body = {
        "flow_id": flow.id,
        "epoch": loaded.row.epoch,
        "base_version": loaded.row.applied_version,
        "updated_at": loaded.row.updated_at,
        "content": draft.document,
        "diff": diff,
        "diagnostics": draft.as_diagnostics(),
    }
    text = await asyncio.to_thread(orjson.dumps, body, option=orjson.OPT_UTC_Z)
    return Response(text, headers={"ETag": tag}, media_type="application/json")


@router.post(
    "/save",
    response_model=FlowDetail,
    responses={
        200: TAGGED,
        **documented(
            FlowNotFound,
            InsufficientAcl,
            DraftNotFound,
            DraftContention,
            DraftTooLarge,
            DraftUnreadable,
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
async def save_draft(
    flow_id: str,
    caller: Manager,
    drafts: DraftServiceDep,
    if_match: IfMatch,
    body: Annotated[SaveDraft | None, Body()] = None,
) -> Response:
    """Make a new version of the draft as it is now; you are its author. People who edit it go on editing.

    Versions that others save at the same moment are merged into the draft first, unless `If-Match` names the flow
    without them.
    """
    message = body.message if body and body.message is not None else "Saved the draft"
    return flow_detail(*await drafts.save(caller, flow_id, message, if_match))


@router.post(
    "/discard",
    response_model=DraftState,
    responses=documented(
        FlowNotFound,
        InsufficientAcl,
        DraftNotFound,
        DraftTooLarge,
        VersionConflict,
        PreconditionRequired,
        *DOCUMENT_FAILURES,
    ),
    openapi_extra=acl(Level.EDIT),
)
async def discard_draft(
    flow_id: str, caller: Manager, drafts: DraftServiceDep, if_match: IfMatch
) -> DraftState:
    """Throw away all that is not saved: the draft begins anew with the current version.

    Everybody who has it open is disconnected (close code 4410), and loads the new one. As for a save, `If-Match`
    names the flow, not the draft.
    """
    row = await drafts.discard(caller, flow_id, if_match)
    return DraftState(
        flow_id=row.flow_id, epoch=row.epoch, base_version=row.applied_version, updated_at=row.updated_at
    )


def _tag(flow: Flow, loaded: LoadedDraft) -> str:
    """Name all that the answer is made of."""
    return f'"{flow.version}.r{flow.revision}.{loaded.row.epoch}.{loaded.seq}"'
