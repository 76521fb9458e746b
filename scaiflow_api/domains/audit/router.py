"""`/v1/admin/audit` and `/v1/flows/{flow_id}/audit`: what was done, and what was refused."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BeforeValidator

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import VIEW, AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole
from scaiflow_api.db.audit import Action, Outcome
from scaiflow_api.domains.admin.service import one_tenant
from scaiflow_api.domains.audit.repository import Wanted
from scaiflow_api.domains.audit.schemas import AuditPage
from scaiflow_api.domains.audit.service import AuditLog
from scaiflow_api.domains.flows.deps import FlowServiceDep
from scaiflow_api.domains.flows.errors import FlowNotFound, InsufficientAcl, InvalidCursor
from scaiflow_api.kit.paging import decode_cursor, decode_moment, encode_cursor
from scaiflow_api.web.deps import Limit, ResourcesDep, Viewer, acl, requires
from scaiflow_api.web.errors import documented

router = APIRouter(tags=["audit"])

JSON_LINES = "application/x-ndjson"
TenantAdmin = Annotated[Caller, Depends(requires(VIEW, AdminRole.TENANT_ADMIN))]
Actor = Annotated[str | None, Query(min_length=1, max_length=128, description="who did it")]
Target = Annotated[
    str | None, Query(min_length=1, max_length=128, description="what it was done to, whatever its type")
]


def _read_moment(said: str) -> datetime:
    """Read a moment. A number is none: it would be taken for seconds since 1970."""
    if (moment := decode_moment(said)) is None:
        raise ValueError("a moment has its zone, as in 2026-11-29T12:00:00Z")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_read_moment)]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}, "description": "a page, or all rows"}
}


async def filters(
    actor_id: Actor = None,
    action: Annotated[Action | None, Query(description="what was done")] = None,
    outcome: Annotated[Outcome | None, Query(description="how it ended")] = None,
    target_id: Target = None,
    since: Annotated[Moment | None, Query(description="from this moment on")] = None,
    until: Annotated[Moment | None, Query(description="before this moment")] = None,
) -> Wanted:
    """Return the filters, for a tenant that is not named yet."""
    return Wanted(
        tenant_id="",
        actor_id=actor_id,
        action=action,
        outcome=outcome,
        target_id=target_id,
        since=since,
        until=until,
    )


async def audit_log(resources: ResourcesDep) -> AuditLog:
    return AuditLog(resources.db, resources.audit)


Filters = Annotated[Wanted, Depends(filters)]
AuditLogDep = Annotated[AuditLog, Depends(audit_log)]
Format = Annotated[
    Literal["json", "jsonl"],
    Query(description="`jsonl`: all rows that match, the first one first, as a file that can be verified"),
]
Cursor = Annotated[str | None, Query(max_length=1024, description="`next_cursor` of the page before")]


@router.get(
    "/admin/audit",
    response_model=AuditPage,
    responses={**_ANSWERS, **documented(InsufficientRole, InvalidCursor)},
)
async def read_audit_log(
    caller: TenantAdmin,
    log: AuditLogDep,
    wanted: Filters,
    tenant_id: Annotated[
        str | None,
        Query(min_length=1, max_length=128, description="another tenant than yours as a super_admin"),
    ] = None,
    flow_id: Annotated[
        str | None, Query(min_length=1, max_length=128, description="rows about one flow")
    ] = None,
    format: Format = "json",  # noqa: A002 - the name on the wire
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Read what was done and refused in your tenant, the last first."""
    wanted = replace(wanted, tenant_id=one_tenant(caller, tenant_id), flow_id=flow_id)
    return await _answer(log, wanted, format, limit, cursor)


@router.get(
    "/flows/{flow_id}/audit",
    response_model=AuditPage,
    responses={**_ANSWERS, **documented(FlowNotFound, InsufficientAcl, InvalidCursor)},
    openapi_extra=acl(Level.ADMIN),
)
async def read_flow_audit(
    flow_id: str,
    caller: Viewer,
    flows: FlowServiceDep,
    log: AuditLogDep,
    wanted: Filters,
    format: Format = "json",  # noqa: A002 - the name on the wire
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Read what was done to the flow and refused on it, the last first."""
    flow = await flows.open(caller, flow_id, Level.ADMIN)
    wanted = replace(wanted, tenant_id=flow.tenant_id, flow_id=flow.id)
    return await _answer(log, wanted, format, limit, cursor)


async def _answer(
    log: AuditLog, wanted: Wanted, form: Literal["json", "jsonl"], limit: int, cursor: str | None
) -> Response:
    if form == "jsonl":
        headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
        return StreamingResponse(log.lines(wanted), headers=headers, media_type=JSON_LINES)
    rows, end = await log.page(wanted, before=_seq(cursor), size=limit)
    page = {"events": rows, "next_cursor": encode_cursor(str(end)) if end is not None else None}
    return Response(orjson.dumps(page), media_type="application/json")


def _seq(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    parts = decode_cursor(cursor, 1)
    # Longer numbers are none that we gave, and more than a column holds.
    if parts is None or not (parts[0].isdecimal() and parts[0].isascii() and len(parts[0]) <= 18):
        raise InvalidCursor
    return int(parts[0])
