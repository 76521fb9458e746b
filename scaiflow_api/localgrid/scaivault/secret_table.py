"""ScaiVault's secrets as rows: one for each secret, one for each version that is kept.

A deleted secret keeps its path for a while, as in the real vault, where it could be recovered in that time. Its data
is gone at once here: there is no way to recover it.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.localgrid.store import Store

RECOVERABLE_S = 30 * 24 * 3600


class InRecovery(Exception):
    """A deleted secret has the path."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be kept, and how many versions with it."""

    secret_type: str
    data: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any]
    now: str
    max_versions: int


@dataclass(frozen=True, slots=True)
class Secret:
    """One version of a secret."""

    path: str
    version: int
    secret_type: str
    data: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any]
    created_at: str
    """Of the first version."""
    updated_at: str

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the data, as it goes on the wire."""
        return {
            "path": self.path,
            "secret_type": self.secret_type,
            "version": self.version,
            "metadata": dict(self.metadata),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "expires_at": None,
            "rotation_policy_id": None,
        }


class SecretTable:
    """Every question names the place: a tenant, or the platform."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, place: str, path: str, version: int | None) -> Secret | None:
        """Return a version, the newest if None, of a secret that is not deleted."""
        return await self._store.read(lambda connection: _find(connection, place, path, version))

    async def add(self, place: str, path: str, new: NewVersion, now: float) -> Secret:
        """Keep the next version and return it. Raises InRecovery."""

        def add(connection: sqlite3.Connection) -> Secret:
            where = (place, path)
            connection.execute(
                "DELETE FROM secrets WHERE place = ? AND path = ? AND deleted_at <= ?",
                (*where, now - RECOVERABLE_S),
            )
            row = connection.execute("SELECT * FROM secrets WHERE place = ? AND path = ?", where).fetchone()
            if row is not None and row["deleted_at"] is not None:
                raise InRecovery
            if row is None:
                connection.execute("INSERT INTO secrets VALUES (?, ?, 0, ?, NULL)", (*where, new.now))
            connection.execute("UPDATE secrets SET version = version + 1 WHERE place = ? AND path = ?", where)
            connection.execute(
                "INSERT INTO secret_versions SELECT place, path, version, ?, ?, ?, ? FROM secrets"
                " WHERE place = ? AND path = ?",
                (
                    new.secret_type,
                    json.dumps(dict(new.data)),
                    json.dumps(dict(new.metadata)),
                    new.now,
                    *where,
                ),
            )
            connection.execute(
                "DELETE FROM secret_versions WHERE place = ? AND path = ? AND version <="
                " (SELECT version FROM secrets WHERE place = ? AND path = ?) - ?",
                (*where, *where, new.max_versions),
            )
            written = _find(connection, place, path, None)
            assert written is not None
            return written

        return await self._store.write(add)

    async def delete(self, place: str, path: str, now: float, *, permanent: bool) -> bool:
        """Delete a secret with its versions; False: there is none, or it is deleted already."""

        def delete(connection: sqlite3.Connection) -> bool:
            gone = connection.execute(
                "UPDATE secrets SET deleted_at = ? WHERE place = ? AND path = ? AND deleted_at IS NULL",
                (now, place, path),
            ).rowcount
            connection.execute("DELETE FROM secret_versions WHERE place = ? AND path = ?", (place, path))
            if permanent:
                gone += connection.execute(
                    "DELETE FROM secrets WHERE place = ? AND path = ?", (place, path)
                ).rowcount
            return gone > 0

        return await self._store.write(delete)


def _find(connection: sqlite3.Connection, place: str, path: str, version: int | None) -> Secret | None:
    row = connection.execute(
        "SELECT v.*, s.created_at FROM secret_versions v"
        " JOIN secrets s ON s.place = v.place AND s.path = v.path"
        " WHERE v.place = ? AND v.path = ? AND v.version = coalesce(?, s.version)",
        (place, path, version),
    ).fetchone()
    if row is None:
        return None
    return Secret(
        path=row["path"],
        version=row["version"],
        secret_type=row["secret_type"],
        data=json.loads(row["data"]),
        metadata=json.loads(row["metadata"]),
        created_at=row["created_at"],
        updated_at=row["written_at"],
    )
