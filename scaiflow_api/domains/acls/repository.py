"""Questions about grants, as SQL. A grant belongs to its flow's tenant, and so do the principals it names."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.models.flow import Flow, FlowAcl
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import ACTIVE

Principal: TypeAlias = tuple[str, str]
"""The id of a tenant and that of a user in it."""

_ACTIVE = (User.deleted_at.is_(None), User.status == ACTIVE)


class AclRepository:
    """Rows of grants within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, flow: Flow) -> Flow | None:
        """Return the flow as it is now, its grants ours to change until the transaction ends; None: deleted."""
        return await self._session.scalar(
            select(Flow)
            .where(Flow.id == flow.id, Flow.tenant_id == flow.tenant_id, Flow.deleted_at.is_(None))
            .with_for_update()
        )

    async def list(self, flow: Flow) -> Sequence[FlowAcl]:
        """Return the flow's grants, oldest first."""
        return (
            await self._session.scalars(
                select(FlowAcl).where(FlowAcl.flow_id == flow.id).order_by(FlowAcl.granted_at, FlowAcl.id)
            )
        ).all()

    async def find(self, flow: Flow, acl_id: str) -> FlowAcl | None:
        return await self._session.scalar(
            select(FlowAcl).where(FlowAcl.id == acl_id, FlowAcl.flow_id == flow.id)
        )

    async def grant_to(self, flow: Flow, principal_type: str, principal_id: str) -> FlowAcl | None:
        """Return the grant that a principal has already."""
        return await self._session.scalar(
            select(FlowAcl).where(
                FlowAcl.flow_id == flow.id,
                FlowAcl.principal_type == principal_type,
                FlowAcl.principal_id == principal_id,
            )
        )

    def add(self, granted: FlowAcl) -> None:
        self._session.add(granted)

    async def remove(self, granted: FlowAcl) -> None:
        await self._session.delete(granted)

    async def mirrored(self, tenant_id: str, principal_type: str, principal_id: str) -> str | None:
        """Return the id of a user or group of the tenant as the mirror writes it; None: unknown or deleted."""
        table = User if principal_type == "user" else Group
        return await self._session.scalar(
            select(table.id).where(
                table.tenant_id == tenant_id, table.id == principal_id, table.deleted_at.is_(None)
            )
        )

    async def has_way_in(self, flow: Flow, *, without: FlowAcl) -> bool:
        """Tell whether an active account of the flow's tenant holds `admin` on it by anything but one grant."""
        others = (FlowAcl.level == Level.ADMIN.label, FlowAcl.id != without.id)
        found = await self._session.scalar(
            select(User.id)
            .where(User.tenant_id == flow.tenant_id, *_ACTIVE, or_(*_let_in(flow, *others)))
            .limit(1)
        )
        return found is not None

    async def viewers(self, flow: Flow, principals: Collection[Principal]) -> set[Principal]:
        """Return which of some principals may view the flow now.

        Somebody of whom ScaiKey never told the mirror has groups that only their token knows: where any group was
        granted something, it may be theirs.
        """
        by_unknown_group = select(FlowAcl.id).where(
            FlowAcl.flow_id == flow.id, FlowAcl.principal_type == "group"
        )
        found = await self._session.execute(
            select(User.tenant_id, User.id).where(
                User.id.in_({user_id for _, user_id in principals}),
                *_ACTIVE,
                or_(
                    User.manual_role == AdminRole.SUPER_ADMIN.value,
                    User.group_role == AdminRole.SUPER_ADMIN.value,
                    and_(
                        User.tenant_id == flow.tenant_id,
                        or_(
                            *_let_in(flow),
                            and_(User.last_synced_at.is_(None), by_unknown_group.exists()),
                        ),
                    ),
                ),
            )
        )
        return set(principals) & {(tenant_id, user_id) for tenant_id, user_id in found}


def _let_in(flow: Flow, *grants: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """What lets a user of the flow's tenant in: owning it, a role, or one of the `grants`, by name or by group."""
    by_name = select(FlowAcl.principal_id).where(
        FlowAcl.flow_id == flow.id, FlowAcl.principal_type == "user", *grants
    )
    by_group = (
        select(Membership.user_id)
        .join(Group, (Group.tenant_id == Membership.tenant_id) & (Group.id == Membership.group_id))
        .join(FlowAcl, FlowAcl.principal_id == Membership.group_id)
        .where(
            FlowAcl.flow_id == flow.id,
            FlowAcl.principal_type == "group",
            Membership.tenant_id == flow.tenant_id,
            Membership.deleted_at.is_(None),
            Group.deleted_at.is_(None),
            *grants,
        )
    )
    return [
        User.id == flow.owner_id,
        User.manual_role.is_not(None),
        User.group_role.is_not(None),
        User.id.in_(by_name),
        User.id.in_(by_group),
    ]
