"""The grid's state: one SQLite file, used by one thread.

Work is handed over as a function of a connection and runs whole before the next one. So a transaction never
stays open across an `await`, and a caller that goes away in the middle cannot leave half of one behind.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

KEPT_EVENTS = 200_000
"""Older ones are dropped at start."""
LARGEST_INTEGER = 2**63 - 1
"""That SQLite takes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signing_keys (
  kid TEXT PRIMARY KEY, private_pem TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS authorization_codes (
  code_hash TEXT PRIMARY KEY, family TEXT NOT NULL, client_id TEXT NOT NULL, user_id TEXT NOT NULL,
  redirect_uri TEXT NOT NULL, scope TEXT NOT NULL, nonce TEXT, code_challenge TEXT,
  auth_time INTEGER NOT NULL, expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS refresh_tokens (
  token_hash TEXT PRIMARY KEY, family TEXT NOT NULL, client_id TEXT NOT NULL, user_id TEXT NOT NULL,
  scope TEXT NOT NULL, auth_time INTEGER NOT NULL, expires_at REAL NOT NULL,
  used INTEGER NOT NULL DEFAULT 0, revoked INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS refresh_tokens_family ON refresh_tokens (family);
CREATE TABLE IF NOT EXISTS sessions (
  session_hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, auth_time INTEGER NOT NULL, expires_at REAL NOT NULL,
  terminated_reason TEXT
);
CREATE TABLE IF NOT EXISTS users (
  id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, email TEXT NOT NULL, first_name TEXT NOT NULL,
  last_name TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, deleted_at TEXT
);
CREATE INDEX IF NOT EXISTS users_tenant ON users (tenant_id, id);
CREATE TABLE IF NOT EXISTS groups (
  id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, name TEXT NOT NULL, created_at TEXT NOT NULL, deleted_at TEXT
);
CREATE TABLE IF NOT EXISTS group_members (
  group_id TEXT NOT NULL, member_type TEXT NOT NULL, member_id TEXT NOT NULL, added_at TEXT NOT NULL,
  PRIMARY KEY (group_id, member_type, member_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_members_member ON group_members (member_id, member_type);
CREATE TABLE IF NOT EXISTS webhooks (
  id TEXT PRIMARY KEY, url TEXT NOT NULL, secret TEXT NOT NULL, events TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, webhook_id TEXT NOT NULL, event_id TEXT NOT NULL,
  event_type TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  due_at REAL, status_code INTEGER, delivered_at TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at, id) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS cores (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, slug TEXT NOT NULL,
  name TEXT NOT NULL, status TEXT NOT NULL, manifest TEXT NOT NULL, metadata TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (tenant_id, slug)
);
DROP TABLE IF EXISTS running; -- of an earlier grid
CREATE TABLE IF NOT EXISTS executions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, core_id TEXT NOT NULL,
  flow_name TEXT NOT NULL, manifest TEXT, input TEXT NOT NULL, instance_key TEXT, depth INTEGER NOT NULL,
  limit_s REAL NOT NULL, root_id TEXT NOT NULL, parent_id TEXT, place TEXT,
  status TEXT, output TEXT, error TEXT
);
CREATE INDEX IF NOT EXISTS executions_unfinished ON executions (seq) WHERE status IS NULL;
CREATE INDEX IF NOT EXISTS executions_parent ON executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS run_manifests (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_steps (
  execution_id TEXT NOT NULL, place TEXT NOT NULL, outcome TEXT, PRIMARY KEY (execution_id, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_lanes (
  execution_id TEXT NOT NULL, lane TEXT NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (execution_id, lane)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, core_id TEXT NOT NULL,
  execution_id TEXT NOT NULL, place TEXT NOT NULL, status TEXT NOT NULL, expires_at REAL, details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS checkpoints_tenant ON checkpoints (tenant_id, seq);
CREATE INDEX IF NOT EXISTS checkpoints_execution ON checkpoints (execution_id);
CREATE INDEX IF NOT EXISTS checkpoints_due ON checkpoints (expires_at) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tenant_id TEXT NOT NULL, core_id TEXT NOT NULL,
  type TEXT NOT NULL, timestamp TEXT NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_core ON events (tenant_id, core_id, seq);
CREATE INDEX IF NOT EXISTS events_tenant ON events (tenant_id, seq);
CREATE TABLE IF NOT EXISTS secrets (
  place TEXT NOT NULL, path TEXT NOT NULL, version INTEGER NOT NULL, created_at TEXT NOT NULL, deleted_at REAL,
  PRIMARY KEY (place, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret_versions (
  place TEXT NOT NULL, path TEXT NOT NULL, version INTEGER NOT NULL, secret_type TEXT NOT NULL,
  data TEXT NOT NULL, metadata TEXT NOT NULL, written_at TEXT NOT NULL, PRIMARY KEY (place, path, version)
) WITHOUT ROWID;
"""


class Store:
    """One SQLite file, with the grid's tables and those of `modules`. `open` before use, `close` after."""

    def __init__(self, path: Path, *modules: str) -> None:
        self._path = path
        self._schema = _SCHEMA + "".join(modules)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="localgrid-store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Make or open the file. Raises OSError or sqlite3.Error when it cannot be written."""
        await self._run(self._connect)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._run(connection.close)
        self._thread.shutdown()

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` on the connection and return its result."""
        return await self._run(lambda: work(self._open_connection()))

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in one transaction: committed when it returns, undone when it raises."""
        return await self._run(lambda: _in_transaction(self._open_connection(), work))

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection

    def _connect(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The file exists with its final mode before anything is written into it; SQLite gives its
        # write-ahead log the mode of the database.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path.chmod(0o600)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=wal", "synchronous=normal", "foreign_keys=on", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(self._schema)
        connection.execute(
            "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", (KEPT_EVENTS,)
        )
        self._connection = connection


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result
