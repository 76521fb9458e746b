"""A quick yes to a document that is to be stored: a save brings mostly what the one before it brought.

What there is to know of a node or an edge is remembered by its text, so checking a document costs what its changes
cost, and the texts make that of the document. What is not plainly sound is left to `parse_document`, which takes
longer and says why.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from scaiflow_api.flowgraph.config import Part
from scaiflow_api.flowgraph.limits import Limits
from scaiflow_api.flowgraph.models import Edge, FlowGraph, Node
from scaiflow_api.flowgraph.parse import MAX_ENTRIES, NUL, check_containers, check_counts, check_entries
from scaiflow_api.flowgraph.unique import find_duplicates
from scaiflow_api.kit.canonical_json import CANONICAL, INTEGRAL_FLOAT, NULL, canonical_text, encoded

_REMEMBERED: Final = 8_192
_SHORT: Final = 1_024
"""Bytes; longer parts are not remembered, which bounds the memory."""
_LISTS: Final[Sequence[tuple[str, type[Part]]]] = (("nodes", Node), ("edges", Edge))


def sound_text(document: dict[str, Any], limits: Limits) -> bytes | None:
    """Return the text of what `parse_document` would return; None where it has to look.

    `document` is as a parser of JSON returned it. Raises FlowTooLarge.
    """
    check_counts(document, limits)
    if not _is_sound_frame({**document, "nodes": [], "edges": []}, limits):
        return None
    written = dict(document)
    for key, kind in _LISTS:
        if key in document:
            text = _sound_list(kind, document[key], limits.max_nesting - 2)
            if text is None:
                return None
            written[key] = orjson.Fragment(text)
    text = orjson.dumps(written, option=CANONICAL)
    _check_entries(document, text)
    check_containers(text)
    return text if len(text) <= limits.max_bytes else None


def _is_sound_frame(frame: dict[str, Any], limits: Limits) -> bool:
    text = canonical_text(frame, max_depth=limits.max_nesting)
    if text is None or NUL in text:
        return False
    _check_entries(frame, text)
    if any(find_duplicates(frame)):
        return False
    try:
        FlowGraph.model_validate(frame)
    except ValidationError:
        return False
    return True


def _sound_list(kind: type[Part], parts: object, max_depth: int) -> bytes | None:
    """Return the text of a list of sound parts of different ids."""
    if not isinstance(parts, list):
        return None
    texts, ids = [], set()
    for part in parts:
        try:
            text = orjson.dumps(part, option=CANONICAL)
        except orjson.JSONEncodeError:
            return None
        look = _looked if len(text) <= _SHORT else _look
        seen = look(kind, text, max_depth)
        # Of what a parser of JSON returns, the encoder changes NaN and the infinities alone, to null.
        if not seen.sound or (seen.has_null and orjson.loads(text) != part):
            return None
        texts.append(text)
        ids.add(part["id"])
    return b"[%b]" % b",".join(texts) if len(ids) == len(texts) else None


def _check_entries(document: dict[str, Any], text: bytes) -> None:
    if len(text) > MAX_ENTRIES:  # else it has no room for more than so many
        check_entries(document)


class _Seen(NamedTuple):
    """What there is to know of the text of a part."""

    sound: bool
    has_null: bool


def _look(kind: type[Part], text: bytes, max_depth: int) -> _Seen:
    value = orjson.loads(text)
    _check_entries({"nodes": [value]}, text)
    sound = (
        encoded(value, max_depth=max_depth) is not None
        and not INTEGRAL_FLOAT.search(text)
        and NUL not in text
        and _parses(kind, text)
        and not any(find_duplicates({"nodes": [value]}))
    )
    return _Seen(sound, NULL.search(text) is not None)


_looked = lru_cache(_REMEMBERED)(_look)


def _parses(kind: type[Part], text: bytes) -> bool:
    try:
        kind.model_validate_json(text)
    except ValidationError:
        return False
    return True
