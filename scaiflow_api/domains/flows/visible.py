"""The statements of a list: which flows a caller may see, and how many, asked of the database.

They have few shapes, and their values are parameters: building one takes several times as long as SQLite needs to
answer it, so each shape is built once. Why they look as they do: docs/adr/0007.
"""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Integer,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
    type_coerce,
    union,
)

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.tenancy import ALL, reads_of
from scaiflow_api.db.base import UTCDateTime
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowCount, FlowNameTail, name_key
from scaiflow_api.db.name_counts import is_counted
from scaiflow_api.db.name_tails import range_of
from scaiflow_api.domains.flows.listing import Direction, Order, Position, SortKey, Wanted
from scaiflow_api.domains.flows.schemas import DeletedFlow

FIELDS: Final = tuple(DeletedFlow.model_fields)
"""What is read of each flow; behind it stand what the list is sorted by and, sometimes, the total."""
FEW: Final = 500
"""So many flows are sorted in no more time than it takes to find a page of more by walking through all."""
_FLOW: Final = cast("Table", Flow.__table__).c
_GRANT: Final = cast("Table", FlowAcl.__table__).c
_TAIL: Final = cast("Table", FlowNameTail.__table__).c
_COUNT: Final = cast("Table", FlowCount.__table__).c
# Times go into an answer as the driver gives them: making each aware of its zone takes longer than all the rest.
_COLUMNS: Final = [
    type_coerce(_FLOW[field], DateTime) if isinstance(_FLOW[field].type, UTCDateTime) else _FLOW[field]
    for field in FIELDS
]
_KEYS: Final[dict[SortKey, Column[Any]]] = {
    "updated_at": _FLOW.updated_at,
    "created_at": _FLOW.created_at,
    "name": _FLOW.name_key,
}
_TENANT: Final = bindparam("tenant_id", type_=_FLOW.tenant_id.type)


class Reach(Enum):
    """How far a list reaches."""

    EVERYWHERE = "everywhere"
    TENANT = "tenant"
    GRANTED = "granted"
    """What the caller owns and what was granted to it by name."""
    GRANTED_TO_GROUPS = "granted to groups"
    """The same, and what was granted to its groups."""


class Shape(NamedTuple):
    """What a statement looks like. The fields that are truth values say which conditions it has."""

    reach: Reach
    deleted: bool
    owner: bool
    search: bool
    by_tails: bool = False
    """The names of a whole tenant are searched, by their tails."""
    few: bool = False
    """They showed that few names have it: those flows are sorted, instead of walking through all in their order."""
    counted: bool = False
    """How many there are is kept."""
    postgresql: bool = False
    """It has to be told how to go about it (`_looked_up`, `_in_order_of_index`)."""

    @classmethod
    def of(cls, caller: Caller, wanted: Wanted, dialect: str) -> "Shape":
        shape = cls(
            _reach_of(caller),
            wanted.deleted,
            wanted.owner is not None,
            bool(wanted.search),
            postgresql=dialect == "postgresql",
        )
        if wanted.deleted or wanted.owner is not None or shape.reach not in (Reach.TENANT, Reach.EVERYWHERE):
            return shape
        sought = name_key(wanted.search or "")
        by_tails = shape.reach is Reach.TENANT and bool(sought) and range_of(sought) is not None
        return shape._replace(by_tails=by_tails, counted=not sought or (by_tails and is_counted(sought)))

    @property
    def counts(self) -> bool:
        """Tell whether a page tells the total too: where each flow is looked at anyway, it costs nothing."""
        if self.by_tails:
            return False
        return self.search or self.reach in (Reach.GRANTED, Reach.GRANTED_TO_GROUPS)


