"""Single rows of flows, through the connection of one `ask` or one transaction. Each question names its tenants."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, or_, select, update

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, TenantScope
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion, name_key
from scaiflow_api.db.prepared import Prepared
from scaiflow_api.domains.flows.naming import renaming

_FLOWS = cast("Table", Flow.__table__)
_VERSIONS = cast("Table", FlowVersion.__table__)
_ACLS = cast("Table", FlowAcl.__table__)

_ADD, _ADD_VERSION = Prepared(insert(_FLOWS)), Prepared(insert(_VERSIONS))
_ANY = select(_FLOWS).where(_FLOWS.c.id == bindparam("flow_id"))
_OF_TENANT = _ANY.where(_FLOWS.c.tenant_id == bindparam("tenant_id"))
_THERE, _DELETED = _FLOWS.c.deleted_at.is_(None), _FLOWS.c.deleted_at.is_not(None)
_FIND, _FIND_ANYWHERE = Prepared(_OF_TENANT.where(_THERE)), Prepared(_ANY.where(_THERE))
_FIND_DELETED, _FIND_DELETED_ANYWHERE = Prepared(_OF_TENANT.where(_DELETED)), Prepared(_ANY.where(_DELETED))
_LOCK = Prepared(_OF_TENANT.where(_THERE).with_for_update())
_REREAD = Prepared(_OF_TENANT)
_DIGEST = Prepared(
    select(_VERSIONS.c.sha256).where(
        _VERSIONS.c.flow_id == bindparam("flow_id"), _VERSIONS.c.version == bindparam("version")
    )
)


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

    def digest(self, flow: Flow) -> str | None:
        """Return the SHA-256 of the document that the row names."""
        found = _DIGEST.first(self._connection, {"flow_id": flow.id, "version": flow.version})
        return found["sha256"] if found else None

    def granted(self, flow: Flow, caller: Caller) -> list[Level]:
        """Return the levels granted to the caller, by name or through a group."""
        grants = _ACLS.c
        to = and_(grants.principal_type == "user", grants.principal_id == caller.subject)
        if caller.groups:
            groups = sorted(caller.groups)
            to = or_(to, and_(grants.principal_type == "group", grants.principal_id.in_(groups)))
        labels = self._connection.scalars(select(grants.level).where(grants.flow_id == flow.id, to))
        return [Level[label.upper()] for label in labels]

    def add(self, flow: Flow) -> None:
        """Write the row of a new flow."""
        _ADD.run(self._connection, _values(flow, _FLOWS))
        self._rename(flow, None)

    def add_version(self, version: FlowVersion) -> None:
        """Write the row of a new version of a flow that has a row."""
        _ADD_VERSION.run(self._connection, _values(version, _VERSIONS))

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
        return Flow(**row) if row else None

    def _change(self, seen: Flow, values: dict[str, object], *, deleted: bool) -> Flow | None:
        if "name" in values:
            values = {**values, "name_key": name_key(str(values["name"]))}
        was = {"seen_id": seen.id, "seen_tenant_id": seen.tenant_id, "seen_revision": seen.revision}
        changed = _change_of(tuple(values), deleted).run(self._connection, {**was, **values})
        if changed.rowcount != 1:
            return None
        flow = Flow(**{**_values(seen, _FLOWS), **values, "revision": seen.revision + 1})
        self._rename(flow, _found_by(seen))
        return flow

    def _rename(self, flow: Flow, old: str | None) -> None:
        if (new := _found_by(flow)) != old:
            for statement, rows in renaming(flow, old, new):
                statement.run_all(self._connection, rows)


def _found_by(flow: Flow) -> str | None:
    return flow.name_key if flow.deleted_at is None else None


@cache
def _change_of(columns: Sequence[str], deleted: bool) -> Prepared:
    """Return the statement that sets these columns of a row that is as it was seen."""
    row = _FLOWS.c
    return Prepared(
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
