"""The event log: appended in order by one thread, so a follower's cursor never skips an event."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from scaiflow_api.localgrid.store import Store


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and its place in the log."""

    seq: int
    type: str
    core_id: str
    timestamp: str
    payload: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the event as it goes on the wire."""
        return {
            "id": f"evt_{self.seq}",
            "type": self.type,
            "core_id": self.core_id,
            "timestamp": self.timestamp,
            "payload": self.payload,
        }


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append."""

    tenant_id: str
    core_id: str
    type: str
    timestamp: str
    payload: dict[str, Any]


def append(connection: sqlite3.Connection, events: Sequence[NewEvent]) -> None:
    """Append events, inside a transaction of the store."""
    connection.executemany(
        "INSERT INTO events (tenant_id, core_id, type, timestamp, payload) VALUES (?, ?, ?, ?, ?)",
        [(e.tenant_id, e.core_id, e.type, e.timestamp, orjson.dumps(e.payload).decode()) for e in events],
    )


class EventLog:
    """Reads the log of one tenant, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def after(
        self, tenant_id: str, core_id: str | None, *, position: int, limit: int
    ) -> list[StoredEvent]:
        """Return up to `limit` events behind a position."""
        return await self._select(tenant_id, core_id, "AND seq > ? ORDER BY seq LIMIT ?", (position, limit))

    async def latest(self, tenant_id: str, core_id: str | None, *, limit: int) -> list[StoredEvent]:
        """Return the newest `limit` events, oldest first."""
        newest_first = await self._select(tenant_id, core_id, "ORDER BY seq DESC LIMIT ?", (limit,))
        return newest_first[::-1]

    async def _select(
        self, tenant_id: str, core_id: str | None, rest: str, values: tuple[int, ...]
    ) -> list[StoredEvent]:
        one_core = "" if core_id is None else "AND core_id = ?"
        query = f"SELECT * FROM events WHERE tenant_id = ? {one_core} {rest}"  # noqa: S608 - constants only
        rows = await self._store.read(
            lambda connection: connection.execute(
                query, (tenant_id, *(() if core_id is None else (core_id,)), *values)
            ).fetchall()
        )
        return [
            StoredEvent(
                row["seq"], row["type"], row["core_id"], row["timestamp"], orjson.loads(row["payload"])
            )
            for row in rows
        ]
