"""Did you mean: the nearest of some names, at a bounded cost.

A document may hold thousands of mistakes beside thousands of names, so one check compares only so much; findings
after that come without a suggestion.
"""

from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain

from msgspec import Struct

MAX_LENGTH = 64
MAX_EDITS = 2
COST_OF_EDITS = 500
"""Counting the edits between two words, in compared characters."""


class Suggestions(Struct):
    """The budget of one check, in compared characters."""

    budget: int = 200_000

    def did_you_mean(self, word: str, candidates: Collection[str]) -> str | None:
        """Return a sentence that names the candidate most like `word`, or None."""
        near = self.nearest(word, candidates)
        return f"did you mean '{near}'?" if near is not None else None

    def nearest(self, word: str, candidates: Collection[str]) -> str | None:
        """Return the candidate most like `word`, or None. One that differs in case alone is most like it."""
        if not self._affords(word, len(candidates)):
            return None
        names = sorted(candidates)
        folded = word.casefold()
        same = next((name for name in names if name.casefold() == folded), None)
        return same or next(iter(get_close_matches(word, names, n=1)), None)

    def near_miss(self, word: str, *candidates: Collection[str]) -> str | None:
        """Return that of all candidates which `word` probably misspells, or None.

        At most two edits, and fewer than half of the word: short names differ by little without being wrong.
        """
        if not self._affords(word, sum(map(len, candidates))):
            return None
        best: tuple[int, str] | None = None
        letters = _letters(word)
        for candidate in chain(*candidates):
            # An edit changes two letters at most; most candidates differ in more.
            if (letters ^ _letters(candidate)).bit_count() > 2 * MAX_EDITS:
                continue
            self.budget -= COST_OF_EDITS
            if self.budget < 0:
                return None
            limit = min(MAX_EDITS, (min(len(word), len(candidate)) - 1) // 2)
            edits = _edits(word, candidate, limit)
            if edits <= limit and (best is None or (edits, candidate) < best):
                best = edits, candidate
        return best[1] if best else None

    def _affords(self, word: str, candidates: int) -> bool:
        if len(word) > MAX_LENGTH:
            return False
        self.budget -= len(word) * candidates
        return self.budget >= 0


@lru_cache(maxsize=16_384)
def _letters(word: str) -> int:
    """Return a bit for each letter that occurs; some letters share one."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits


def _edits(left: str, right: str, limit: int) -> int:
    """Return the number of inserted, deleted, replaced or swapped letters; some number above `limit` if more.

    Only cells near the diagonal can stay within the limit, so only those are filled in.
    """
    far = limit + 1
    if abs(len(left) - len(right)) > limit:
        return far
    two_rows_up: dict[int, int] = {}
    row_up = {j: j for j in range(min(len(right), limit) + 1)}
    for i, letter in enumerate(left, 1):
        row: dict[int, int] = {0: i} if i <= limit else {}
        for j in range(max(1, i - limit), min(len(right), i + limit) + 1):
            other = right[j - 1]
            cost = min(
                row_up.get(j, far) + 1, row.get(j - 1, far) + 1, row_up.get(j - 1, far) + (letter != other)
            )
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, two_rows_up.get(j - 2, far) + 1)
            row[j] = cost
        two_rows_up, row_up = row_up, row
    return row_up.get(len(right), far)
