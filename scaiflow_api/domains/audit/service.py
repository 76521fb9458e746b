"""Reading the audit log, page by page or as one stream."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias

import orjson

from scaiflow_api.db.audit import as_record
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.repository import AuditRepository, Wanted

Record: TypeAlias = dict[str, Any]

_ROWS_AT_ONCE = 500


class AuditLog:
    """Reads the chains of tenants, with every row that this process was told."""

    def __init__(self, db: Database, audit: AuditTrail) -> None:
        self._db = db
        self._audit = audit

    async def page(
        self, wanted: Wanted, *, before: int | None, size: int
    ) -> tuple[Sequence[Record], int | None]:
        """Return up to `size` rows, the last one first, and before which number the next page begins."""
        await self._audit.settled(wanted.tenant_id)
        async with self._db.read() as session:
            rows = await AuditRepository(session).newest(wanted, before=before, size=size)
        end = rows[size - 1].seq if len(rows) > size else None
        return [as_record(row) for row in rows[:size]], end

    async def lines(self, wanted: Wanted) -> AsyncIterator[bytes]:
        """Yield the rows that there are now as JSON Lines, the first one first, many lines at a time.

        Between two of them nothing is held open, so a slow reader holds up nobody.
        """
        await self._audit.settled(wanted.tenant_id)
        async with self._db.read() as session:
            _, last = await AuditRepository(session).ends(wanted.tenant_id)
        after = 0
        while after < last:
            async with self._db.read() as session:
                rows = await AuditRepository(session).oldest(
                    wanted, after=after, until=last, size=_ROWS_AT_ONCE
                )
            if not rows:
                return
            after = rows[-1].seq
            yield b"".join(line_of(as_record(row)) for row in rows)


def line_of(record: Record) -> bytes:
    """Return a row as it stands in an export: canonical JSON and a line feed."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
