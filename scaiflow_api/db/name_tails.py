"""The tails of a name: what follows from each of its letters on, so that a part of a name is how a tail begins.

An index of tails finds a part of a name, wherever it stands, by one range; on every database alike, because tails are
bytes (docs/adr/0026).
"""

from typing import Final, NamedTuple

LONGEST: Final = 64
"""Bytes that are kept of a tail; a longer part of a name cannot be looked up."""


class Tail(NamedTuple):
    """The UTF-8 of a name from one of its letters on, cut off after `LONGEST` bytes."""

    tail: bytes
    seen: int
    """So many of its first bytes stand further ahead in the name too: `na` of the second tail in `na-na`.

    A part of more bytes than this meets the name here for the first time, so each name is counted once.
    """


def tails_of(key: str) -> set[Tail]:
    """Return the tails of a name, without those that hold nothing new."""
    text, start, tails = key.encode(), 0, set()
    for letter in key:
        tail, seen = text[start : start + LONGEST], 0
        while seen < len(tail) and text.find(tail[: seen + 1], 0, start + seen) >= 0:
            seen += 1
        if seen < len(tail):
            tails.add(Tail(tail, seen))
        start += len(letter.encode())
    return tails


def range_of(part: str) -> tuple[bytes, bytes] | None:
    """Return between which bytes, without the second, the tails lie that begin with a part; None: it is too long."""
    begins = part.encode()
    return (begins, begins + b"\xff") if len(begins) <= LONGEST else None
