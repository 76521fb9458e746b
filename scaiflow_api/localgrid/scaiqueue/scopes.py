"""Scopes as rows: what the queues of one matter of a tenant have in common."""

import sqlite3
from dataclasses import dataclass, fields
from typing import Any

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue import queues
from scaiflow_api.localgrid.scaiqueue.states import state_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope. `seq` orders them by creation."""

    seq: int
    id: str
    tenant_id: str
    slug: str
    display_name: str
    description: str | None
    state: str
    created_at: str
    updated_at: str

    def as_dict(self) -> dict[str, Any]:
        """Return the scope as it goes on the wire."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"seq", "tenant_id"}
        }


def add(
    connection: sqlite3.Connection,
    tenant_id: str,
    slug: str,
    *,
    display_name: str | None,
    description: str | None,
    now: str,
) -> Scope:
    """Keep a new scope with the queues of the system. Raises GridError 409 for a slug that is taken."""
    scope_id = new_id("sc")
    added = connection.execute(
        "INSERT INTO queue_scopes (id, tenant_id, slug, display_name, description, state, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, 'active', ?, ?) ON CONFLICT (tenant_id, slug) DO NOTHING",
        (scope_id, tenant_id, slug, display_name or slug, description, now, now),
    )
    if not added.rowcount:
        raise GridError(409, "SLUG_CONFLICT", f"A scope with the slug {slug!r} exists in this tenant.")
    queues.add_those_of_the_system(connection, scope_id, now)
    return get(connection, tenant_id, scope_id)


def get(connection: sqlite3.Connection, tenant_id: str, scope_id: str) -> Scope:
    """Return a scope of the tenant. Raises GridError 404."""
    return _one(connection, "id", tenant_id, scope_id)


def get_by_slug(connection: sqlite3.Connection, tenant_id: str, slug: str) -> Scope:
    """Return a scope of the tenant. Raises GridError 404."""
    return _one(connection, "slug", tenant_id, slug)


def page(connection: sqlite3.Connection, tenant_id: str, *, after: int, limit: int) -> list[Scope]:
    """Return up to `limit` scopes in order of creation."""
    rows = connection.execute(
        "SELECT * FROM queue_scopes WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (tenant_id, after, limit),
    )
    return [Scope(**row) for row in map(dict, rows)]


def move(connection: sqlite3.Connection, tenant_id: str, scope_id: str, verb: str, now: str) -> Scope:
    """Pause, resume, archive or unarchive a scope and return it. Raises GridError."""
    state = state_after(get(connection, tenant_id, scope_id).state, verb)
    connection.execute(
        "UPDATE queue_scopes SET state = ?, updated_at = ? WHERE id = ?", (state, now, scope_id)
    )
    return get(connection, tenant_id, scope_id)


def delete(connection: sqlite3.Connection, tenant_id: str, scope_id: str) -> None:
    """Delete a scope with all that is in it. Raises GridError 404."""
    get(connection, tenant_id, scope_id)
    connection.execute("DELETE FROM queue_scopes WHERE id = ?", (scope_id,))


def _one(connection: sqlite3.Connection, column: str, tenant_id: str, value: str) -> Scope:
    query = f"SELECT * FROM queue_scopes WHERE tenant_id = ? AND {column} = ?"  # noqa: S608 - constants only
    row = connection.execute(query, (tenant_id, value)).fetchone()
    if row is None:
        raise GridError(404, "SCAIQUEUE_SCOPE_NOT_FOUND", f"There is no scope {value!r}.")
    return Scope(**dict(row))
