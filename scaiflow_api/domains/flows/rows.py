"""Single rows of flows, through the connection of one `ask` or one transaction. Each question names its tenants."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Table, Update, and_, bindparam, delete, exists, insert, or_, select, update

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion, name_key
from scaiflow_api.db.prepared import Prepared, entity
from scaiflow_api.domains.flows.naming import renaming

_FLOWS = cast("Table", Flow.__table__)
_VERSIONS = cast("Table", FlowVersion.__table__)
_ACLS = cast("Table", FlowAcl.__table__)

_VERSION = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in _VERSIONS.columns}
_ADD, _ADD_VERSION = insert(_FLOWS), insert(_VERSIONS).values(_VERSION)
_ANY = select(_FLOWS).where(_FLOWS.c.id == bindparam("flow_id"))
_OF_TENANT = _ANY.where(_FLOWS.c.tenant_id == bindparam("tenant_id"))
_THERE, _DELETED = _FLOWS.c.deleted_at.is_(None), _FLOWS.c.deleted_at.is_not(None)
_FIND, _FIND_ANYWHERE = Prepared(_OF_TENANT.where(_THERE)), Prepared(_ANY.where(_THERE))
_FIND_DELETED, _FIND_DELETED_ANYWHERE = Prepared(_OF_TENANT.where(_DELETED)), Prepared(_ANY.where(_DELETED))
_LOCK = Prepared(_OF_TENANT.where(_THERE).with_for_update())
_REREAD = Prepared(_OF_TENANT)
_DIGEST = select(_VERSIONS.c.sha256).where(
    _VERSIONS.c.flow_id == bindparam("seen_id"), _VERSIONS.c.version == bindparam("seen_version")
)
_BESIDE = select(
    _DIGEST.scalar_subquery().label("before"),
    exists().where(SyncDocument.flow_id == bindparam("seen_id")).label("drafted"),
)


class Moved(NamedTuple):
    """A flow that names a new version."""

    flow: Flow
    before: str | None
    """The SHA-256 of the document that it named until now."""
    drafted: bool
    """Whether it has a draft, which lacks the new version."""


class FlowRows:
    """Rows of flows; what is returned are plain values."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, flow_id: str, tenants: TenantScope) -> Flow | None:
        """Return a flow that is not deleted."""
        return self._one(_FIND_ANYWHERE if tenants is ALL else _FIND, flow_id, tenants)

    def find_deleted(self, flow_id: str, tenants: TenantScope) -> Flow | None:
        """Return a flow that is deleted."""
        return self._one(_FIND_DELETED_ANYWHERE if tenants is ALL else _FIND_DELETED, flow_id, tenants)

    def lock(self, seen: Flow) -> Flow | None:
        """Return the row as it is, and keep it so until the transaction ends; None: the flow is deleted."""
        return self._one(_LOCK, seen.id, seen.tenant_id)

    def reread(self, seen: Flow) -> Flow:
        """Return the row as it is now, deleted or not. Rows of flows stay for ever."""
        flow = self._one(_REREAD, seen.id, seen.tenant_id)
        assert flow is not None
        return flow

    def granted(self, flow: Flow, caller: Caller) -> list[Level]:
        """Return the levels granted to the caller, by name or through a group."""
        grants = _ACLS.c
        to = and_(grants.principal_type == "user", grants.principal_id == caller.subject)
        if caller.groups:
            groups = sorted(caller.groups)
            to = or_(to, and_(grants.principal_type == "group", grants.principal_id.in_(groups)))
        labels = self._connection.scalars(select(grants.level).where(grants.flow_id == flow.id, to))
        return [Level[label.upper()] for label in labels]

    def add(self, flow: Flow, version: FlowVersion) -> None:
        """Write the row of a new flow, and that of its version."""
        values = {**_values(flow, _FLOWS), **_of_version(version)}
        for statement in _adding(self._connection.dialect.name):
            statement.run(self._connection, values)
        self._rename(flow, None)

    def move(self, seen: Flow, version: FlowVersion, **values: object) -> Moved | None:
        """Change a row so that it names a new version, whose row is written too; None: as `change`."""
        values = _with_key({**values, "version": version.version})
        given = {**_was(seen), **values, **_of_version(version)}
        *first, last = _moving(self._connection.dialect.name, tuple(values))
        for statement in first:
            if statement.run(self._connection, given).rowcount != 1:
                return None
        beside = last.first(self._connection, given)
        return Moved(self._changed(seen, values), beside["before"], beside["drafted"]) if beside else None

    def change(self, seen: Flow, **values: object) -> Flow | None:
        """Change a row and return it; None: somebody changed it since it was `seen`, or deleted it."""
        return self._change(seen, values, deleted=False)

    def undelete(self, seen: Flow, now: datetime) -> Flow | None:
        """Bring a deleted flow back and return it; None: its row changed since it was `seen`."""
        return self._change(seen, {"deleted_at": None, "updated_at": now}, deleted=True)

    def give(self, flow: Flow, new_owner: str, *, granted_by: str, acl_id: str, now: datetime) -> None:
        """Turn the grants around after `flow` changed hands: admin for who owned it, none for who owns it now.

        Raises IntegrityError when somebody else grants the old owner something at the same moment.
        """
        grants = _ACLS.c
        by_name = (grants.flow_id == flow.id, grants.principal_type == "user")
        self._connection.execute(
            delete(_ACLS).where(*by_name, grants.principal_id.in_((flow.owner_id, new_owner)))
        )
        self._connection.execute(
            insert(_ACLS).values(
                id=acl_id,
                flow_id=flow.id,
                principal_type="user",
                principal_id=flow.owner_id,
                level=Level.ADMIN.label,
                granted_by=granted_by,
                granted_at=now,
            )
        )

    def _one(self, asked: Prepared, flow_id: str, tenants: TenantScope) -> Flow | None:
        row = asked.first(self._connection, {"flow_id": flow_id, "tenant_id": tenants})
        return entity(Flow, row) if row else None

    def _change(self, seen: Flow, values: dict[str, object], *, deleted: bool) -> Flow | None:
        values = _with_key(values)
        changed = _change_of(tuple(values), deleted).run(self._connection, {**_was(seen), **values})
        return self._changed(seen, values) if changed.rowcount == 1 else None

    def _changed(self, seen: Flow, values: dict[str, object]) -> Flow:
        flow = entity(Flow, {**_values(seen, _FLOWS), **values, "revision": seen.revision + 1})
        self._rename(flow, _found_by(seen))
        return flow

    def _rename(self, flow: Flow, old: str | None) -> None:
        if (new := _found_by(flow)) != old:
            for statement, rows in renaming(flow, old, new, self._connection.dialect.name):
                statement.run_all(self._connection, rows)


