"""Questions of administrators, as SQL. Every one names the tenants that it may reach."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from scaiflow_api.auth.tenancy import ALL, TenantScope
from scaiflow_api.db.base import UTCDateTime
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.domains.flows.listing import Position


class AdminRepository:
    """Rows of people, groups and flows within one transaction. Each page holds one row more, if there is one."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def users(
        self, tenants: TenantScope, *, search: str | None, after: tuple[str, str] | None, size: int
    ) -> Sequence[User]:
        """Return users by tenant and id, deleted ones too."""
        rows = select(User).where(*_within(User.tenant_id, tenants), *_after(User, after))
        if search:
            found = (User.id, User.email, User.display_name)
            rows = rows.where(or_(*(column.icontains(search, autoescape=True) for column in found)))
        rows = rows.order_by(User.tenant_id, User.id).limit(size + 1)
        return (await self._session.scalars(rows)).all()

    async def groups(
        self, tenants: TenantScope, *, after: tuple[str, str] | None, size: int
    ) -> Sequence[tuple[Group, int]]:
        """Return groups by tenant and id, deleted ones too, each with the number of its members."""
        members = (
            select(func.count())
            .where(
                Membership.tenant_id == Group.tenant_id,
                Membership.group_id == Group.id,
                Membership.deleted_at.is_(None),
            )
            .scalar_subquery()
        )
        rows = select(Group, members).where(*_within(Group.tenant_id, tenants), *_after(Group, after))
        found = await self._session.execute(rows.order_by(Group.tenant_id, Group.id).limit(size + 1))
        return [(group, count) for group, count in found]

    async def flows(
        self, tenant_id: str, *, deleted: bool, after: Position | None, size: int
    ) -> Sequence[Flow]:
        """Return a tenant's flows, newest change first; with `deleted` also those."""
        rows = select(Flow).where(Flow.tenant_id == tenant_id)
        if not deleted:
            rows = rows.where(Flow.deleted_at.is_(None))
        if after is not None:
            end = tuple_(literal(after.key, UTCDateTime), literal(after.flow_id))
            rows = rows.where(tuple_(Flow.updated_at, Flow.id) < end)
        rows = rows.order_by(Flow.updated_at.desc(), Flow.id.desc()).limit(size + 1)
        return (await self._session.scalars(rows)).all()

    async def named(self, user_id: str, tenants: TenantScope) -> Sequence[User]:
        """Return the users of this id: at most one of each tenant."""
        rows = select(User).where(User.id == user_id, *_within(User.tenant_id, tenants))
        return (await self._session.scalars(rows.order_by(User.tenant_id))).all()

    async def lock(self, user: User) -> User | None:
        """Return the user as it is now, ours to change until the transaction ends."""
        return await self._session.scalar(
            select(User).where(User.tenant_id == user.tenant_id, User.id == user.id).with_for_update()
        )


def _within(column: InstrumentedAttribute[str], tenants: TenantScope) -> list[ColumnElement[bool]]:
    return [] if tenants is ALL else [column == tenants]


def _after(table: type[User | Group], position: tuple[str, str] | None) -> list[ColumnElement[bool]]:
    if position is None:
        return []
    tenant_id, row_id = position
    return [tuple_(table.tenant_id, table.id) > tuple_(literal(tenant_id), literal(row_id))]
