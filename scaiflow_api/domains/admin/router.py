"""`/v1/admin`: what administrators see and decide."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from scaiflow_api.auth.caller import MANAGE, VIEW, AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole
from scaiflow_api.db.models.user import User
from scaiflow_api.domains.admin.errors import (
    AmbiguousUser,
    HigherRole,
    LastSuperAdmin,
    RoleFromGroup,
    UserNotFound,
)
from scaiflow_api.domains.admin.roles import AdminRoles
from scaiflow_api.domains.admin.schemas import (
    AdminFlowItem,
    AdminFlowPage,
    GroupItem,
    GroupPage,
    RoleGrant,
    RoleItem,
    UserItem,
    UserPage,
)
from scaiflow_api.domains.admin.service import AdminViews, ById, administered, one_tenant
from scaiflow_api.domains.flows.errors import InvalidCursor
from scaiflow_api.domains.flows.listing import NEWEST_CHANGE_FIRST, cursor_of, position_of
from scaiflow_api.kit.paging import decode_cursor, encode_cursor
from scaiflow_api.web.deps import Limit, ResourcesDep, requires
from scaiflow_api.web.errors import documented
from scaiflow_api.web.idempotency import IdempotentRoute

router = APIRouter(
    prefix="/admin", tags=["admin"], responses=documented(InsufficientRole), route_class=IdempotentRoute
)

SuperAdmin = Annotated[Caller, Depends(requires(VIEW, AdminRole.SUPER_ADMIN))]
TenantAdmin = Annotated[Caller, Depends(requires(VIEW, AdminRole.TENANT_ADMIN))]
TenantManager = Annotated[Caller, Depends(requires(MANAGE, AdminRole.TENANT_ADMIN))]


async def admin_views(resources: ResourcesDep) -> AdminViews:
    return AdminViews(resources.db)


async def admin_roles(resources: ResourcesDep) -> AdminRoles:
    return AdminRoles(resources.db, resources.clock)


AdminViewsDep = Annotated[AdminViews, Depends(admin_views)]
AdminRolesDep = Annotated[AdminRoles, Depends(admin_roles)]
Tenant = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="a tenant; another than yours as a super_admin"),
]
Search = Annotated[str | None, Query(max_length=200, description="part of the id, address or name")]
Cursor = Annotated[str | None, Query(max_length=1024, description="`next_cursor` of the page before")]


@router.get("/users", response_model=UserPage, responses=documented(InvalidCursor))
async def list_users(
    caller: SuperAdmin,
    views: AdminViewsDep,
    tenant_id: Tenant = None,
    search: Search = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> UserPage:
    """List the users of all tenants, by tenant and id; deleted ones too."""
    tenants = administered(caller, tenant_id)
    return _user_page(*await views.users(tenants, search=search, after=_by_id(cursor), size=limit))


@router.get("/tenant/users", response_model=UserPage, responses=documented(InvalidCursor))
async def list_tenant_users(
    caller: TenantAdmin,
    views: AdminViewsDep,
    tenant_id: Tenant = None,
    search: Search = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> UserPage:
    """List the users of your tenant, by id; deleted ones too."""
    tenant = one_tenant(caller, tenant_id)
    return _user_page(*await views.users(tenant, search=search, after=_by_id(cursor), size=limit))


@router.get("/tenant/flows", response_model=AdminFlowPage, responses=documented(InvalidCursor))
async def list_tenant_flows(
    caller: TenantAdmin,
    views: AdminViewsDep,
    tenant_id: Tenant = None,
    include: Annotated[
        Literal["deleted"] | None, Query(description="`deleted`: also flows that were deleted")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AdminFlowPage:
    """List the flows of your tenant, whoever owns them, newest change first."""
    after = None if cursor is None else position_of(cursor, NEWEST_CHANGE_FIRST)
    rows, end = await views.flows(
        one_tenant(caller, tenant_id), deleted=include == "deleted", after=after, size=limit
    )
    return AdminFlowPage(
        flows=[AdminFlowItem.model_validate(row) for row in rows],
        next_cursor=cursor_of(end, NEWEST_CHANGE_FIRST) if end else None,
    )


@router.get("/groups", response_model=GroupPage, responses=documented(InvalidCursor))
async def list_groups(
    caller: TenantAdmin,
    views: AdminViewsDep,
    tenant_id: Tenant = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> GroupPage:
    """List the groups of your tenant, or of all tenants for a super_admin; deleted ones too."""
    rows, end = await views.groups(administered(caller, tenant_id), after=_by_id(cursor), size=limit)
    return GroupPage(
        groups=[GroupItem.of(group, members) for group, members in rows],
        next_cursor=encode_cursor(*end) if end else None,
    )


@router.get(
    "/users/{user_id}/role", response_model=RoleItem, responses=documented(UserNotFound, AmbiguousUser)
)
async def read_role(
    user_id: str, caller: TenantAdmin, roles: AdminRolesDep, tenant_id: Tenant = None
) -> RoleItem:
    """Say which roles a user holds, and why."""
    return RoleItem.of(await roles.of(user_id, administered(caller, tenant_id)))


@router.post(
    "/users/{user_id}/role",
    status_code=204,
    responses=documented(UserNotFound, AmbiguousUser, HigherRole, LastSuperAdmin),
)
async def grant_role(
    user_id: str, body: RoleGrant, caller: TenantManager, roles: AdminRolesDep, tenant_id: Tenant = None
) -> None:
    """Grant a role, in place of one granted before. A tenant_admin appoints tenant_admins of its own tenant."""
    await roles.grant(caller, user_id, administered(caller, tenant_id), AdminRole(body.role))


@router.delete(
    "/users/{user_id}/role",
    status_code=204,
    responses=documented(UserNotFound, AmbiguousUser, HigherRole, RoleFromGroup, LastSuperAdmin),
)
async def revoke_role(
    user_id: str, caller: TenantManager, roles: AdminRolesDep, tenant_id: Tenant = None
) -> None:
    """Revoke the role that was granted; one that a group gives stays."""
    await roles.revoke(caller, user_id, administered(caller, tenant_id))


def _user_page(rows: Sequence[User], end: ById | None) -> UserPage:
    return UserPage(
        users=[UserItem.of(row) for row in rows], next_cursor=encode_cursor(*end) if end else None
    )


def _by_id(cursor: str | None) -> ById | None:
    if cursor is None:
        return None
    parts = decode_cursor(cursor, 2)
    if parts is None:
        raise InvalidCursor
    return parts[0], parts[1]