def values_of(caller: Caller, wanted: Wanted) -> dict[str, Any]:
    """Return the parameters of the statements; a statement takes those that it has."""
    part = sought = name_key(wanted.search or "")
    for special in "/%_":
        sought = sought.replace(special, f"/{special}")
    begins, ends = range_of(part) or (b"", b"")
    return {
        "begins": begins,
        "ends": ends,
        "length": len(begins),
        "tenant_id": caller.tenant_id,
        "subject": caller.subject,
        "groups": sorted(caller.groups),
        "owner": wanted.owner,
        "search": sought,
    }


def values_after(end: Position) -> dict[str, Any]:
    """Return the parameters of a page that begins where another one ended."""
    return {"after_key": end.key, "after_id": end.flow_id}


@lru_cache(maxsize=512)
def page_of(shape: Shape, order: Order, *, after: bool) -> Select[Any]:
    """Return the question for up to `size` flows, behind a place if there is an `after`."""
    key = _KEYS[order.key]
    if shape.deleted and order.key == "updated_at":
        key = _FLOW.deleted_at  # the same moment, and next to the tenant in an index
    if not shape.counts and not shape.by_tails and (not shape.deleted or key is _FLOW.deleted_at):
        rows = _in_order_of_index(_seen(shape, *_COLUMNS, key.label("key")), shape, order)
        return _cut(rows, key, _FLOW.id, order.direction, after=after)
    # First the ids alone, from an index; then a page of them; only then the rest of those few flows.
    if shape.by_tails and not shape.few:
        rows = _in_order_of_index(_seen(shape, _FLOW.id, key.label("key")), shape, order)
        page = _cut(rows, key, _FLOW.id, order.direction, after=after).subquery("page")
    else:
        seen = _seen(shape, _FLOW.id, key.label("key")).subquery("seen")
        if shape.counts:
            seen = select(seen, func.count().over().label("total")).subquery("counted")
        page = _cut(select(seen), seen.c.key, seen.c.id, order.direction, after=after).subquery("page")
    totals = [page.c.total] if shape.counts else []
    shown = _looked_up(shape, page, _COLUMNS, beside=[page.c.key, *totals])
    return _ordered(shown, page.c.key, page.c.id, order.direction)


@lru_cache(maxsize=64)
def count_of(shape: Shape) -> Select[int]:
    """Return the question how many flows there are on all pages."""
    if shape.counted:
        counts = select(func.sum(_COUNT.flows)).where(_COUNT.part == bindparam("begins"))
        return counts.where(_COUNT.tenant_id == _TENANT) if shape.reach is Reach.TENANT else counts
    if shape.by_tails:
        return select(func.count()).select_from(FlowNameTail.__table__).where(*_begins_so())
    return select(func.count()).select_from(_seen(shape, _FLOW.id).subquery("seen"))


def _in_order_of_index(rows: Select[Any], shape: Shape, order: Order) -> Select[Any]:
    """Let an index that holds `deleted_at` give the order.

    It is the same for all, but PostgreSQL does not see that unless it is named; if it is, MariaDB sorts all of them.
    """
    if not shape.postgresql or shape.deleted or shape.reach is not Reach.TENANT:
        return rows
    return rows.order_by(_FLOW.deleted_at.desc() if order.direction == "desc" else _FLOW.deleted_at)


def _holds_part(name: ColumnElement[str]) -> ColumnElement[bool]:
    return name.contains(bindparam("search"), escape="/")


def _begins_so() -> list[ColumnElement[bool]]:
    """Which tails begin with the part of a name that is searched for; each flow has one of them."""
    return [
        _TAIL.tenant_id == _TENANT,
        _TAIL.tail >= bindparam("begins"),
        _TAIL.tail < bindparam("ends"),
        _TAIL.seen < bindparam("length"),
    ]


def _reach_of(caller: Caller) -> Reach:
    if reads_of(caller) is ALL:
        return Reach.EVERYWHERE
    if caller.is_tenant_admin:
        return Reach.TENANT
    return Reach.GRANTED_TO_GROUPS if caller.groups else Reach.GRANTED


