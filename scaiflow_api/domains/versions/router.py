"""`/v1/flows/{flow_id}/versions`, `…/diff` and `…/drift`."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Query, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.schemas import DeploymentItem
from scaiflow_api.domains.flows.answers import flow_detail
from scaiflow_api.domains.flows.deps import FlowServiceDep, FlowWriterDep, IfMatch
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    FlowNotFound,
    InsufficientAcl,
    InvalidFlow,
    PreconditionRequired,
    SaveContention,
    VersionConflict,
    VersionNotFound,
)
from scaiflow_api.domains.flows.schemas import FlowDetail, FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.deps import DraftReaderDep
from scaiflow_api.domains.sync.draft.errors import (
    DraftContention,
    DraftNotFound,
    DraftTooLarge,
    DraftUnreadable,
)
from scaiflow_api.domains.versions.errors import NotDeployed
from scaiflow_api.domains.versions.schemas import Drift, FlowDifference, FlowVersionItem, RestoreVersion
from scaiflow_api.domains.versions.service import CURRENT, CompareVersions
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.web.deps import Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import TAGGED
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["flows"], route_class=IdempotentRoute)


_SIDE = "a version, `current`, `deployed` or `draft`"


async def compare_versions(resources: ResourcesDep, drafts: DraftReaderDep) -> CompareVersions:
    flows = FlowService(resources.db, resources.versions)
    return CompareVersions(flows, Deployments(resources.db), drafts, resources.limits)


CompareVersionsDep = Annotated[CompareVersions, Depends(compare_versions)]


@router.get(
    "/{flow_id}/versions",
    response_model=list[FlowVersionItem],
    response_description="the versions, newest first",
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
    responses={200: TAGGED, **documented(FlowNotFound, VersionNotFound, *DOCUMENT_FAILURES)},
    openapi_extra=acl(Level.VIEW),
)
async def read_version(flow_id: str, version: str, caller: Viewer, flows: FlowServiceDep) -> Response:
    """Read one version of the flow."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    return flow_detail(flow, await flows.text(flow, version), version=version)


@router.post(
    "/{flow_id}/versions/{version}/restore",
    response_model=FlowDetail,
    responses={
        200: TAGGED,
        **documented(
            FlowNotFound,
            VersionNotFound,
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
async def restore_version(
    flow_id: str,
    version: str,
    caller: Manager,
    flows: FlowServiceDep,
    writer: FlowWriterDep,
    if_match: IfMatch,
    body: Annotated[RestoreVersion | None, Body()] = None,
) -> Response:
    """Save the content of an older version as the newest. Name and description stay as they are."""
    flow = await flows.open(caller, flow_id, Level.EDIT)
    content = await flows.document(flow, version)
    message = body.message if body and body.message is not None else f"Restored {version}"
    change = FlowUpdate(name=None, content=content, message=message)
    flow, stored = await writer.update(caller, flow, change, if_match, {"restored_version": version})
    return flow_detail(flow, stored if stored is not None else orjson.dumps(content))


@router.get(
    "/{flow_id}/diff",
    response_model=FlowDifference,
    response_model_exclude_unset=True,
    responses=documented(
        FlowNotFound,
        VersionNotFound,
        NotDeployed,
        DraftNotFound,
        DraftContention,
        DraftTooLarge,
        DraftUnreadable,
        InvalidFlow,
        FlowTooLarge,
        *DOCUMENT_FAILURES,
    ),
    openapi_extra=acl(Level.VIEW),
)
async def diff_versions(
    flow_id: str,
    caller: Viewer,
    versions: CompareVersionsDep,
    old: Annotated[str, Query(alias="from", max_length=64, description=_SIDE)],
    new: Annotated[str, Query(alias="to", max_length=64, description=_SIDE)] = CURRENT,
) -> dict[str, Any]:
    """Compare two versions: what the flow does, what its tests expect, what only people see; and who could break."""
    old_version, new_version, comparison = await versions.diff(caller, flow_id, old, new)
    return {"from": old_version, "to": new_version, **comparison.as_dict()}


@router.get(
    "/{flow_id}/drift",
    response_model=Drift,
    response_model_exclude_unset=True,
    responses=documented(FlowNotFound, *DOCUMENT_FAILURES),
    openapi_extra=acl(Level.VIEW),
)
async def read_drift(flow_id: str, caller: Viewer, versions: CompareVersionsDep) -> dict[str, Any]:
    """Compare the current version with what the flow's Core was given last."""
    drift = await versions.drift(caller, flow_id)
    status = "not_deployed"
    if drift.comparison is not None:
        status = "drifted" if drift.comparison.diff.behaviour else "in_sync"
    return {
        "status": status,
        "current_version": drift.flow.version,
        "deployment": DeploymentItem.of(drift.deployment) if drift.deployment else None,
        "changes": drift.comparison.as_dict() if drift.comparison else None,
    }
