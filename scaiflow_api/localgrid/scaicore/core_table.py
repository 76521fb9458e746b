"""Cores as rows: what is deployed, by whom, in which state."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scaiflow_api.localgrid.store import Store


class SlugTaken(Exception):
    """Another Core of the tenant has the slug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A deployed Core. `seq` orders them by creation."""

    seq: int = 0
    id: str
    tenant_id: str
    slug: str
    name: str
    status: str
    """`created`, `running`, `stopped` or `error`."""
    manifest: str
    metadata: Mapping[str, Any]
    created_at: str
    updated_at: str

    def as_dict(self) -> dict[str, Any]:
        """Return the Core as it goes on the wire."""
        return {
            "id": self.id,
            "slug": self.slug,
            "name": self.name,
            "status": self.status,
            "metadata": dict(self.metadata),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    def with_metadata(self, **changes: Any) -> "Core":
        """Return the Core with metadata changed; None removes a key."""
        merged = {**self.metadata, **changes}
        return replace(self, metadata={key: value for key, value in merged.items() if value is not None})


class Cores:
    """The table of Cores. Every read names one tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, core: Core) -> None:
        """Keep a new Core. Raises SlugTaken."""

        def insert(connection: sqlite3.Connection) -> None:
            taken = connection.execute(
                "SELECT 1 FROM cores WHERE tenant_id = ? AND slug = ?", (core.tenant_id, core.slug)
            ).fetchone()
            if taken:
                raise SlugTaken(core.slug)
            connection.execute(
                "INSERT INTO cores (id, tenant_id, slug, name, status, manifest, metadata, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(core.id, core.tenant_id, core.slug, core.name, core.status, core.manifest),
                    *(json.dumps(dict(core.metadata)), core.created_at, core.updated_at),
                ),
            )

        await self._store.write(insert)

    async def find(self, tenant_id: str, core_id: str) -> Core | None:
        row = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND id = ?", (tenant_id, core_id)
            ).fetchone()
        )
        return core_of(row) if row else None

    async def find_slug(self, tenant_id: str, slug: str) -> Core | None:
        row = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND slug = ?", (tenant_id, slug)
            ).fetchone()
        )
        return core_of(row) if row else None

    async def page(self, tenant_id: str, *, after: int, limit: int) -> list[Core]:
        """Return up to `limit` Cores in order of creation."""
        rows = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                (tenant_id, after, limit),
            ).fetchall()
        )
        return [core_of(row) for row in rows]

    async def published(self, tenant_id: str) -> list[Core]:
        """Return the tenant's Cores that are published as models."""
        rows = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND json_extract(metadata, '$.published') ORDER BY seq",
                (tenant_id,),
            ).fetchall()
        )
        return [core_of(row) for row in rows]

    async def change(self, tenant_id: str, core_id: str, change: Callable[[Core], Core]) -> Core | None:
        """Apply `change` to a Core in one transaction and return the result; None: there is no such Core.

        Name, status, manifest, metadata and time of change are kept. `change` may raise; nothing is kept then.
        """

        def apply(connection: sqlite3.Connection) -> Core | None:
            row = connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND id = ?", (tenant_id, core_id)
            ).fetchone()
            if row is None:
                return None
            core = change(core_of(row))
            connection.execute(
                "UPDATE cores SET name = ?, status = ?, manifest = ?, metadata = ?, updated_at = ? WHERE id = ?",
                (
                    core.name,
                    core.status,
                    core.manifest,
                    json.dumps(dict(core.metadata)),
                    core.updated_at,
                    core.id,
                ),
            )
            return core

        return await self._store.write(apply)

    async def delete(self, tenant_id: str, core_id: str, check: Callable[[Core], None]) -> bool:
        """Delete a Core unless `check` raises; False: there is no such Core."""

        def apply(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT * FROM cores WHERE tenant_id = ? AND id = ?", (tenant_id, core_id)
            ).fetchone()
            if row is None:
                return False
            check(core_of(row))
            connection.execute("DELETE FROM cores WHERE id = ?", (core_id,))
            return True

        return await self._store.write(apply)


def core_of(row: sqlite3.Row) -> Core:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a sqlite3.Row iterates over values
    return Core(**{**values, "metadata": json.loads(values["metadata"])})
