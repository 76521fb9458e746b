"""A quick yes to a document that is to be stored: a save brings mostly what the one before it brought.

Whether a node or an edge is sound is remembered by its text, so checking a document costs what its changes cost. What
is not plainly sound is left to `parse_document`, which takes longer and says why.
"""

from functools import lru_cache
from typing import Any, Final

import orjson
from pydantic import ValidationError

from scaiflow_api.flowgraph.config import Part
from scaiflow_api.flowgraph.limits import Limits
from scaiflow_api.flowgraph.models import Edge, FlowGraph, Node
from scaiflow_api.flowgraph.parse import NUL, check_counts
from scaiflow_api.flowgraph.unique import find_duplicates
from scaiflow_api.kit.canonical_json import canonical_text

_REMEMBERED: Final = 8_192
_SHORT: Final = 1_024
"""Bytes; longer parts are not remembered, which bounds the memory."""


def sound_text(document: dict[str, Any], limits: Limits) -> bytes | None:
    """Return the text of what `parse_document` would return; None where it has to look.

    `document` is as a parser of JSON returned it. Raises FlowTooLarge.
    """
    check_counts(document, limits)
    text = canonical_text(document, max_depth=limits.max_nesting)
    if text is None or len(text) > limits.max_bytes or NUL in text:
        return None
    return text if _has_sound_parts(document) and not any(find_duplicates(document)) else None


def _has_sound_parts(document: dict[str, Any]) -> bool:
    lists: tuple[tuple[str, type[Part]], ...] = (("nodes", Node), ("edges", Edge))
    for key, kind in lists:
        parts = document.get(key, [])
        if not isinstance(parts, list) or not all(_is_sound(kind, orjson.dumps(part)) for part in parts):
            return False
    try:
        FlowGraph.model_validate({**document, "nodes": [], "edges": []})
    except ValidationError:
        return False
    return True


def _is_sound(kind: type[Part], text: bytes) -> bool:
    return _remembered(kind, text) if len(text) <= _SHORT else _parses(kind, text)


def _parses(kind: type[Part], text: bytes) -> bool:
    try:
        kind.model_validate_json(text)
    except ValidationError:
        return False
    return True


_remembered = lru_cache(_REMEMBERED)(_parses)
