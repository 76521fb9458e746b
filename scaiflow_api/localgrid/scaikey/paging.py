"""Pages of ScaiKey's lists, in the two envelopes that it has."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query

from scaiflow_api.localgrid.store import LARGEST_INTEGER, Store

_MOST_PER_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for; pages count from 1."""

    page: int
    per_page: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of a list, and the size of the whole."""

    asked: Page
    rows: Sequence[dict[str, Any]]
    total: int

    def as_items(self) -> dict[str, Any]:
        """Return the envelope of admin lists."""
        return {
            "items": list(self.rows),
            "total": self.total,
            "page": self.asked.page,
            "per_page": self.asked.per_page,
        }

    def as_data(self) -> dict[str, Any]:
        """Return the envelope `PaginatedResponse`."""
        pages = -(-self.total // self.asked.per_page)
        numbers = {"page": self.asked.page, "per_page": self.asked.per_page, "total": self.total}
        return {"data": list(self.rows), "pagination": {**numbers, "total_pages": pages}, "meta": {}}


async def _asked(
    page: Annotated[int, Query(ge=1, le=LARGEST_INTEGER // _MOST_PER_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=_MOST_PER_PAGE)] = 50,
) -> Page:
    return Page(page, per_page)


PageDep = Annotated[Page, Depends(_asked)]


async def listed(
    store: Store,
    columns: str,
    origin: str,
    values: Sequence[Any],
    asked: Page,
    as_json: Callable[[sqlite3.Row], dict[str, Any]],
) -> Listed:
    """Return one page of `SELECT {columns} {origin}`; `origin` says `FROM … WHERE …`, and `id` orders it."""

    def read(connection: sqlite3.Connection) -> Listed:
        total = connection.execute(f"SELECT count(*) {origin}", values).fetchone()[0]
        rows = connection.execute(
            f"SELECT {columns} {origin} ORDER BY id LIMIT ? OFFSET ?",
            (*values, asked.per_page, (asked.page - 1) * asked.per_page),
        ).fetchall()
        return Listed(asked, [as_json(row) for row in rows], total)

    return await store.read(read)
