"""Opaque cursors: where a page ended, for the next one to begin."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any


def encode_cursor(*position: str) -> str:
    """Return the position as one URL-safe word."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> tuple[str, ...] | None:
    """Return the position that `encode_cursor` made of `length` parts; None for anything else."""
    try:
        parts: Any = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) != length or not all(_is_text(part) for part in parts):
        return None
    return tuple(parts)


def decode_moment(part: str) -> datetime | None:
    """Return a moment in UTC, from how `isoformat` writes one with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(part)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last day of all have no UTC in some zones
        return None


def _is_text(part: object) -> bool:
    """Tell whether this is a text that a database can be asked about: without NUL and lone surrogates."""
    if not isinstance(part, str) or "\x00" in part:
        return False
    return part.isascii() or not any("\ud800" <= character <= "\udfff" for character in part)
