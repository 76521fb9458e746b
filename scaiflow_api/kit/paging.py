"""Opaque cursors: where a page ended, for the next one to begin."""

import base64
import binascii
import json
from datetime import datetime
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
    if not isinstance(parts, list) or len(parts) != length or not all(isinstance(p, str) for p in parts):
        return None
    return tuple(parts)


def decode_moment(part: str) -> datetime | None:
    """Return the time that stands in a cursor, as `isoformat` wrote it; None for anything else."""
    try:
        moment = datetime.fromisoformat(part)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment
