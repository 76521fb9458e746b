"""Reading lists that come in pages, whichever of the envelopes in ScaiKey's pages they have."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from scaiflow_api.upstreams.failures import UpstreamNonsense

Row: TypeAlias = Mapping[str, Any]
FetchPage: TypeAlias = Callable[[int, int], Awaitable[Any]]
"""Asks for one page by its number, from 1, and the number of rows wanted; returns the decoded body."""

PER_PAGE = 100
"""What every list is likely to allow: one that allows less may say so, or just give less."""
_MOST_PAGES = 100_000
_ROWS = ("data", "items", "results", "users", "groups", "members", "tenants", "applications")
_NUMBERS = ("pagination", "meta")


async def pages(fetch: FetchPage) -> AsyncIterator[Sequence[Row]]:
    """Yield the rows of each page until the list has ended. Raises UpstreamNonsense for what is no list.

    A list has ended with an empty page, with its last row or page where the envelope counts them, with `has_more`
    false, and else with a page that is shorter than those before it, or than the size it says pages have. One that
    takes no notice of the page's number, and so begins again, has ended too.
    """
    seen, largest, before = 0, 0, None
    for number in range(1, _MOST_PAGES + 1):
        body = await fetch(number, PER_PAGE)
        rows = _rows(body)
        if not rows or rows == before:
            return
        yield [row for row in rows if isinstance(row, Mapping)]
        seen, largest, before = seen + len(rows), max(largest, len(rows)), rows
        if _is_last(body, number, seen, len(rows), largest):
            return
    raise UpstreamNonsense("scaikey", status=200, message="ScaiKey's list does not end.")


def _rows(body: object) -> list[Any]:
    """Return the rows of a page: the body itself, or the list in it, at most two levels deep."""
    for _ in range(3):
        if isinstance(body, list):
            return body
        if not isinstance(body, Mapping):
            break
        body = next((body[name] for name in _ROWS if name in body), None)
    raise UpstreamNonsense("scaikey", status=200, message="ScaiKey's answer holds no list.")


def _is_last(body: object, number: int, seen: int, size: int, largest: int) -> bool:
    told = _numbers(body)
    more = told.get("has_more", told.get("has_next"))
    if isinstance(more, bool):
        return not more
    if (page_count := _count(told, "total_pages", "pages")) is not None:
        return number >= page_count
    if (total := _count(told, "total", "total_count", "total_items")) is not None:
        return seen >= total
    # A list that says nothing may give less than was asked for: its first page proves nothing.
    return size < (_count(told, "per_page", "page_size") or largest)


def _numbers(body: object) -> Row:
    """Return what the envelope says of paging, wherever it says it."""
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("data")
    levels = [body, *([inner] if isinstance(inner, Mapping) else [])]
    nested = [level[name] for level in levels for name in _NUMBERS if isinstance(level.get(name), Mapping)]
    return {name: value for level in [*levels, *nested] for name, value in level.items()}


def _count(told: Row, *names: str) -> int | None:
    value = next((told[name] for name in names if name in told), None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
