"""Views of administrators: a tenant admin sees its own tenant, a super admin any."""

from collections.abc import Sequence

from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole
from scaiflow_api.auth.tenancy import TenantScope, reads_of
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.models.group import Group
from scaiflow_api.db.models.user import User
from scaiflow_api.db.session import Database
from scaiflow_api.domains.admin.repository import AdminRepository
from scaiflow_api.domains.flows.listing import Position

ById = tuple[str, str]
"""Where a page by tenant and id ended."""


class AdminViews:
    """Pages of people, groups and flows. Each method returns a page and where the next one begins."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def users(
        self, tenants: TenantScope, *, search: str | None, after: ById | None, size: int
    ) -> tuple[Sequence[User], ById | None]:
        async with self._db.read() as session:
            rows = await AdminRepository(session).users(tenants, search=search, after=after, size=size)
        page = rows[:size]
        return page, (page[-1].tenant_id, page[-1].id) if len(rows) > size else None

    async def groups(
        self, tenants: TenantScope, *, after: ById | None, size: int
    ) -> tuple[Sequence[tuple[Group, int]], ById | None]:
        """Return groups with the number of their members."""
        async with self._db.read() as session:
            rows = await AdminRepository(session).groups(tenants, after=after, size=size)
        page = rows[:size]
        last = page[-1][0] if len(rows) > size else None
        return page, (last.tenant_id, last.id) if last else None

    async def flows(
        self, tenant_id: str, *, deleted: bool, after: Position | None, size: int
    ) -> tuple[Sequence[Flow], Position | None]:
        async with self._db.read() as session:
            rows = await AdminRepository(session).flows(tenant_id, deleted=deleted, after=after, size=size)
        page = rows[:size]
        return page, Position(page[-1].updated_at, page[-1].id) if len(rows) > size else None


def administered(caller: Caller, tenant_id: str | None) -> TenantScope:
    """Return what an administrator's question reaches: all it administers, or the tenant it names.

    Raises InsufficientRole where a tenant admin names another tenant.
    """
    if tenant_id is None:
        return reads_of(caller)
    return one_tenant(caller, tenant_id)


def one_tenant(caller: Caller, tenant_id: str | None) -> str:
    """Return the tenant that an administrator names, or its own. Raises InsufficientRole like `administered`."""
    if tenant_id is None or tenant_id == caller.tenant_id:
        return caller.tenant_id
    if not caller.is_super_admin:
        raise InsufficientRole(needed=AdminRole.SUPER_ADMIN.value)
    return tenant_id
