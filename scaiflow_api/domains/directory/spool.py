"""A scratch database on disk for one sync: what ScaiKey says next to what the mirror holds.

Nothing is judged or changed before all of ScaiKey's answers are here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import aiosqlite
from sqlalchemy import Boolean

from scaiflow_api.domains.directory.kinds import KINDS, Key, Kind
from scaiflow_api.upstreams.scaikey_rows import DirectoryGroup, DirectoryMember, DirectoryUser

Verb: TypeAlias = Literal["add", "change", "undelete", "miss", "delete"]
_BATCH = 1_000

_FLATTEN = """
WITH RECURSIVE inside (tenant_id, group_id, child_id) AS (
  SELECT tenant_id, group_id, child_id FROM nested
  UNION
  SELECT nested.tenant_id, nested.group_id, inside.child_id FROM nested
  JOIN inside ON inside.tenant_id = nested.tenant_id AND inside.group_id = nested.child_id
)
INSERT OR IGNORE INTO seen_memberships
SELECT inside.tenant_id, members.user_id, inside.group_id, 0 FROM inside
JOIN seen_memberships members ON members.tenant_id = inside.tenant_id AND members.group_id = inside.child_id
WHERE members.direct
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to happen to one row, if it still is as it was."""

    verb: Verb
    key: Key
    content: Mapping[str, Any]
    """What ScaiKey says of it."""
    guard: bytes | None
    """`Kind.guard` of the row when the sync began; None: there was no row."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a kind there is."""

    seen: int
    held: int
    """Rows that are not deleted and that ScaiKey once listed."""
    newly_missed: int


class Spool:
    """One sync's scratch tables: `seen_…` from ScaiKey, `held_…` from the mirror, `nested` groups."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection

    async def hold(self, kind: Kind, rows: Iterable[Mapping[Any, Any]]) -> None:
        """Remember rows of the mirror."""
        columns = (*kind.key, *kind.content)
        await self._insert(
            f"held_{kind.name}",
            [(*(row[name] for name in columns), *_state(kind, row), kind.guard(row)) for row in rows],
        )

    async def see_users(self, users: Iterable[DirectoryUser]) -> None:
        await self._insert(
            "seen_users",
            [(user.tenant_id, user.id, user.email, user.display_name, user.status) for user in users],
        )

    async def see_groups(self, groups: Iterable[DirectoryGroup]) -> None:
        await self._insert("seen_groups", [(group.tenant_id, group.id, group.name) for group in groups])

    async def see_members(self, members: Sequence[DirectoryMember]) -> None:
        """Remember who is directly in a group."""
        people = [(one.group.tenant_id, one.user.id, one.group.id, one.direct) for one in members if one.user]
        inner = [(one.group.tenant_id, one.group.id, one.child_id) for one in members if one.child_id]
        await self._insert("seen_memberships", people)
        await self._insert("nested", inner)

    async def flatten(self) -> None:
        """Add to every group the people of the groups inside it, however deep; circles do no harm."""
        await self._db.execute_fetchall(_FLATTEN)

    async def groups(self) -> AsyncIterator[Sequence[DirectoryGroup]]:
        """Yield the groups that were seen."""
        async for rows in self._batches("SELECT tenant_id, id, name FROM seen_groups"):
            yield [DirectoryGroup(*row) for row in rows]

    async def nestings(self) -> set[tuple[str, str, str]]:
        """Return all (tenant, child, group) where one group lies directly in the other."""
        rows = await self._db.execute_fetchall("SELECT tenant_id, child_id, group_id FROM nested")
        return {(row[0], row[1], row[2]) for row in rows}

    async def size(self, kind: Kind) -> Size:
        missed = f"SELECT count(*) FROM held_{kind.name} held WHERE live AND NOT absent AND NOT {_seen(kind)}"
        counts = [
            f"SELECT count(*) FROM seen_{kind.name}",
            f"SELECT count(*) FROM held_{kind.name} WHERE live",
            missed,
        ]
        (row,) = await self._db.execute_fetchall(f"SELECT {', '.join(f'({one})' for one in counts)}")
        return Size(*row)

    async def differences(self, kind: Kind, *, absences: bool) -> AsyncIterator[Sequence[Change]]:
        """Yield what has to change, in batches; without `absences` nothing is missed and nothing deleted."""
        for query in (_news(kind), _absences(kind)) if absences else (_news(kind),):
            async for rows in self._batches(query):
                yield [_change(kind, row) for row in rows]

    async def _batches(self, query: str) -> AsyncIterator[Sequence[Sequence[Any]]]:
        async with self._db.execute(query) as cursor:
            while rows := await cursor.fetchmany(_BATCH):
                yield [tuple(row) for row in rows]

    async def _insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            # Left to the garbage collector, a cursor is closed in this thread, while SQLite's own still uses it.
            async with self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows):
                pass


@asynccontextmanager
async def open_spool() -> AsyncIterator[Spool]:
    """Open a spool; SQLite deletes its file by itself, however the process ends."""
    async with aiosqlite.connect("", isolation_level=None) as connection:
        await connection.executescript(_SCHEMA + "BEGIN;")
        yield Spool(connection)


def _columns(kind: Kind, alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _same(kind: Kind) -> str:
    return " AND ".join(f"seen.{name} = held.{name}" for name in kind.key)


def _seen(kind: Kind) -> str:
    return f"EXISTS (SELECT 1 FROM seen_{kind.name} seen WHERE {_same(kind)})"


def _news(kind: Kind) -> str:
    """Rows that are new, that say something else, or that are back."""
    differs = [f"(seen.{name} IS NOT NULL AND seen.{name} IS NOT held.{name})" for name in kind.content]
    return f"""
