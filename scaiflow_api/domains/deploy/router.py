"""`/v1/flows/{flow_id}/deploy`, `…/undeploy` and `…/deployments`; and `DELETE /v1/flows/{flow_id}`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import (
    ROLLOUT_FAILURES,
    CompileFailed,
    CoreDeleteFailed,
    DeployInProgress,
    MissingScaiGridCredentials,
)
from scaiflow_api.domains.deploy.planning import PlanDeploy
from scaiflow_api.domains.deploy.repository import Position
from scaiflow_api.domains.deploy.rollout import RolloutLimits
from scaiflow_api.domains.deploy.schemas import (
    DeployAnswer,
    DeploymentItem,
    DeployPlan,
    DeployRequest,
    UndeployAnswer,
)
from scaiflow_api.domains.deploy.service import DeployFlow, DeployLimits
from scaiflow_api.domains.deploy.withdrawal import WithdrawFlow
from scaiflow_api.domains.flows.deps import FlowServiceDep, FlowWriterDep, IfMatch
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    FlowNotFound,
    ForeignTenant,
    InsufficientAcl,
    InvalidCursor,
    PreconditionRequired,
    VersionConflict,
    VersionNotFound,
)
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.metrics import DEPLOYS, timed
from scaiflow_api.kit.paging import decode_cursor, decode_moment, encode_cursor
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.errors import (
    ScaiGridApi,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
)
from scaiflow_api.web.deps import KEY_FAILURES, CredentialsDep, Limit, Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute
from scaiflow_api.web.links import LINKED, link_next

router = APIRouter(prefix="/flows", tags=["deploy"], route_class=IdempotentRoute)


async def deploy_flow_service(
    resources: ResourcesDep, credentials: CredentialsDep, flows: FlowServiceDep
) -> DeployFlow:
    return DeployFlow(
        db=resources.db,
        flows=flows,
        credentials=credentials,
        clock=resources.clock,
        limits=_limits(resources),
    )


async def plan_deploy_service(
    resources: ResourcesDep, credentials: CredentialsDep, flows: FlowServiceDep
) -> PlanDeploy:
    return PlanDeploy(flows, Deployments(resources.db), credentials, _limits(resources))


def _limits(resources: Resources) -> DeployLimits:
    return DeployLimits(graph=resources.limits, rollout=RolloutLimits.of(resources.settings.scaigrid))


async def withdraw_flow_service(
    resources: ResourcesDep, credentials: CredentialsDep, flows: FlowServiceDep, writer: FlowWriterDep
) -> WithdrawFlow:
    return WithdrawFlow(
        db=resources.db,
        audit=resources.audit,
        flows=flows,
        writer=writer,
        credentials=credentials,
        clock=resources.clock,
    )


async def deployments_service(resources: ResourcesDep) -> Deployments:
    return Deployments(resources.db)


WithdrawFlowDep = Annotated[WithdrawFlow, Depends(withdraw_flow_service)]


@router.post(
    "/{flow_id}/deploy",
    response_model=DeployAnswer | DeployPlan,
    responses=documented(
        FlowNotFound,
        VersionNotFound,
        InsufficientAcl,
        ForeignTenant,
        DeployInProgress,
        MissingScaiGridCredentials,
        FlowTooLarge,
        CompileFailed,
        *ROLLOUT_FAILURES,
        ScaiGridApi,
        *DOCUMENT_FAILURES,
        *KEY_FAILURES,
    ),
    openapi_extra=acl(Level.DEPLOY),
)
async def deploy_flow(
    flow_id: str,
    caller: Manager,
    deploys: Annotated[DeployFlow, Depends(deploy_flow_service)],
    plans: Annotated[PlanDeploy, Depends(plan_deploy_service)],
    body: Annotated[DeployRequest | None, Body()] = None,
) -> DeployAnswer | DeployPlan:
    """Compile the flow, run it in ScaiGrid, and offer it as a chat model if it asks for that.

    With `dry_run` nothing is changed, and the answer is a DeployPlan.
    """
    order = body or DeployRequest()
    if order.dry_run:
        return await plans.plan(caller, flow_id, order)
    with timed(DEPLOYS):
        return await deploys.deploy(caller, flow_id, order)


@router.post(
    "/{flow_id}/undeploy",
    response_model=UndeployAnswer,
    responses=documented(
        FlowNotFound,
        InsufficientAcl,
        ForeignTenant,
        DeployInProgress,
        MissingScaiGridCredentials,
        CoreDeleteFailed,
        ScaiGridAuth,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        ScaiGridTimeout,
        *KEY_FAILURES,
    ),
    openapi_extra=acl(Level.DEPLOY),
)
async def undeploy_flow(flow_id: str, caller: Manager, withdrawals: WithdrawFlowDep) -> UndeployAnswer:
    """Delete the flow's Core in ScaiGrid and the model that it was offered as. The flow stays."""
    return UndeployAnswer(core_ids=await withdrawals.undeploy(caller, flow_id))


@router.delete(
    "/{flow_id}",
    status_code=204,
    tags=["flows"],
    responses=documented(
        FlowNotFound,
        InsufficientAcl,
        ForeignTenant,
        VersionConflict,
        PreconditionRequired,
        DeployInProgress,
        MissingScaiGridCredentials,
        CoreDeleteFailed,
        ScaiGridAuth,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        ScaiGridTimeout,
        *KEY_FAILURES,
    ),
    openapi_extra=acl(Level.ADMIN),
)
async def delete_flow(
    flow_id: str,
    caller: Manager,
    withdrawals: WithdrawFlowDep,
    if_match: IfMatch,
    undeploy: Annotated[
        bool, Query(description="also delete its Core, which otherwise goes on running")
    ] = False,
) -> None:
    """Delete the flow. Its versions stay in the store; `POST …/restore` brings it back."""
    await withdrawals.delete(caller, flow_id, if_match, undeploy=undeploy)


@router.get(
    "/{flow_id}/deployments",
    response_model=list[DeploymentItem],
    response_description="the deployments, newest first",
    responses={200: LINKED, **documented(FlowNotFound, InvalidCursor)},
    openapi_extra=acl(Level.VIEW),
)
async def list_deployments(
    flow_id: str,
    request: Request,
    response: Response,
    caller: Viewer,
    flows: FlowServiceDep,
    deployments: Annotated[Deployments, Depends(deployments_service)],
    include: Annotated[
        Literal["failed"] | None, Query(description="`failed`: also those that got no Core")
    ] = None,
    limit: Limit = 100,
    cursor: Annotated[
        str | None, Query(max_length=1024, description="from the `Link` of a page before")
    ] = None,
) -> list[DeploymentItem]:
    """List the deploys of the flow, newest first. The header `Link` names a next page, if any."""
    after = _position(cursor) if cursor is not None else None
    flow = await flows.open(caller, flow_id, Level.VIEW)
    rows, end = await deployments.history(flow, without_core=include == "failed", after=after, limit=limit)
    if end is not None:
        started_at, deployment_id = end
        position = encode_cursor(started_at.isoformat(), deployment_id)
        link_next(request, response, include=include, limit=limit, cursor=position)
    return rows


def _position(cursor: str) -> Position:
    parts = decode_cursor(cursor, 2)
    moment = decode_moment(parts[0]) if parts else None
    if parts is None or moment is None:
        raise InvalidCursor
    return moment, parts[1]
