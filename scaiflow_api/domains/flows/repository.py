"""Questions about flows, as SQL. Every one names the tenants that it may reach."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion, name_key
from scaiflow_api.domains.flows.listing import Order, Position, Wanted
from scaiflow_api.domains.flows.naming import renaming
from scaiflow_api.domains.flows.visible import FEW, FIELDS, Shape, count_of, page_of, values_after, values_of

# The question of nearly every request; building it anew each time takes longer than the database does.
_FIND = select(Flow).where(Flow.id == bindparam("flow_id"), Flow.deleted_at.is_(None))
_FIND_IN_TENANT = _FIND.where(Flow.tenant_id == bindparam("tenant_id"))
_REREAD = (
    select(Flow, FlowVersion.sha256)
    .outerjoin(FlowVersion, and_(FlowVersion.flow_id == Flow.id, FlowVersion.version == bindparam("version")))
    .where(Flow.id == bindparam("flow_id"), Flow.tenant_id == bindparam("tenant_id"))
    .execution_options(populate_existing=True)
)
# As tables: rows of mapped classes take longer to write.
_FLOWS = cast("Table", Flow.__table__)
_VERSIONS = cast("Table", FlowVersion.__table__)
_ADD, _ADD_VERSION = insert(_FLOWS), insert(_VERSIONS)
_NAMED = (
    select(_FLOWS.c.name_key, _FLOWS.c.deleted_at)
    .where(_FLOWS.c.id == bindparam("flow_id"), _FLOWS.c.tenant_id == bindparam("tenant_id"))
    .with_for_update()
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

    async def reread(self, seen: Flow) -> tuple[Flow, str | None]:
        """Return the row as it is now, deleted or not, and the SHA-256 of the document that it named when `seen`.

        Rows of flows stay for ever.
        """
        values = {"flow_id": seen.id, "tenant_id": seen.tenant_id, "version": seen.version}
        flow, digest = (await self._session.execute(_REREAD, values)).one()
        return flow, digest

    async def granted(self, flow: Flow, caller: Caller) -> list[Level]:
        """Return the levels granted to the caller, by name or through a group."""
        labels = await self._session.scalars(
            select(FlowAcl.level).where(FlowAcl.flow_id == flow.id, or_(*_grants_to(caller)))
        )
        return [Level[label.upper()] for label in labels]

    async def page(
        self, caller: Caller, wanted: Wanted, order: Order, *, after: Position | None, size: int
    ) -> tuple[list[dict[str, Any]], int, Position | None]:
        """Return up to `size` visible flows, how many there are, and where the page ended if there is another."""
        shape, values = Shape.of(caller, wanted), values_of(caller, wanted)
        total = None
        if shape.by_tails:
            total = await self._session.scalar(count_of(shape), values) or 0
            shape = shape._replace(few=total <= FEW)
        here = values_after(after) if after else {}
        asked = page_of(shape, order, after=after is not None)
        rows = (await self._session.execute(asked, {**values, **here, "size": size + 1})).all()
        if shape.counts and (rows or after is None):
            total = rows[0].total if rows else 0
        if total is None:
            total = await self._session.scalar(count_of(shape), values) or 0
        end = Position(rows[size - 1].key, rows[size - 1].id) if len(rows) > size else None
        return [dict(zip(FIELDS, row, strict=False)) for row in rows[:size]], total, end

    async def add(self, flow: Flow) -> None:
        """Write the row of a new flow."""
        await self._session.execute(_ADD, _row(flow, _FLOWS))
        await self._find_by(flow, None, flow.name_key)

    async def add_version(self, version: FlowVersion) -> None:
        """Write the row of a new version of a flow that has a row."""
        await self._session.execute(_ADD_VERSION, _row(version, _VERSIONS))

    async def change(self, seen: Flow, *, same: Sequence[str] = (), **values: object) -> bool:
        """Change a row that still has the values that were `seen` in the columns `same`; tells whether it did."""
        return await self._update(seen, same, values)

    async def undelete(self, seen: Flow, now: datetime) -> bool:
        """Bring a deleted flow back, unless its row changed since it was `seen`; tells whether it did."""
        values = {"deleted_at": None, "updated_at": now}
        return await self._update(seen, ("revision",), values, deleted=True)

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

    async def find_version(self, flow: Flow, version: str) -> FlowVersion | None:
        return await self._session.get(FlowVersion, (flow.id, version))

    async def _update(
        self, seen: Flow, same: Sequence[str], values: Mapping[str, object], *, deleted: bool = False
    ) -> bool:
        if "name" in values:
            values = {**values, "name_key": name_key(str(values["name"]))}
        found = None
        if "name" in values or "deleted_at" in values:
            key = {"flow_id": seen.id, "tenant_id": seen.tenant_id}
            found = (await self._session.execute(_NAMED, key)).one()
        was = {f"seen_{column}": getattr(seen, column) for column in ("id", "tenant_id", *same)}
        changed = await self._session.execute(_change_of(tuple(same), deleted), {**was, **values})
        assert isinstance(changed, CursorResult)
        if changed.rowcount != 1:
            return False
        if found is not None:
            old = found.name_key if found.deleted_at is None else None
            new = str(values.get("name_key", found.name_key))
            gone = values.get("deleted_at", found.deleted_at) is not None
            await self._find_by(seen, old, None if gone else new)
        return True

    async def _find_by(self, flow: Flow, old: str | None, new: str | None) -> None:
        for statement, rows in renaming(flow, old, new):
            await self._session.execute(statement, rows)


@cache
def _change_of(same: tuple[str, ...], deleted: bool) -> Update:
    """Return the statement that sets the columns named in its values where those in `same` are as they were seen."""
    columns = _FLOWS.c
    state = columns.deleted_at.is_not(None) if deleted else columns.deleted_at.is_(None)
    was = (columns[name] == bindparam(f"seen_{name}") for name in ("id", "tenant_id", *same))
    return update(_FLOWS).where(*was, state).values(revision=columns.revision + 1)


def _row(entity: Flow | FlowVersion, table: Table) -> dict[str, Any]:
    return {column.name: getattr(entity, column.name) for column in table.columns}


def _grants_to(caller: Caller) -> list[ColumnElement[bool]]:
    """The grants to the caller by name, and those to the caller's groups."""
    by_name = and_(FlowAcl.principal_type == "user", FlowAcl.principal_id == caller.subject)
    if not caller.groups:
        return [by_name]
    groups = sorted(caller.groups)
    return [by_name, and_(FlowAcl.principal_type == "group", FlowAcl.principal_id.in_(groups))]