SELECT CASE WHEN held.guard IS NULL THEN 'add' WHEN held.gone THEN 'undelete' ELSE 'change' END,
  held.guard, {_columns(kind, "seen", (*kind.key, *kind.content))}
FROM seen_{kind.name} seen LEFT JOIN held_{kind.name} held ON {_same(kind)}
WHERE held.guard IS NULL OR held.absent OR NOT held.live OR {" OR ".join(differs)}"""


def _absences(kind: Kind) -> str:
    """Rows that are missing: for the first time, or again."""
    return f"""
SELECT CASE WHEN absent THEN 'delete' ELSE 'miss' END, guard,
  {_columns(kind, "held", kind.key)}{", NULL" * len(kind.content)}
FROM held_{kind.name} held WHERE live AND NOT {_seen(kind)}"""


def _change(kind: Kind, row: Sequence[Any]) -> Change:
    verb, guard, *values = row
    key, content = values[: len(kind.key)], values[len(kind.key) :]
    told = {
        name: bool(value) if isinstance(kind.table.c[name].type, Boolean) else value
        for name, value in zip(kind.content, content, strict=True)
        if value is not None
    }
    return Change(verb, tuple(key), told, guard)


def _state(kind: Kind, row: Mapping[Any, Any]) -> tuple[bool, bool, bool]:
    """Return whether the row is deleted, can be missed, and was missed before."""
    gone = row["deleted_at"] is not None
    return gone, not gone and kind.was_listed(row), row["absent_since"] is not None


def _tables(kind: Kind) -> str:
    key = ", ".join(kind.key)
    columns = ", ".join((*kind.key, *kind.content))
    return f"""
CREATE TABLE seen_{kind.name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID;
CREATE TABLE held_{kind.name} ({columns}, gone, live, absent, guard, PRIMARY KEY ({key})) WITHOUT ROWID;
"""


_SCHEMA = (
    "".join(map(_tables, KINDS))
    + "CREATE TABLE nested (tenant_id, group_id, child_id, PRIMARY KEY (tenant_id, group_id, child_id))"
    " WITHOUT ROWID;"
)
