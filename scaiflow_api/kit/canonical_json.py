"""Canonical JSON: one value, one sequence of bytes. Stored documents, digests, diffs and drift rest on it.

Keys sorted by code point, no white space, UTF-8, integral floats written as integers. Refused, because other
readers would change them in silence: integers beyond ±2⁵³, NaN and infinities, lone surrogates, keys that are
no text. Floats beyond ±2⁵³ keep their float form.
"""

import math
import re
from typing import Any

import orjson

MAX_EXACT_INTEGER = 2**53
MAX_DEPTH = 200
"""Deeper values are refused; the encoder below stops a little later."""


def canonical_json(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value.

    Raises ValueError, with the reason, for what has no canonical form.
    """
    known = canonical_copy(value)
    if known is not None:
        return known[1]
    try:
        return orjson.dumps(_normalized(value), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"no canonical JSON: {error}") from error


def normalized(value: Any) -> Any:
    """Return an equal value whose keys are sorted and whose integral floats are integers.

    Raises ValueError as `canonical_json` does, but for lone surrogates, which only the encoder sees.
    """
    known = canonical_copy(value)
    return _normalized(value) if known is None else known[0]


CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
"""How the encoder writes what has a canonical form and no integral float."""
INTEGRAL_FLOAT = re.compile(rb"\.0(?:[,\]}]|\Z)")
NULL = re.compile(rb"null[,\]}]")
"""A null within a list or an object, or a text that looks like one."""


_ENCODER_DEPTH = 254
"""What orjson allows, by its documentation."""


def canonical_copy(value: Any) -> tuple[Any, bytes] | None:
    """Return what `normalized` and `canonical_json` would, several times as fast; None where they must look closer.

    That is the case for a value that the encoder refuses or changes (NaN becomes null), for integral floats, and
    for more than `MAX_DEPTH` lists and objects inside each other.
    """
    text = exact_text(value, max_depth=MAX_DEPTH)
    return None if text is None else copy_of(value, text)


def copy_of(value: Any, text: bytes) -> tuple[Any, bytes] | None:
    """Return what `canonical_copy` does, from the `exact_text` of the value."""
    copy = orjson.loads(text)
    return (copy, text) if copy == value else None


def canonical_text(value: dict[str, Any], *, max_depth: int = MAX_DEPTH) -> bytes | None:
    """Return the text of `canonical_copy`, three times as fast, for an object as a parser of JSON returns it."""
    text = exact_text(value, max_depth=max_depth)
    # Of such values the encoder changes NaN and the infinities alone, to null.
    if text is not None and NULL.search(text) and orjson.loads(text) != value:
        return None
    return text


def exact_text(value: Any, *, max_depth: int) -> bytes | None:
    """Return the text of `canonical_copy`, but for what the encoder changes."""
    text = encoded(value, max_depth=max_depth, option=CANONICAL)
    return None if text is None or INTEGRAL_FLOAT.search(text) else text


def encoded(value: Any, *, max_depth: int, option: int = 0) -> bytes | None:
    """Return the JSON of a value; None where the encoder refuses it, or it nests deeper.

    So it is also the fastest way to see that a value has no key but texts, and no more than `max_depth` lists and
    objects inside each other.
    """
    # Wrapped in lists until only `max_depth` levels are left, so that the encoder counts the depth for us.
    wrappers = max(0, _ENCODER_DEPTH - max_depth)
    wrapped = value
    for _ in range(wrappers):
        wrapped = [wrapped]
    try:
        text = orjson.dumps(wrapped, option=option)
    except orjson.JSONEncodeError:
        return None
    return text[wrappers : len(text) - wrappers]


def _normalized(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_EXACT_INTEGER:
            raise ValueError("an integer beyond ±2⁵³")
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return [_normalized(item, depth + 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key that is no text")
        return {key: _normalized(value[key], depth + 1) for key in sorted(value)}
    raise ValueError(f"not a JSON value: {type(value).__name__}")


def _number(value: float) -> float | int:
    if not math.isfinite(value):
        raise ValueError(f"not a JSON number: {value}")
    if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return int(value)
    return value
