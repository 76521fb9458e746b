"""OAuth clients that an administrator registered, beside those of the configuration."""

import json
import secrets
import sqlite3

from scaiflow_api.localgrid.scaikey.people import USER_SCOPES, Client
from scaiflow_api.localgrid.store import Store

TABLES = """
CREATE TABLE IF NOT EXISTS applications (
  id TEXT PRIMARY KEY, client_id TEXT NOT NULL UNIQUE, client_secret TEXT NOT NULL, name TEXT NOT NULL,
  application_type TEXT NOT NULL, redirect_uris TEXT NOT NULL, allowed_scopes TEXT NOT NULL,
  created_at TEXT NOT NULL, deleted_at TEXT
);
"""


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def client_of(row: sqlite3.Row) -> Client:
    """Return a registered application as the client that it is: one of the platform."""
    scopes = json.loads(row["allowed_scopes"])
    return Client(
        id=row["client_id"],
        secret=row["client_secret"],
        tenant=None,
        redirect_uris=tuple(json.loads(row["redirect_uris"])),
        user_scopes=USER_SCOPES.intersection(scopes) if json.loads(row["redirect_uris"]) else frozenset(),
        service_scopes=tuple(scopes),
    )


async def registered(store: Store) -> dict[str, Client]:
    """Return the clients that were registered, by their ids."""
    rows = await store.read(
        lambda connection: connection.execute(
            "SELECT * FROM applications WHERE deleted_at IS NULL"
        ).fetchall()
    )
    return {row["client_id"]: client_of(row) for row in rows}


async def is_registered(store: Store, application_id: str) -> bool:
    """Tell whether there is an application of this id."""

    def find(connection: sqlite3.Connection) -> bool:
        query = "SELECT 1 FROM applications WHERE id = ? AND deleted_at IS NULL"
        return connection.execute(query, (application_id,)).fetchone() is not None

    return await store.read(find)
