"""One walk over a whole document, without recursion: nesting, text and numbers, whatever its shape."""

import math
from typing import TypeAlias

from scaiflow_api.flowgraph.limits import FlowTooLarge, Limits
from scaiflow_api.flowgraph.problems import BAD_NUMBER, BAD_TEXT, NOT_A_FLOW, Problem, join_path
from scaiflow_api.kit.canonical_json import MAX_EXACT_INTEGER

Trail: TypeAlias = "tuple[Trail, str | int] | None"
"""The way to a value, shared between siblings: a path is written out only where something is wrong."""

MAX_PROBLEMS = 1_000


def scan(document: object, limits: Limits) -> list[Problem]:
    """Return the faults in the document's texts and numbers, at most `MAX_PROBLEMS`.

    Raises FlowTooLarge where it is nested too deeply.
    """
    problems: list[Problem] = []
    pending: list[tuple[object, int, Trail]] = [(document, 1, None)]
    while pending and len(problems) < MAX_PROBLEMS:
        value, depth, trail = pending.pop()
        if isinstance(value, dict | list):
            if depth > limits.max_nesting:
                raise FlowTooLarge(limit="nesting", maximum=limits.max_nesting, actual=depth)
            pending.extend(_children(value, depth, trail, problems))
        elif fault := _fault(value):
            code, message = fault
            problems.append(Problem(path_of(trail), message, code))
    return problems


def _children(
    value: dict[object, object] | list[object], depth: int, trail: Trail, problems: list[Problem]
) -> list[tuple[object, int, Trail]]:
    """Return the parts of a value, last first, so that they are taken in order, but for sound floats in lists."""
    if isinstance(value, list):
        return [
            (item, depth + 1, (trail, index))
            for index, item in reversed(list(enumerate(value)))
            if not (type(item) is float and math.isfinite(item))
        ]
    parts: list[tuple[object, int, Trail]] = []
    for key, item in value.items():
        if not isinstance(key, str):
            problems.append(Problem(path_of(trail), "a key is not text", NOT_A_FLOW))
        elif is_bad_text(key):
            problems.append(Problem(path_of(trail), f"a key has {BAD_CHARACTERS}", BAD_TEXT))
        else:
            parts.append((item, depth + 1, (trail, key)))
    parts.reverse()
    return parts


BAD_CHARACTERS = "a NUL or half of a surrogate pair"


def is_bad_text(text: str) -> bool:
    """Return whether a text cannot be stored everywhere: it has a NUL or a lone surrogate."""
    if text.isascii():
        return "\0" in text
    return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def _fault(value: object) -> tuple[str, str] | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return (BAD_TEXT, f"the text has {BAD_CHARACTERS}") if is_bad_text(value) else None
    if isinstance(value, int):
        return (BAD_NUMBER, "the integer is beyond ±2^53") if abs(value) > MAX_EXACT_INTEGER else None
    if isinstance(value, float):
        return None if math.isfinite(value) else (BAD_NUMBER, "the number is not finite")
    return NOT_A_FLOW, "the value is not JSON"


def path_of(trail: Trail) -> str:
    """Write a way as a path."""
    parts: list[str | int] = []
    while trail is not None:
        trail, part = trail
        parts.append(part)
    return join_path(*reversed(parts))
