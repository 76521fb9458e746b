"""By which parts of its name a flow is found and counted: the rows that change with a name."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, cast

from sqlalchemy import BindParameter, Table, bindparam, delete, insert

from scaiflow_api.db.models.flow import Flow, FlowCount, FlowNameTail
from scaiflow_api.db.name_counts import ALL_NAMES, counted_parts
from scaiflow_api.db.name_tails import tails_of
from scaiflow_api.db.prepared import Prepared
from scaiflow_api.db.upserts import insert_or_add

_TAILS: Final = cast("Table", FlowNameTail.__table__)
_COUNTS: Final = cast("Table", FlowCount.__table__)
_ROW: Final[dict[str, BindParameter[Any]]] = {
    "tenant_id": bindparam("tenant"),
    "tail": bindparam("ends"),
    "seen": bindparam("before"),
    "flow_id": bindparam("flow"),
}
_ADD: Final = Prepared(insert(_TAILS).values(_ROW))
_FORGET: Final = Prepared(delete(_TAILS).where(*(_TAILS.c[name] == value for name, value in _ROW.items())))


def renaming(
    flow: Flow, old: str | None, new: str | None, dialect: str
) -> Iterator[tuple[Prepared, list[dict[str, Any]]]]:
    """Yield the statements, each with the values of its rows, after which `new` finds the flow where `old` did.

    Both are name keys; None: the flow is deleted, and nothing finds it. What both have stays untouched.
    """
    before, after = tails_of(old or ""), tails_of(new or "")
    for statement, tails in ((_FORGET, before - after), (_ADD, after - before)):
        if tails:
            yield (
                statement,
                [
                    {"tenant": flow.tenant_id, "flow": flow.id, "ends": tail, "before": seen}
                    for tail, seen in sorted(tails)
                ],
            )
    if changes := _changes(old, new):
        yield (
            _count(dialect),
            [
                {"part": part, "tenant_id": flow.tenant_id, "flows": by}
                for part, by in sorted(changes.items())
            ],
        )


def _changes(old: str | None, new: str | None) -> dict[bytes, int]:
    """Return by how much the numbers of flows with these parts change.

    Among them is always that of all, which comes first: there whoever changes a tenant's numbers waits for the
    others, and never for one who waits for another.
    """
    before, after = (set() if key is None else counted_parts(key) for key in (old, new))
    if before == after:
        return {}
    return {ALL_NAMES: 0, **dict.fromkeys(before - after, -1), **dict.fromkeys(after - before, 1)}


@cache
def _count(dialect: str) -> Prepared:
    return Prepared(insert_or_add(_COUNTS, "flows", dialect))
