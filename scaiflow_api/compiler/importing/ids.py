"""Ids of the document, made from what a manifest calls things."""

import re
from collections.abc import Iterable

from scaiflow_api.flowgraph.models import ID_PATTERN, SEMVER_PATTERN

LONGEST = 128
_VALID = re.compile(ID_PATTERN)
_VERSION = re.compile(SEMVER_PATTERN)


def is_valid_id(text: str) -> bool:
    return _VALID.fullmatch(text) is not None


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


class Ids:
    """Hands out valid ids, each only once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._reserved: set[str] = set()
        self._numbers: dict[str, int] = {}

    def reserve(self, wanted: Iterable[str]) -> None:
        """Keep ids for those who will ask for them by name."""
        self._reserved |= {item for item in wanted if is_valid_id(item)} - self._taken

    def claim(self, wanted: str) -> str:
        """Return `wanted` if it is valid and free, else something like it."""
        plain = wanted if is_valid_id(wanted) else re.sub(r"[^A-Za-z0-9_-]+", "_", wanted)[:LONGEST] or "_"
        if plain in self._taken or (plain in self._reserved and plain != wanted):
            return self.number(plain, "-", 2)
        self._taken.add(plain)
        return plain

    def number(self, start: str, joint: str = "_", first: int = 1) -> str:
        """Return the next free id that begins so and ends with a number."""
        start = start[: LONGEST - 12] + joint
        number = self._numbers.get(start, first)
        while (candidate := f"{start}{number}") in self._taken or candidate in self._reserved:
            number += 1
        self._numbers[start] = number + 1
        self._taken.add(candidate)
        return candidate
