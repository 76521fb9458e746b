"""What is mirrored: three tables that the sync treats alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, cast

import orjson
from sqlalchemy import Table

from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import ACTIVE

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One table of the mirror."""

    name: str
    """The table's name, and the beginning of the counters' names."""
    table: Table
    key: tuple[str, ...]
    content: tuple[str, ...]
    """What ScaiKey says of a row. A value that it does not say leaves what is there."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Content of a new row that ScaiKey does not say."""

    @property
    def marks(self) -> tuple[str, ...]:
        """The columns in which the mirror keeps what it knows of a row, beside its content."""
        return tuple(name for name in _MARKS if name in self.table.c)

    def was_listed(self, row: Mapping[Any, Any]) -> bool:
        """Tell whether ScaiKey ever listed a row. Only such a row can be missing from its lists."""
        return "last_synced_at" not in self.marks or row["last_synced_at"] is not None

    def guard(self, row: Mapping[Any, Any]) -> bytes:
        """Return what changes whenever somebody changes the row."""
        return orjson.dumps([_plain(row[name]) for name in (*self.content, *self.marks)])


_MARKS = ("last_synced_at", "changed_at", "absent_since", "deleted_at")

USERS = Kind(
    "users",
    cast("Table", User.__table__),
    ("tenant_id", "id"),
    ("email", "display_name", "status"),
    {"status": ACTIVE},
)
GROUPS = Kind("groups", cast("Table", Group.__table__), ("tenant_id", "id"), ("name",), {"name": ""})
MEMBERSHIPS = Kind(
    "memberships", cast("Table", Membership.__table__), ("tenant_id", "user_id", "group_id"), ("direct",)
)
KINDS: Sequence[Kind] = (USERS, GROUPS, MEMBERSHIPS)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
