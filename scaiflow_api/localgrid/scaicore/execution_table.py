"""Executions as rows, and what is kept of one until it has ended, so that it can be taken up again."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import orjson

from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaicore.checkpoint_table import of_execution
from scaiflow_api.localgrid.scaicore.core_table import Core, core_of
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.store import Store

KEPT_EXECUTIONS = 10_000
"""Of those that have ended, older ones are dropped at start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestry:
    """Which run called this one, and where."""

    root_id: str
    """The run that an invocation began."""
    parent_id: str
    place: str


@dataclass(frozen=True, slots=True)
class Past:
    """What an unfinished run had done."""

    events: Mapping[str, int] = field(default_factory=dict)
    """By lane: how many it told."""
    steps: Mapping[str, str | None] = field(default_factory=dict)
    """By place: the outcome as JSON; None where it began and nobody knows how it ended."""
    children: Mapping[str, str] = field(default_factory=dict)
    """By place: the run that was called."""
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    """By place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A run that the last process left behind."""

    id: str
    tenant_id: str
    core_id: str
    flow_name: str
    core: Core | None
    """With the manifest that the run began with; None when it was deleted."""
    input: Mapping[str, Any]
    instance_key: str | None
    depth: int
    limit_s: float
    root_id: str
    past: Past


def insert(
    connection: sqlite3.Connection,
    execution_id: str,
    invocation: Invocation,
    ancestry: Ancestry | None,
    limit_s: float,
) -> None:
    """Note that a run has begun."""
    core = invocation.core
    digest = hashlib.sha256(core.manifest.encode()).hexdigest()
    connection.execute("INSERT OR IGNORE INTO run_manifests VALUES (?, ?)", (digest, core.manifest))
    connection.execute(
        "INSERT INTO executions (id, tenant_id, core_id, flow_name, manifest, input, instance_key, depth,"
        " limit_s, root_id, parent_id, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(execution_id, core.tenant_id, core.id, invocation.flow.name, digest),
            *(
                orjson.dumps(dict(invocation.input)).decode(),
                invocation.instance_key,
                invocation.depth,
                limit_s,
            ),
            *_called_by(ancestry, execution_id),
        ),
    )


def end(connection: sqlite3.Connection, execution: Execution) -> None:
    """Note how a run ended, and forget what only going on needs."""
    connection.execute(
        "UPDATE executions SET status = ?, output = ?, error = ?, manifest = NULL WHERE id = ?",
        (
            execution.status,
            orjson.dumps(execution.output).decode(),
            None if execution.error is None else orjson.dumps(dict(execution.error)).decode(),
            execution.id,
        ),
    )
    connection.execute("DELETE FROM run_steps WHERE execution_id = ?", (execution.id,))
    connection.execute("DELETE FROM run_lanes WHERE execution_id = ?", (execution.id,))


def keep_steps(connection: sqlite3.Connection, execution_id: str, steps: Mapping[str, str | None]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO run_steps VALUES (?, ?, ?)",
        [(execution_id, place, outcome) for place, outcome in steps.items()],
    )


def forget_step(connection: sqlite3.Connection, execution_id: str, place: str) -> None:
    connection.execute("DELETE FROM run_steps WHERE execution_id = ? AND place = ?", (execution_id, place))


def keep_lanes(connection: sqlite3.Connection, execution_id: str, events: Mapping[str, int]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO run_lanes VALUES (?, ?, ?)",
        [(execution_id, lane, told) for lane, told in events.items()],
    )


class Executions:
    """The table of executions. Every read of one names a tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, tenant_id: str, execution_id: str) -> Execution | None:
        """Return an execution; one that has not ended is RUNNING here, whatever it waits for."""
        row = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM executions WHERE tenant_id = ? AND id = ?", (tenant_id, execution_id)
            ).fetchone()
        )
        return None if row is None else _execution(row)

    async def get(self, execution_id: str) -> Execution:
        """Return an execution that is known to be there, whoever's it is."""
        row = await self._store.read(
            lambda connection: connection.execute(
                "SELECT * FROM executions WHERE id = ?", (execution_id,)
            ).fetchone()
        )
        return _execution(row)

    async def unfinished(self) -> list[Unfinished]:
        """Return what the last process left behind, callers before those they called. Drops what is old."""

        def read(connection: sqlite3.Connection) -> list[Unfinished]:
            _drop_old(connection)
            rows = connection.execute(
                "SELECT executions.*, text FROM executions LEFT JOIN run_manifests ON digest = manifest"
                " WHERE status IS NULL ORDER BY seq"
            ).fetchall()
            return [_unfinished(connection, row) for row in rows]

        return await self._store.write(read)


def _called_by(ancestry: Ancestry | None, execution_id: str) -> tuple[Any, ...]:
    return (execution_id, None, None) if ancestry is None else astuple(ancestry)


def _execution(row: sqlite3.Row) -> Execution:
    if row["status"] is None:
        return Execution(id=row["id"], status="RUNNING")
    error = row["error"]
    return Execution(
        id=row["id"],
        status=row["status"],
        output=orjson.loads(row["output"]),
        error=None if error is None else orjson.loads(error),
    )


def _unfinished(connection: sqlite3.Connection, row: sqlite3.Row) -> Unfinished:
    core = connection.execute("SELECT * FROM cores WHERE id = ?", (row["core_id"],)).fetchone()
    return Unfinished(
        **{name: row[name] for name in ("id", "tenant_id", "core_id", "flow_name")},
        **{name: row[name] for name in ("instance_key", "depth", "limit_s", "root_id")},
        core=None if core is None else replace(core_of(core), manifest=row["text"]),
        input=orjson.loads(row["input"]),
        past=_past(connection, row["id"]),
    )


def _past(connection: sqlite3.Connection, execution_id: str) -> Past:
    def pairs(query: str) -> Iterable[Any]:
        return (tuple(row) for row in connection.execute(query, (execution_id,)))

    return Past(
        events=dict(pairs("SELECT lane, told FROM run_lanes WHERE execution_id = ?")),
        steps=dict(pairs("SELECT place, outcome FROM run_steps WHERE execution_id = ?")),
        children=dict(pairs("SELECT place, id FROM executions WHERE parent_id = ?")),
        checkpoints={found.place: found for found in of_execution(connection, execution_id)},
    )


def _drop_old(connection: sqlite3.Connection) -> None:
    # A run that goes on still asks how those ended that it called.
    connection.execute(
        "DELETE FROM executions WHERE status IS NOT NULL AND seq <= (SELECT max(seq) FROM executions) - ?"
        " AND root_id NOT IN (SELECT root_id FROM executions WHERE status IS NULL)",
        (KEPT_EXECUTIONS,),
    )
    connection.execute("DELETE FROM checkpoints WHERE execution_id NOT IN (SELECT id FROM executions)")
    connection.execute(
        "DELETE FROM run_manifests WHERE digest NOT IN"
        " (SELECT manifest FROM executions WHERE manifest IS NOT NULL)"
    )
