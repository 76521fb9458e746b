"""The mirror's rows: read once before a sync, and changed in short transactions where they still are as they were."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, bindparam, delete, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.models.group import GroupNesting
from scaiflow_api.db.session import Database
from scaiflow_api.domains.directory.kinds import Key, Kind
from scaiflow_api.domains.directory.spool import Change

_PAGE = 1_000
_ATTEMPTS = 5


class Mirror:
    """Users, groups and memberships as tables that a sync goes through."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def rows(self, kind: Kind) -> AsyncIterator[Sequence[RowMapping]]:
        """Yield all rows in pages; each page shows what is committed when it is read."""
        columns = [kind.table.c[name] for name in (*kind.key, *kind.content, *kind.marks)]
        key = [kind.table.c[name] for name in kind.key]
        after: Key | None = None
        while True:
            query = select(*columns).order_by(*key).limit(_PAGE)
            if after is not None:
                query = query.where(tuple_(*key) > tuple_(*map(literal, after)))
            async with self._db.read() as session:
                page = (await session.execute(query)).mappings().all()
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = tuple(page[-1][name] for name in kind.key)

    async def apply(self, kind: Kind, changes: Sequence[Change], now: datetime) -> Counter[str]:
        """Make the changes whose rows nobody changed since; return how many there were of each verb."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._db.write() as session:
                    return await _apply(session, kind, changes, now)
            except IntegrityError:
                # Somebody else added one of the rows at this moment; the next look finds it.
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def nest(self, wanted: set[tuple[str, str, str]]) -> None:
        """Make these (tenant, child, group) the only nestings."""
        columns = (GroupNesting.tenant_id, GroupNesting.child_id, GroupNesting.group_id)
        async with self._db.read() as session:
            held = {tuple(row) for row in (await session.execute(select(*columns))).all()}
        if held == wanted:
            return
        names = [column.key for column in columns]
        async with self._db.write() as session:
            for row in sorted(held - wanted):
                await session.execute(delete(GroupNesting).filter_by(**dict(zip(names, row, strict=True))))
            for new in sorted(wanted - held):
                await session.merge(GroupNesting(**dict(zip(names, new, strict=True))))


async def _apply(session: AsyncSession, kind: Kind, changes: Sequence[Change], now: datetime) -> Counter[str]:
    known = [change.key for change in changes if change.guard is not None]
    # There is nothing to lock of rows that did not exist.
    current = {
        **await _find(session, kind, known, lock=True),
        **await _find(session, kind, [change.key for change in changes if change.guard is None], lock=False),
    }
    added: list[dict[str, Any]] = []
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    done: Counter[str] = Counter()
    for change in changes:
        row = current.get(change.key)
        if change.guard != (kind.guard(row) if row is not None else None):
            continue
        done[change.verb] += 1
        values = _values(kind, change, now)
        named = dict(zip(kind.key, change.key, strict=True))
        if row is None:
            added.append({**named, **values, "created_at": now})
        else:
            bound = {**{f"key_{name}": value for name, value in named.items()}, **values}
            changed.setdefault(tuple(values), []).append(bound)
    if added:
        await session.execute(insert(kind.table), added)
    same = and_(*(kind.table.c[name] == bindparam(f"key_{name}") for name in kind.key))
    for columns, rows in changed.items():
        statement = update(kind.table).where(same).values({name: bindparam(name) for name in columns})
        await session.execute(statement, rows)
    return done


async def _find(
    session: AsyncSession, kind: Kind, keys: Sequence[Key], *, lock: bool
) -> Mapping[tuple[Any, ...], RowMapping]:
    if not keys:
        return {}
    columns = [kind.table.c[name] for name in (*kind.key, *kind.content, *kind.marks)]
    key = [kind.table.c[name] for name in kind.key]
    query = select(*columns).where(tuple_(*key).in_(keys)).order_by(*key)
    rows = (await session.execute(query.with_for_update() if lock else query)).mappings().all()
    return {tuple(row[name] for name in kind.key): row for row in rows}


def _values(kind: Kind, change: Change, now: datetime) -> dict[str, Any]:
    """Return the columns that a change sets."""
    if change.verb == "miss":
        return {"absent_since": now}
    if change.verb == "delete":
        return {"absent_since": None, "deleted_at": now}
    content = {**kind.defaults, **change.content} if change.verb == "add" else dict(change.content)
    synced = {"last_synced_at": now} if "last_synced_at" in kind.marks else {}
    return {**content, **synced, "absent_since": None, "deleted_at": None}
