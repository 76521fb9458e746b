"""Canonical JSON: one value, one sequence of bytes. Stored documents, digests, diffs and drift rest on it.

Keys sorted by code point, no white space, UTF-8, integral floats written as integers. Refused, because other
readers would change them in silence: integers beyond ±2⁵³, NaN and infinities, lone surrogates, keys that are
no text. Floats beyond ±2⁵³ keep their float form.
"""

import math
from typing import Any

import orjson

MAX_EXACT_INTEGER = 2**53
MAX_DEPTH = 200
"""Deeper values are refused; the encoder below stops a little later."""


def canonical_json(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value.

    Raises ValueError, with the reason, for what has no canonical form.
    """
    try:
        return orjson.dumps(normalized(value), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"no canonical JSON: {error}") from error


def normalized(value: Any, *, depth: int = 0) -> Any:
    """Return an equal value whose keys are sorted and whose integral floats are integers.

    Raises ValueError as `canonical_json` does, but for lone surrogates, which only the encoder sees.
    """
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
        return [normalized(item, depth=depth + 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key that is no text")
        return {key: normalized(value[key], depth=depth + 1) for key in sorted(value)}
    raise ValueError(f"not a JSON value: {type(value).__name__}")


def _number(value: float) -> float | int:
    if not math.isfinite(value):
        raise ValueError(f"not a JSON number: {value}")
    if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return int(value)
    return value