def _found_by(flow: Flow) -> str | None:
    return flow.name_key if flow.deleted_at is None else None


def _with_key(values: dict[str, object]) -> dict[str, object]:
    return {**values, "name_key": name_key(str(values["name"]))} if "name" in values else values


def _was(seen: Flow) -> dict[str, object]:
    return {
        "seen_id": seen.id,
        "seen_tenant_id": seen.tenant_id,
        "seen_revision": seen.revision,
        "seen_version": seen.version,
    }


@cache
def _adding(dialect: str) -> tuple[Prepared, ...]:
    """Return what writes a flow and its version: one statement where one can change two tables."""
    if dialect == "postgresql":
        return (Prepared(_ADD_VERSION.add_cte(_ADD.cte("flow"))),)
    return Prepared(_ADD), Prepared(_ADD_VERSION)


@cache
def _moving(dialect: str, columns: Sequence[str]) -> tuple[Prepared, ...]:
    """Return what sets these columns, writes a version and tells what is beside, likewise.

    All but the last change one row, or find none that is as it was seen; the last answers with no row then.
    """
    change = _changing(columns, deleted=False)
    if dialect != "postgresql":
        return Prepared(change), Prepared(_ADD_VERSION), Prepared(_BESIDE)
    moved = change.returning(_FLOWS.c.id).cte("moved")
    row = select(*_VERSION.values()).select_from(moved)
    added = insert(_VERSIONS).from_select([*_VERSION], row).cte("added")
    return (Prepared(_BESIDE.select_from(moved).add_cte(added)),)


@cache
def _change_of(columns: Sequence[str], deleted: bool) -> Prepared:
    return Prepared(_changing(columns, deleted=deleted))


def _changing(columns: Sequence[str], *, deleted: bool) -> Update:
    """Return the statement that sets these columns of a row that is as it was seen."""
    row = _FLOWS.c
    return (
        update(_FLOWS)
        .where(
            row.id == bindparam("seen_id"),
            row.tenant_id == bindparam("seen_tenant_id"),
            row.revision == bindparam("seen_revision"),
            _DELETED if deleted else _THERE,
        )
        .values(revision=row.revision + 1, **{name: bindparam(name) for name in columns})
    )


def _values(entity: Flow | FlowVersion, table: Table) -> dict[str, Any]:
    return {column.name: getattr(entity, column.name) for column in table.columns}


def _of_version(version: FlowVersion) -> dict[str, Any]:
    return {f"new_{name}": getattr(version, name) for name in _VERSION}
