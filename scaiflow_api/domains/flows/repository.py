"""Questions about flows, as SQL. Every one names the tenants that it may reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope, reads_of
from scaiflow_api.db.base import UTCDateTime
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion

# The question of nearly every request; building it anew each time takes longer than the database does.
_FIND = select(Flow).where(Flow.id == bindparam("flow_id"), Flow.deleted_at.is_(None))
_FIND_IN_TENANT = _FIND.where(Flow.tenant_id == bindparam("tenant_id"))


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    updated_at: datetime
    flow_id: str


class FlowRepository:
    """Rows of flows within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, flow_id: str, tenants: TenantScope) -> Flow | None:
        """Return a flow that is not deleted."""
        if tenants is ALL:
            return await self._session.scalar(_FIND, {"flow_id": flow_id})
        return await self._session.scalar(_FIND_IN_TENANT, {"flow_id": flow_id, "tenant_id": tenants})

    async def granted(self, flow: Flow, caller: Caller) -> list[Level]:
        """Return the levels granted to the caller, by name or through a group."""
        labels = await self._session.scalars(
            select(FlowAcl.level).where(FlowAcl.flow_id == flow.id, _granted_to(caller))
        )
        return [Level[label.upper()] for label in labels]

    async def page(
        self, caller: Caller, *, search: str | None, after: Position | None, size: int
    ) -> Sequence[Flow]:
        """Return up to `size` + 1 visible flows, newest change first; the extra one tells of a next page."""
        rows = _visible(caller, search).order_by(Flow.updated_at.desc(), Flow.id.desc()).limit(size + 1)
        if after is not None:
            rows = rows.where(
                tuple_(Flow.updated_at, Flow.id)
                < tuple_(literal(after.updated_at, UTCDateTime), literal(after.flow_id))
            )
        return (await self._session.scalars(rows)).all()

    async def count(self, caller: Caller, *, search: str | None) -> int:
        """Return how many flows `page` would list in all."""
        counted = select(func.count()).select_from(_visible(caller, search).subquery())
        return await self._session.scalar(counted) or 0

    async def change(self, seen: Flow, *, same: Sequence[str] = (), **values: object) -> bool:
        """Change a row that still has the values that were `seen` in the columns `same`; tells whether it did."""
        changed = await self._session.execute(
            update(Flow)
            .where(
                Flow.id == seen.id,
                Flow.tenant_id == seen.tenant_id,
                Flow.deleted_at.is_(None),
                *(getattr(Flow, column) == getattr(seen, column) for column in same),
            )
            .values(revision=Flow.revision + 1, **values)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(changed, CursorResult)
        return changed.rowcount == 1

    async def versions(self, flow: Flow) -> Sequence[FlowVersion]:
        """Return the versions of a flow, in no order."""
        return (await self._session.scalars(select(FlowVersion).where(FlowVersion.flow_id == flow.id))).all()

    async def find_version(self, flow: Flow, version: str) -> FlowVersion | None:
        return await self._session.get(FlowVersion, (flow.id, version))


def _visible(caller: Caller, search: str | None) -> Select[Flow]:
    """The only place that decides which flows a list may show."""
    tenants = reads_of(caller)
    rows = select(Flow).where(Flow.deleted_at.is_(None))
    if tenants is not ALL:
        rows = rows.where(Flow.tenant_id == tenants)
        if not caller.is_tenant_admin:
            granted = select(FlowAcl.flow_id).where(_granted_to(caller))
            rows = rows.where(or_(Flow.owner_id == caller.subject, Flow.id.in_(granted)))
    return rows.where(Flow.name.icontains(search, autoescape=True)) if search else rows


def _granted_to(caller: Caller) -> ColumnElement[bool]:
    by_name = and_(FlowAcl.principal_type == "user", FlowAcl.principal_id == caller.subject)
    if not caller.groups:
        return by_name
    return or_(
        by_name, and_(FlowAcl.principal_type == "group", FlowAcl.principal_id.in_(sorted(caller.groups)))
    )
