"""What became of the entries of a list: which stayed, in which order, and where new ones go."""

from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import orjson

from scaiflow_api.domains.sync.document.shape import JSON
from scaiflow_api.flowgraph.changes import NAMES

_MOST_COMPARED: Final = 4_000_000
"""Pairs of entries; two longer stretches are compared entry by entry."""


def unmoved(old: Sequence[str], new: Sequence[str]) -> frozenset[str]:
    """Return the most names that both have and that come in the same order in both."""
    place = {name: index for index, name in enumerate(new)}
    common = [name for name in old if name in place]
    ends: list[int] = []
    last: list[str] = []
    before: dict[str, str | None] = {}
    for name in common:
        length = bisect_left(ends, place[name])
        before[name] = last[length - 1] if length else None
        ends[length:] = [place[name], *ends[length + 1 :]] if length < len(ends) else [place[name]]
        last[length:] = [name, *last[length + 1 :]] if length < len(last) else [name]
    found = set()
    name_or_end = last[-1] if last else None
    while name_or_end is not None:
        found.add(name_or_end)
        name_or_end = before[name_or_end]
    return frozenset(found)


def groups_after(
    wanted: Sequence[str], standing: Mapping[str, object], to_place: frozenset[str]
) -> dict[str | None, list[str]]:
    """Return what is placed behind which of the `standing` (None: first), so that all comes as `wanted`."""
    groups: dict[str | None, list[str]] = {}
    anchor: str | None = None
    for name in wanted:
        if name in to_place:
            groups.setdefault(anchor, []).append(name)
        elif name in standing:
            anchor = name
    return groups


def common_name(*lists: Sequence[JSON]) -> str | None:
    """Return the key by which the entries of all these lists can be known, if there is one."""
    return next((key for key in NAMES if all(_all_named(items, key) for items in lists)), None)


def pairs(old: Sequence[JSON], new: Sequence[JSON], name: str | None) -> dict[int, int]:
    """Return which entries of two lists belong together, in the order of both.

    They are known by their names, where there are such, else by being equal or by standing between equal ones.
    """
    tokens = [[item[name] if name else _token(item) for item in items] for items in (old, new)]
    return dict(_matches(*tokens, by_place=name is None))


def _all_named(items: Sequence[JSON], key: str) -> bool:
    names = {item[key] for item in items if isinstance(item, dict) and isinstance(item.get(key), str)}
    return len(names) == len(items)


def _token(item: JSON) -> Hashable:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _matches(old: list[Hashable], new: list[Hashable], *, by_place: bool) -> list[tuple[int, int]]:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    found = [(index, index) for index in range(start)]
    found += [(len(old) - index, len(new) - index) for index in range(1, end + 1)]
    first, second = old[start : len(old) - end], new[start : len(new) - end]
    if len(first) * len(second) > _MOST_COMPARED:
        blocks = [("replace", 0, len(first), 0, len(second))]
    else:
        blocks = [*SequenceMatcher(None, first, second, autojunk=False).get_opcodes()]
    for kind, low, high, other_low, other_high in blocks:
        if kind == "equal" or (kind == "replace" and by_place and high - low == other_high - other_low):
            found += [(start + low + step, start + other_low + step) for step in range(high - low)]
    return found
