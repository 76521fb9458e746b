"""What may be stored as a flow: whatever fits the schema and the limits, however unfinished."""

import asyncio
from typing import Any

import orjson

from scaiflow_api.compiler.rules.shape import diagnostic
from scaiflow_api.domains.flows.errors import InvalidFlow
from scaiflow_api.flowgraph import Limits, parse_document, sound_text

_AT_ONCE = 64 * 1024
"""Bytes: so much is checked in some milliseconds, and giving it to a thread costs more than the others' waiting."""


def checked(document: dict[str, Any], limits: Limits) -> bytes:
    """Return the bytes of a document that may be stored. Raises InvalidFlow, FlowTooLarge."""
    if (text := sound_text(document, limits)) is not None:
        return text
    found = parse_document(document, limits=limits)
    if isinstance(found, list):
        raise InvalidFlow(diagnostics=[diagnostic(problem).as_dict() for problem in found])
    return found.text


async def checked_without_blocking(document: dict[str, Any], limits: Limits) -> bytes:
    """Do as `checked` does, a large document in a thread: it takes a tenth of a second, in which others go on."""
    if _is_small(document):
        return checked(document, limits)
    return await asyncio.to_thread(checked, document, limits)


def _is_small(document: dict[str, Any]) -> bool:
    try:
        return len(orjson.dumps(document)) <= _AT_ONCE
    except orjson.JSONEncodeError:
        return False  # the check will say why
