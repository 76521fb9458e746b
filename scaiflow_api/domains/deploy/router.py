"""`/v1/flows/{flow_id}/deploy`, `…/undeploy` and `…/deployments`; and `DELETE /v1/flows/{flow_id}`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import (
    CompileFailed,
    CoreCreateFailed,
    CoreDeleteFailed,
    CorePublishFailed,
    CoreStartFailed,
    DeployInProgress,
    MissingScaiGridCredentials,
    QueueProvisionFailed,
)
from scaiflow_api.domains.deploy.schemas import DeployAnswer, DeploymentItem, DeployRequest, UndeployAnswer
from scaiflow_api.domains.deploy.service import DeployFlow, DeployLimits
from scaiflow_api.domains.deploy.withdrawal import WithdrawFlow
from scaiflow_api.domains.flows.deps import FlowServiceDep, FlowWriterDep, IfMatch
from scaiflow_api.domains.flows.errors import (
    FlowNotFound,
    ForeignTenant,
    InsufficientAcl,
    PreconditionRequired,
    VersionConflict,
    VersionNotFound,
)
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.metrics import DEPLOYS, timed
from scaiflow_api.upstreams.errors import ScaiGridAuth, ScaiGridBusy, ScaiGridNotConfigured, ScaiGridTimeout
from scaiflow_api.web.deps import KEY_FAILURES, CredentialsDep, Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows", tags=["deploy"], route_class=IdempotentRoute)


async def deploy_flow_service(
    resources: ResourcesDep, credentials: CredentialsDep, flows: FlowServiceDep
) -> DeployFlow:
    settings = resources.settings
    return DeployFlow(
        db=resources.db,
        flows=flows,
        credentials=credentials,
        clock=resources.clock,
        limits=DeployLimits(graph=resources.limits, start_timeout_s=settings.scaigrid.start_timeout_s),
    )


async def withdraw_flow_service(
    resources: ResourcesDep, credentials: CredentialsDep, flows: FlowServiceDep, writer: FlowWriterDep
) -> WithdrawFlow:
    return WithdrawFlow(
        db=resources.db,
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
    response_model=DeployAnswer,
    responses=documented(
        FlowNotFound,
        VersionNotFound,
        InsufficientAcl,
        ForeignTenant,
        DeployInProgress,
        MissingScaiGridCredentials,
        FlowTooLarge,
        CompileFailed,
        QueueProvisionFailed,
        CoreCreateFailed,
        CoreStartFailed,
        CorePublishFailed,
        ScaiGridAuth,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        ScaiGridTimeout,
        *KEY_FAILURES,
    ),
    openapi_extra=acl(Level.DEPLOY),
)
async def deploy_flow(
    flow_id: str,
    caller: Manager,
    deploys: Annotated[DeployFlow, Depends(deploy_flow_service)],
    body: Annotated[DeployRequest | None, Body()] = None,
) -> DeployAnswer:
    """Compile the flow, run it in ScaiGrid, and offer it as a chat model if it asks for that."""
    with timed(DEPLOYS):
        return await deploys.deploy(caller, flow_id, body or DeployRequest())


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
    responses=documented(FlowNotFound),
    openapi_extra=acl(Level.VIEW),
)
async def list_deployments(
    flow_id: str,
    caller: Viewer,
    flows: FlowServiceDep,
    deployments: Annotated[Deployments, Depends(deployments_service)],
    include: Annotated[
        Literal["failed"] | None, Query(description="`failed`: also those that got no Core")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[DeploymentItem]:
    """List the deploys of the flow, newest first."""
    flow = await flows.open(caller, flow_id, Level.VIEW)
    rows = await deployments.history(flow, without_core=include == "failed", limit=limit)
    return [DeploymentItem.of(row) for row in rows]
