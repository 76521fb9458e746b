"""Bunkers as rows."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.wire_time import iso

RUNNING = "running"
PAUSED = "paused"
MAX_PER_TENANT = 16

_LIFETIMES: Mapping[str, tuple[int | None, int | None]] = {
    "ephemeral": (3600, 900),
    "session": (86_400, 3600),
    "persistent": (None, None),
}
"""Lifecycle → seconds until the end, and seconds without use, unless the bunker says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BunkerSpec:
    """What a bunker is made of. Sizes in megabytes, times in seconds."""

    image: str
    lifecycle_mode: str = "ephemeral"
    """`ephemeral`, `session` or `persistent`."""
    name: str | None = None
    network_profile: str = "isolated"
    network_allowlist: Sequence[str] | None = None
    cpu_millicores: int = 1000
    memory_mb: int = 512
    disk_mb: int = 1024
    gpu_count: int = 0
    gpu_type: str | None = None
    max_lifetime_s: int | None = None
    idle_timeout_s: int | None = None
    session_type: str = "standalone"
    session_ref: str | None = None
    label_set: Mapping[str, str] = field(default_factory=dict)
    env_vars: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunker:
    """One bunker."""

    seq: int
    id: str
    tenant_id: str
    status: str
    spec: BunkerSpec
    created_at: float
    updated_at: float

    def as_dict(self) -> dict[str, Any]:
        """Return the bunker as it goes on the wire. Its variables stay here: they are where secrets are put."""
        spec = {name: value for name, value in asdict(self.spec).items() if name != "env_vars"}
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "status": self.status,
            **spec,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


def add(connection: sqlite3.Connection, tenant_id: str, spec: BunkerSpec, now: float) -> Bunker:
    """Keep a new bunker that runs. Raises GridError 409 when the tenant has its share."""
    (held,) = connection.execute("SELECT count(*) FROM bunkers WHERE tenant_id = ?", (tenant_id,)).fetchone()
    if held >= MAX_PER_TENANT:
        raise GridError(409, "BUNKER_QUOTA_EXCEEDED", f"The tenant has its {MAX_PER_TENANT} bunkers.")
    ends_with_run = spec.session_type == "scaicore" and spec.lifecycle_mode == "ephemeral"
    lifetime, idle = (None, None) if ends_with_run else _LIFETIMES[spec.lifecycle_mode]
    lifetime = spec.max_lifetime_s or lifetime
    bunker_id = new_id("bnk")
    connection.execute(
        "INSERT INTO bunkers (id, tenant_id, status, lifecycle_mode, session_type, session_ref, spec, created_at,"
        " updated_at, used_at, ends_at, idle_timeout_s) VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(bunker_id, tenant_id, spec.lifecycle_mode, spec.session_type, spec.session_ref),
            *(orjson.dumps(asdict(spec)).decode(), now, now, now),
            *(None if lifetime is None else now + lifetime, spec.idle_timeout_s or idle),
        ),
    )
    return get(connection, tenant_id, bunker_id)


def get(connection: sqlite3.Connection, tenant_id: str, bunker_id: str) -> Bunker:
    """Return a bunker of the tenant. Raises GridError 404."""
    row = connection.execute(
        "SELECT * FROM bunkers WHERE tenant_id = ? AND id = ?", (tenant_id, bunker_id)
    ).fetchone()
    if row is None:
        raise GridError(404, "BUNKER_NOT_FOUND", f"There is no bunker {bunker_id!r}.")
    return _bunker(row)


def find(connection: sqlite3.Connection, tenant_id: str, spec: BunkerSpec) -> Bunker | None:
    """Return the bunker that was made just so, for the same session."""
    row = connection.execute(
        "SELECT * FROM bunkers WHERE tenant_id = ? AND session_ref = ? AND spec = ?",
        (tenant_id, spec.session_ref, orjson.dumps(asdict(spec)).decode()),
    ).fetchone()
    return None if row is None else _bunker(row)


def use(connection: sqlite3.Connection, tenant_id: str, bunker_id: str, now: float) -> Bunker:
    """Note that a bunker is used, and return it. Raises GridError when it is not there or does not run."""
    bunker = get(connection, tenant_id, bunker_id)
    if bunker.status != RUNNING:
        raise GridError(409, "BUNKER_NOT_RUNNING", f"The bunker is {bunker.status}; resume it first.")
    connection.execute("UPDATE bunkers SET used_at = ? WHERE id = ?", (now, bunker_id))
    return bunker


def page(
    connection: sqlite3.Connection,
    tenant_id: str,
    *,
    status: str | None,
    lifecycle: str | None,
    after: int,
    limit: int,
) -> list[Bunker]:
    """Return up to `limit` bunkers in order of creation."""
    rows = connection.execute(
        "SELECT * FROM bunkers WHERE tenant_id = ? AND seq > ? AND coalesce(?, status) = status"
        " AND coalesce(?, lifecycle_mode) = lifecycle_mode ORDER BY seq LIMIT ?",
        (tenant_id, after, status, lifecycle, limit),
    )
    return [_bunker(row) for row in rows]


def move(connection: sqlite3.Connection, tenant_id: str, bunker_id: str, status: str, now: float) -> Bunker:
    """Pause or resume a bunker and return it. Raises GridError 404."""
    get(connection, tenant_id, bunker_id)
    connection.execute("UPDATE bunkers SET status = ?, updated_at = ? WHERE id = ?", (status, now, bunker_id))
    return get(connection, tenant_id, bunker_id)


def delete(connection: sqlite3.Connection, tenant_id: str, bunker_id: str) -> None:
    """Forget a bunker. Raises GridError 404."""
    get(connection, tenant_id, bunker_id)
    connection.execute("DELETE FROM bunkers WHERE id = ?", (bunker_id,))


def delete_ended(connection: sqlite3.Connection, now: float) -> list[str]:
    """Forget the bunkers whose time is over, and return their ids."""
    rows = connection.execute(
        "DELETE FROM bunkers WHERE ends_at <= ? OR used_at + idle_timeout_s <= ? RETURNING id", (now, now)
    ).fetchall()
    return [row["id"] for row in rows]


def delete_of_run(connection: sqlite3.Connection, execution_id: str) -> list[str]:
    """Forget the bunkers that end with a run, and return their ids."""
    rows = connection.execute(
        "DELETE FROM bunkers WHERE session_type = 'scaicore' AND session_ref = ? RETURNING id",
        (execution_id,),
    ).fetchall()
    return [row["id"] for row in rows]


def runs_with_bunkers(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of the runs whose bunkers end with them."""
    rows = connection.execute(
        "SELECT DISTINCT session_ref FROM bunkers WHERE session_type = 'scaicore' AND session_ref GLOB 'exec_*'"
    ).fetchall()
    return [row["session_ref"] for row in rows]


def ids(connection: sqlite3.Connection) -> set[str]:
    """Return the ids of all bunkers."""
    return {row["id"] for row in connection.execute("SELECT id FROM bunkers")}


def _bunker(row: sqlite3.Row) -> Bunker:
    return Bunker(
        seq=row["seq"],
        id=row["id"],
        tenant_id=row["tenant_id"],
        status=row["status"],
        spec=BunkerSpec(**orjson.loads(row["spec"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
