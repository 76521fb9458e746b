"""Where the values of a JSON text stand: for messages that lead an editor to the line."""

import json
import re
from collections.abc import Collection, Iterator
from typing import TypeAlias

from scaiflow_api.flowgraph.problems import join_path

_TOKEN = re.compile(r'[ \t\r\n]*(?:("[^"\\]*(?:\\.[^"\\]*)*")|([{}\[\]:,])|([^\s{}\[\]:,"]+))', re.DOTALL)
Steps: TypeAlias = tuple[str | int, ...]


def walk(text: str) -> Iterator[tuple[Steps, int]]:
    """Yield the way to every value of a JSON text and its position; a member stands where its key does.

    A key that an object has twice yields its way twice.
    """
    trail: list[str | int | None] = []
    """For each open list the place, for each open object the key, None while it is to come."""
    key_position = 0
    for token in _TOKEN.finditer(text):
        string, mark, _ = token.groups()
        position = token.start(token.lastindex or 0)
        match mark:
            case "}" | "]":
                trail.pop()
            case ",":
                trail[-1] = trail[-1] + 1 if isinstance(trail[-1], int) else None
            case ":":
                pass
            case None if string and trail and trail[-1] is None:
                trail[-1], key_position = json.loads(string), position
            case _:
                is_member = bool(trail) and isinstance(trail[-1], str)
                yield (
                    tuple(step for step in trail if step is not None),
                    key_position if is_member else position,
                )
                if mark:
                    trail.append(None if mark == "{" else 0)


def first_double(text: str) -> tuple[str, int] | None:
    """Return the path and the line of the first key that its object has already."""
    seen: set[Steps] = set()
    for steps, position in walk(text):
        if steps in seen:
            return join_path(*steps), _line(text, position)
        seen.add(steps)
    return None


def lines_of(text: str, paths: Collection[str]) -> dict[str, int]:
    """Return the lines, counted from 1, on which the values at `paths` begin.

    For a value that is missing, the line of what should contain it.
    """
    nearest = {path: list(_upwards(path)) for path in paths}
    wanted = {place for places in nearest.values() for place in places}
    found = {path: position for steps, position in walk(text) if (path := join_path(*steps)) in wanted}
    return {
        path: _line(text, next(found[place] for place in places if place in found))
        for path, places in nearest.items()
    }


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    yield ""


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
