"""`/v1/flows/{flow_id}/acls`: who else may use a flow."""

from typing import Annotated

from fastapi import APIRouter, Depends

from scaiflow_api.auth.acl import Level
from scaiflow_api.domains.acls.errors import (
    AclExists,
    AclNotFound,
    InvalidLevel,
    InvalidPrincipalType,
    LastWayIn,
    OwnerHoldsAdmin,
    PrincipalNotFound,
)
from scaiflow_api.domains.acls.schemas import AclCreate, AclUpdate, FlowAclOut
from scaiflow_api.domains.acls.service import FlowAcls
from scaiflow_api.domains.flows.errors import FlowNotFound, InsufficientAcl
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.web.deps import Manager, ResourcesDep, Viewer, acl
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(prefix="/flows/{flow_id}/acls", tags=["acls"], route_class=IdempotentRoute)


async def flow_acls(resources: ResourcesDep) -> FlowAcls:
    return FlowAcls(resources.db, FlowService(resources.db, resources.versions), resources.clock)


FlowAclsDep = Annotated[FlowAcls, Depends(flow_acls)]


@router.get(
    "",
    response_model=list[FlowAclOut],
    response_description="the explicit grants, oldest first",
    responses=documented(FlowNotFound, InsufficientAcl),
    openapi_extra=acl(Level.ADMIN),
)
async def list_acls(flow_id: str, caller: Viewer, acls: FlowAclsDep) -> list[FlowAclOut]:
    """List the explicit grants, oldest first. The owner and the admins hold `admin` without one."""
    return [FlowAclOut.model_validate(row) for row in await acls.list(caller, flow_id)]


@router.post(
    "",
    status_code=201,
    response_model=FlowAclOut,
    responses=documented(
        FlowNotFound,
        InsufficientAcl,
        InvalidLevel,
        InvalidPrincipalType,
        PrincipalNotFound,
        OwnerHoldsAdmin,
        AclExists,
    ),
    openapi_extra=acl(Level.ADMIN),
)
async def create_acl(flow_id: str, body: AclCreate, caller: Manager, acls: FlowAclsDep) -> FlowAclOut:
    """Grant a level to a user or a group of the flow's tenant; members of groups inside it count.

    Grants have no ETag, and a change of them leaves the flow's as it is: no route on grants looks at `If-Match`.
    """
    granted = await acls.grant(caller, flow_id, **body.model_dump())
    return FlowAclOut.model_validate(granted)


@router.patch(
    "/{acl_id}",
    response_model=FlowAclOut,
    responses=documented(FlowNotFound, InsufficientAcl, InvalidLevel, AclNotFound, LastWayIn),
    openapi_extra=acl(Level.ADMIN),
)
async def update_acl(
    flow_id: str, acl_id: str, body: AclUpdate, caller: Manager, acls: FlowAclsDep
) -> FlowAclOut:
    """Give a grant another level."""
    return FlowAclOut.model_validate(await acls.change(caller, flow_id, acl_id, body.level))


@router.delete(
    "/{acl_id}",
    status_code=204,
    responses=documented(FlowNotFound, InsufficientAcl, AclNotFound, LastWayIn),
    openapi_extra=acl(Level.ADMIN),
)
async def delete_acl(flow_id: str, acl_id: str, caller: Manager, acls: FlowAclsDep) -> None:
    """Revoke a grant, also your own."""
    await acls.revoke(caller, flow_id, acl_id)
