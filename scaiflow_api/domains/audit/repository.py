"""Questions about the audit log, as SQL. Every one names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Row, Select, String, func, select, type_coerce, union
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.base import UTCDateTime
from scaiflow_api.db.models.audit import AuditEvent, AuditHead
from scaiflow_api.kit.hash_chain import Head

_LARGEST = 2**63 - 1


class _StoredMoment(UTCDateTime):
    """A moment, or what stands in its place: SQLite lets in anything, and a log must say so of itself."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return String() if dialect.name == "sqlite" else super().load_dialect_impl(dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            try:
                value = datetime.fromisoformat(value)
            except (TypeError, ValueError):
                return str(value)
        return super().process_result_value(value, dialect)


# Rows as they are: objects would take as long again, and an export reads a million of them.
_ROWS: Select[Any] = select(
    *(
        type_coerce(column, _StoredMoment()).label("at") if column.name == "at" else column
        for column in AuditEvent.__table__.columns
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows of one tenant; what is None narrows nothing down."""

    tenant_id: str
    actor_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    flow_id: str | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Without the moment itself."""


class AuditRepository:
    """Rows of the log within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def newest(self, wanted: Wanted, *, before: int | None, size: int) -> Sequence[Row[Any]]:
        """Return up to `size` + 1 rows, the last one first; the extra one tells of a next page."""
        rows = _matching(wanted).order_by(AuditEvent.seq.desc()).limit(size + 1)
        return await self._all(rows if before is None else rows.where(AuditEvent.seq < before))

    async def oldest(self, wanted: Wanted, *, after: int, until: int, size: int) -> Sequence[Row[Any]]:
        """Return up to `size` rows behind the number `after` and up to the number `until`, the first one first."""
        rows = _matching(wanted).where(AuditEvent.seq > after, AuditEvent.seq <= until)
        return await self._all(rows.order_by(AuditEvent.seq).limit(size))

    async def ends(self, tenant_id: str) -> tuple[Head | None, int]:
        """Return the head of a chain, and the number of its last row, at one moment; 0: it has no row."""
        # Text and bytes in the place of a number, which SQLite lets in, are more than any number.
        numbers = select(func.max(AuditEvent.seq)).where(
            AuditEvent.tenant_id == tenant_id, AuditEvent.seq <= _LARGEST
        )
        last = numbers.scalar_subquery()
        # Joined to a row that is always there, so that rows without a head are found too.
        one = select(last.label("last")).subquery()
        found = await self._session.execute(
            select(AuditHead.seq, AuditHead.hash, one.c.last)
            .select_from(one)
            .outerjoin(AuditHead, AuditHead.tenant_id == tenant_id)
        )
        seq, own, last_seq = found.one()
        return Head(seq, own) if isinstance(seq, int) else None, last_seq or 0

    async def tenants(self) -> Sequence[str]:
        """Return every tenant that has a head or a row."""
        known = union(select(AuditHead.tenant_id), select(AuditEvent.tenant_id)).subquery()
        return (await self._session.scalars(select(known.c.tenant_id).order_by(known.c.tenant_id))).all()

    async def _all(self, rows: Select[Any]) -> Sequence[Row[Any]]:
        found: Sequence[Row[Any]] = (await self._session.execute(rows)).all()
        return found


def _matching(wanted: Wanted) -> Select[Any]:
    rows = _ROWS.where(AuditEvent.tenant_id == wanted.tenant_id)
    for name in ("actor_id", "action", "outcome", "flow_id", "target_id"):
        if (value := getattr(wanted, name)) is not None:
            rows = rows.where(getattr(AuditEvent, name) == value)
    if wanted.since is not None:
        rows = rows.where(AuditEvent.at >= wanted.since)
    return rows if wanted.until is None else rows.where(AuditEvent.at < wanted.until)
