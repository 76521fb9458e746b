"""Which flows a list shows, in which order, and where a page of it ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from scaiflow_api.domains.flows.errors import InvalidCursor
from scaiflow_api.kit.paging import decode_cursor, decode_moment, encode_cursor

SortKey: TypeAlias = Literal["updated_at", "created_at", "name"]
Direction: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Order:
    """An order of flows. Names are compared in lower case; the id decides between equals."""

    key: SortKey
    direction: Direction

    @classmethod
    def by(cls, key: SortKey, direction: Direction | None) -> "Order":
        """Return the order; without a direction times go from the newest, names from A."""
        return cls(key, direction or ("asc" if key == "name" else "desc"))


NEWEST_CHANGE_FIRST = Order("updated_at", "desc")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What narrows a list down."""

    search: str | None = None
    """A part of the name."""
    owner: str | None = None
    deleted: bool = False
    """The deleted ones instead; only those that the caller may restore."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: what its last flow was sorted by, and its id."""

    key: datetime | str
    flow_id: str


def cursor_of(end: Position, order: Order) -> str:
    key = end.key.isoformat() if isinstance(end.key, datetime) else end.key
    return encode_cursor(order.key, order.direction, key, end.flow_id)


def position_of(cursor: str, order: Order) -> Position:
    """Return where a cursor points. Raises InvalidCursor, also for a cursor of another order."""
    parts = decode_cursor(cursor, 4)
    if parts is None or parts[:2] != (order.key, order.direction):
        raise InvalidCursor
    _, _, key, flow_id = parts
    if order.key == "name":
        return Position(key, flow_id)
    moment = decode_moment(key)
    if moment is None:
        raise InvalidCursor
    return Position(moment, flow_id)