def _seen(shape: Shape, *columns: Any) -> Select[Any]:
    """The only place that decides which flows a list may show."""
    conditions: list[ColumnElement[bool]] = [
        _FLOW.deleted_at.is_not(None) if shape.deleted else _FLOW.deleted_at.is_(None)
    ]
    if shape.owner:
        conditions.append(_FLOW.owner_id == bindparam("owner"))
    if shape.search:
        conditions.append(_holds_part(_FLOW.name_key))
    if shape.few:
        found = (
            select(_TAIL.flow_id.label("id"), *_tenant_beside(shape)).where(*_begins_so()).subquery("found")
        )
    elif shape.reach in (Reach.GRANTED, Reach.GRANTED_TO_GROUPS):
        found = _reachable(shape).subquery("found")
    else:
        if shape.reach is Reach.TENANT:
            conditions.append(_FLOW.tenant_id == _TENANT)
        return select(*columns).where(*conditions)
    conditions.append(_FLOW.tenant_id == (_TENANT if shape.postgresql else found.c.tenant_id))
    return _looked_up(shape, found, columns, conditions)


def _looked_up(
    shape: Shape,
    ids: Subquery,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]] = (),
    beside: Sequence[ColumnElement[Any]] = (),
) -> Select[Any]:
    """Return columns of the flows that have these ids, and those that stand `beside` the ids."""
    if not shape.postgresql:
        joined = select(*columns, *beside).join_from(Flow.__table__, ids, ids.c.id == _FLOW.id)
        return joined.where(*conditions)
    # What has an offset is not made one with the rest. PostgreSQL thinks that each of some hundreds of lookups waits
    # for a disk, and would read the flows of all tenants instead.
    flow = (
        select(*columns).where(_FLOW.id == ids.c.id, *conditions).offset(literal_column("0")).lateral("flow")
    )
    return select(*flow.c, *beside).join_from(ids, flow, true())


def _reachable(shape: Shape) -> CompoundSelect[Any]:
    """The flows that a caller owns or was granted, each once; of deleted ones those that it may restore."""
    level = [_GRANT.level == Level.ADMIN.label] if shape.deleted else []
    tenant = _tenant_beside(shape)
    owned = select(_FLOW.id, *tenant).where(
        _FLOW.tenant_id == _TENANT, _FLOW.owner_id == bindparam("subject")
    )
    granted = [and_(_GRANT.principal_type == "user", _GRANT.principal_id == bindparam("subject"))]
    if shape.reach is Reach.GRANTED_TO_GROUPS:
        groups: BindParameter[Any] = bindparam("groups", expanding=True)
        granted.append(and_(_GRANT.principal_type == "group", _GRANT.principal_id.in_(groups)))
    return union(owned, *(select(_GRANT.flow_id, *tenant).where(grants, *level) for grants in granted))


def _tenant_beside(shape: Shape) -> list[ColumnElement[Any]]:
    """The tenant, to join by it too: where it stands beside a join, SQLite walks through all of the tenant."""
    return [] if shape.postgresql else [_TENANT.label("tenant_id")]


def _cut(
    rows: Select[Any],
    key: ColumnElement[Any],
    flow_id: ColumnElement[Any],
    direction: Direction,
    *,
    after: bool,
) -> Select[Any]:
    """Order rows, leave out those up to a place, and take so many."""
    if after:
        here = tuple_(key, flow_id)
        end = tuple_(bindparam("after_key", type_=key.type), bindparam("after_id", type_=flow_id.type))
        rows = rows.where(here < end if direction == "desc" else here > end)
    return _ordered(rows, key, flow_id, direction).limit(bindparam("size", type_=Integer))


def _ordered(
    rows: Select[Any], key: ColumnElement[Any], flow_id: ColumnElement[Any], direction: Direction
) -> Select[Any]:
    return rows.order_by(*((key.desc(), flow_id.desc()) if direction == "desc" else (key, flow_id)))
