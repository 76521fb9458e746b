"""ScaiKey's directory: people and groups as rows, which a new grid takes from the demo people.

Nothing is forgotten: a deleted person keeps a row, so that the id is never given to somebody else.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.scaikey.people import (
    GROUPS,
    PEOPLE,
    SERVICE,
    TENANTS_BY_ID,
    Principal,
    Tenant,
    rights_of,
)
from scaiflow_api.localgrid.store import Store

ACTIVE, SUSPENDED = "ACTIVE", "SUSPENDED"
USER, GROUP = "user", "group"

_GROUPS_OF = """
WITH RECURSIVE mine (id) AS (
  SELECT group_id FROM group_members WHERE member_type = 'user' AND member_id = ?
  UNION
  SELECT outer_ones.group_id FROM group_members outer_ones JOIN mine ON outer_ones.member_id = mine.id
  WHERE outer_ones.member_type = 'group'
)
SELECT groups.id FROM groups JOIN mine ON mine.id = groups.id WHERE deleted_at IS NULL ORDER BY groups.id
"""


class Directory:
    """The questions that signing in and ScaiGrid ask of the directory."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def seed(self) -> None:
        """Add the demo people and groups to a directory that is empty."""
        now = moment(self._clock)

        def add(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM users LIMIT 1").fetchone():
                return
            connection.executemany(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                [
                    (person.id, person.tenant.id, person.email, *person.name.split(), ACTIVE, now)
                    for person in PEOPLE
                ],
            )
            connection.executemany(
                "INSERT INTO groups VALUES (?, ?, ?, ?, NULL)",
                [(group.id, group.tenant_id, group.name, now) for group in GROUPS],
            )
            connection.executemany(
                "INSERT INTO group_members VALUES (?, 'user', ?, ?)",
                [(group.id, member, now) for group in GROUPS for member in group.members],
            )

        await self._store.write(add)

    async def active(self, user_id: str) -> Principal | None:
        """Return a person who may sign in, or the service account; None for everybody else."""
        if user_id == SERVICE.id:
            return SERVICE

        def find(connection: sqlite3.Connection) -> Principal | None:
            row = connection.execute(
                "SELECT * FROM users WHERE id = ? AND status = ? AND deleted_at IS NULL", (user_id, ACTIVE)
            ).fetchone()
            return _principal(connection, row) if row else None

        return await self._store.read(find)

    async def choice(self, tenant: Tenant | None, *, at_most: int = 50) -> Sequence[Principal]:
        """Return people who may sign in, of one tenant or of all, oldest first."""

        def find(connection: sqlite3.Connection) -> list[Principal]:
            rows = connection.execute(
                "SELECT * FROM users WHERE status = ? AND deleted_at IS NULL AND (? IS NULL OR tenant_id = ?)"
                " ORDER BY rowid LIMIT ?",
                (ACTIVE, tenant and tenant.id, tenant and tenant.id, at_most),
            ).fetchall()
            return [_principal(connection, row) for row in rows]

        return await self._store.read(find)

    async def group_ids(self, tenant: Tenant) -> frozenset[str]:
        """Return the ids of a tenant's groups."""
        rows = await self._store.read(
            lambda connection: connection.execute(
                "SELECT id FROM groups WHERE tenant_id = ? AND deleted_at IS NULL", (tenant.id,)
            ).fetchall()
        )
        return frozenset(row["id"] for row in rows)


def moment(clock: Clock) -> str:
    """Return the present as ScaiKey writes it."""
    return clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")


def user_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return a user as it goes on the wire."""
    names = {key: row[key] for key in ("id", "tenant_id", "email", "first_name", "last_name", "status")}
    return {**names, "display_name": full_name(row), "created_at": row["created_at"]}


def group_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return a group as it goes on the wire."""
    names = {key: row[key] for key in ("id", "tenant_id", "name", "created_at")}
    return {**names, "group_type": "SECURITY"}


def full_name(row: sqlite3.Row) -> str:
    return f"{row['first_name']} {row['last_name']}".strip()


def _principal(connection: sqlite3.Connection, row: sqlite3.Row) -> Principal:
    roles, permissions = rights_of(row["id"])
    groups = tuple(found["id"] for found in connection.execute(_GROUPS_OF, (row["id"],)))
    tenant = TENANTS_BY_ID[row["tenant_id"]]
    return Principal(row["id"], tenant, row["email"], full_name(row), roles, permissions, groups)
