"""Questions about flows, as SQL. Every one names the tenants that it may reach."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    CursorResult,
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope, reads_of
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion
from scaiflow_api.domains.flows.listing import Order, Position, Wanted

# The question of nearly every request; building it anew each time takes longer than the database does.
_FIND = select(Flow).where(Flow.id == bindparam("flow_id"), Flow.deleted_at.is_(None))
_FIND_IN_TENANT = _FIND.where(Flow.tenant_id == bindparam("tenant_id"))
_DIGEST = select(FlowVersion.sha256).where(
    FlowVersion.flow_id == bindparam("flow_id"), FlowVersion.version == bindparam("version")
)


class FlowRepository:
    """Rows of flows within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, flow_id: str, tenants: TenantScope) -> Flow | None:
        """Return a flow that is not deleted."""
        if tenants is ALL:
            return await self._session.scalar(_FIND, {"flow_id": flow_id})
        return await self._session.scalar(_FIND_IN_TENANT, {"flow_id": flow_id, "tenant_id": tenants})

    async def find_deleted(self, flow_id: str, tenants: TenantScope) -> Flow | None:
        """Return a flow that is deleted."""
        rows = select(Flow).where(Flow.id == flow_id, Flow.deleted_at.is_not(None))
        return await self._session.scalar(rows if tenants is ALL else rows.where(Flow.tenant_id == tenants))

    async def lock(self, seen: Flow) -> Flow | None:
        """Return the row as it is, and keep it so until the transaction ends; None: the flow is deleted."""
        rows = select(Flow).where(
            Flow.id == seen.id, Flow.tenant_id == seen.tenant_id, Flow.deleted_at.is_(None)
        )
        return await self._session.scalar(rows.with_for_update())

    async def reread(self, seen: Flow) -> Flow:
        """Return the row as it is now, deleted or not; rows of flows stay for ever."""
        rows = select(Flow).where(Flow.id == seen.id, Flow.tenant_id == seen.tenant_id)
        return (await self._session.scalars(rows.execution_options(populate_existing=True))).one()

    async def granted(self, flow: Flow, caller: Caller) -> list[Level]:
        """Return the levels granted to the caller, by name or through a group."""
        labels = await self._session.scalars(
            select(FlowAcl.level).where(FlowAcl.flow_id == flow.id, or_(*_grants_to(caller)))
        )
        return [Level[label.upper()] for label in labels]

    async def page(
        self, caller: Caller, wanted: Wanted, order: Order, *, after: Position | None, size: int
    ) -> list[tuple[Flow, Position]]:
        """Return up to `size` + 1 visible flows with their places; the extra one tells of a next page."""
        key, falling = _sorted_by(order), order.direction == "desc"
        rows = _visible(caller, wanted).add_columns(key.label("sort_key")).limit(size + 1)
        rows = rows.order_by(*((key.desc(), Flow.id.desc()) if falling else (key, Flow.id)))
        if after is not None:
            here, end = tuple_(key, Flow.id), tuple_(literal(after.key, key.type), literal(after.flow_id))
            rows = rows.where(here < end if falling else here > end)
        found = await self._session.execute(rows)
        return [(flow, Position(sort_key, flow.id)) for flow, sort_key in found]

    async def count(self, caller: Caller, wanted: Wanted) -> int:
        """Return how many flows `page` would list in all."""
        counted = select(func.count()).select_from(_visible(caller, wanted).subquery())
        return await self._session.scalar(counted) or 0

    async def change(self, seen: Flow, *, same: Sequence[str] = (), **values: object) -> bool:
        """Change a row that still has the values that were `seen` in the columns `same`; tells whether it did."""
        return await self._update(seen, Flow.deleted_at.is_(None), same, values)

    async def undelete(self, seen: Flow, now: datetime) -> bool:
        """Bring a deleted flow back, unless its row changed since it was `seen`; tells whether it did."""
        values = {"deleted_at": None, "updated_at": now}
        return await self._update(seen, Flow.deleted_at.is_not(None), ("revision",), values)

    async def give(self, flow: Flow, new_owner: str, *, granted_by: str, acl_id: str, now: datetime) -> None:
        """Turn the grants around after `flow` changed hands: admin for who owned it, none for who owns it now.

        Raises IntegrityError when somebody else grants the old owner something at the same moment.
        """
        by_name = (FlowAcl.flow_id == flow.id, FlowAcl.principal_type == "user")
        await self._session.execute(
            delete(FlowAcl).where(*by_name, FlowAcl.principal_id.in_((flow.owner_id, new_owner)))
        )
        self._session.add(
            FlowAcl(
                id=acl_id,
                flow_id=flow.id,
                principal_type="user",
                principal_id=flow.owner_id,
                level=Level.ADMIN.label,
                granted_by=granted_by,
                granted_at=now,
            )
        )
        await self._session.flush()

    async def versions(self, flow: Flow) -> Sequence[FlowVersion]:
        """Return the versions of a flow, in no order."""
        return (await self._session.scalars(select(FlowVersion).where(FlowVersion.flow_id == flow.id))).all()

    async def digest(self, flow: Flow) -> str | None:
        """Return the SHA-256 of the document of the flow's version, as it was seen."""
        return await self._session.scalar(_DIGEST, {"flow_id": flow.id, "version": flow.version})

    async def find_version(self, flow: Flow, version: str) -> FlowVersion | None:
        return await self._session.get(FlowVersion, (flow.id, version))

    async def _update(
        self, seen: Flow, state: ColumnElement[bool], same: Sequence[str], values: Mapping[str, object]
    ) -> bool:
        changed = await self._session.execute(
            update(Flow)
            .where(
                Flow.id == seen.id,
                Flow.tenant_id == seen.tenant_id,
                state,
                *(getattr(Flow, column) == getattr(seen, column) for column in same),
            )
            .values(revision=Flow.revision + 1, **values)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(changed, CursorResult)
        return changed.rowcount == 1


def _visible(caller: Caller, wanted: Wanted) -> Select[Flow]:
    """The only place that decides which flows a list may show."""
    tenants = reads_of(caller)
    rows = select(Flow).where(Flow.deleted_at.is_not(None) if wanted.deleted else Flow.deleted_at.is_(None))
    if tenants is not ALL:
        rows = rows.where(Flow.tenant_id == tenants)
        if not caller.is_tenant_admin:
            reachable = _reachable(caller, tenants, wanted).subquery()
            rows = rows.join(reachable, reachable.c.id == Flow.id)
    if wanted.owner is not None:
        rows = rows.where(Flow.owner_id == wanted.owner)
    return rows.where(Flow.name.icontains(wanted.search, autoescape=True)) if wanted.search else rows


def _sorted_by(order: Order) -> ColumnElement[datetime] | ColumnElement[str]:
    if order.key == "name":
        return func.lower(Flow.name)
    return Flow.updated_at.expression if order.key == "updated_at" else Flow.created_at.expression


def _reachable(caller: Caller, tenant_id: str, wanted: Wanted) -> CompoundSelect[str]:
    """The flows that a caller owns or was granted, each once.

    To be joined: of the condition `owner = … OR id IN (…)` PostgreSQL and MariaDB make a walk through all flows of
    the tenant (docs/adr/0007).
    """
    level = [FlowAcl.level == Level.ADMIN.label] if wanted.deleted else []
    return union(
        select(Flow.id).where(Flow.tenant_id == tenant_id, Flow.owner_id == caller.subject),
        *(select(FlowAcl.flow_id).where(grants, *level) for grants in _grants_to(caller)),
    )


def _grants_to(caller: Caller) -> list[ColumnElement[bool]]:
    """The grants to the caller by name, and those to the caller's groups."""
    by_name = and_(FlowAcl.principal_type == "user", FlowAcl.principal_id == caller.subject)
    if not caller.groups:
        return [by_name]
    groups = sorted(caller.groups)
    return [by_name, and_(FlowAcl.principal_type == "group", FlowAcl.principal_id.in_(groups))]
