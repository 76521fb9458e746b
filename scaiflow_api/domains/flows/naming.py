"""By which parts of its name a flow is found: the rows that change with a name."""

from collections.abc import Iterator
from typing import Any, Final, cast

from sqlalchemy import BindParameter, Table, bindparam, delete, insert

from scaiflow_api.db.models.flow import Flow, FlowNameTail
from scaiflow_api.db.name_tails import tails_of
from scaiflow_api.db.prepared import Prepared

_TAILS: Final = cast("Table", FlowNameTail.__table__)
_ROW: Final[dict[str, BindParameter[Any]]] = {
    "tenant_id": bindparam("tenant"),
    "tail": bindparam("ends"),
    "seen": bindparam("before"),
    "flow_id": bindparam("flow"),
}
_ADD: Final = Prepared(insert(_TAILS).values(_ROW))
_FORGET: Final = Prepared(delete(_TAILS).where(*(_TAILS.c[name] == value for name, value in _ROW.items())))


def renaming(flow: Flow, old: str | None, new: str | None) -> Iterator[tuple[Prepared, list[dict[str, Any]]]]:
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
