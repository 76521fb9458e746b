"""Places in a list: texts that sort by code point, with room for another between any two (a fractional index).

The same keys that the `fractional-indexing` package of npm makes, so a canvas can use that. A place begins with an
integer whose first letter tells its length (`a0` … `az`, `b00` … `bzz`; `Zz` is before `a0`); digits of a fraction
may follow. Clients write what they like: whatever cannot be continued gets None here, and never an error.
"""

import re
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_WORD: Final = re.compile(r"[A-Za-z][0-9A-Za-z]{1,254}")


def first_places(count: int) -> list[str]:
    """Return the places of a list that is new."""
    places, place = [], "a0"
    for _ in range(count):
        places.append(place)
        place = _step(place, 1) or place
    return places


def places_between(before: str | None, after: str | None, count: int) -> list[str] | None:
    """Return `count` places in order between two; None stands for an end of the list.

    None where there is no room: two places are equal or the wrong way round, or one is none of ours.
    """
    if any(place is not None and not _is_place(place) for place in (before, after)):
        return None
    if before is not None and after is not None and before >= after:
        return None
    return _spread(before, after, count)


def _spread(before: str | None, after: str | None, count: int) -> list[str] | None:
    """Halve the gap, so that a thousand places between two neighbours stay short."""
    if count == 0:
        return []
    if before is None or after is None:
        return _row(before, after, count)
    middle = _between(before, after)
    left = _spread(before, middle, count // 2)
    right = _spread(middle, after, count - count // 2 - 1)
    return None if left is None or right is None else [*left, middle, *right]


def _row(before: str | None, after: str | None, count: int) -> list[str] | None:
    """Return the next integers at an end of the list, where nothing needs to be halved."""
    if before is None and after is None:
        return first_places(count)
    step = 1 if before is not None else -1
    place: str | None = _integer(before or after or "")
    places = []
    if step < 0 and place is not None and after is not None and place < after:
        places, count = [place], count - 1
    for _ in range(count):
        place = _step(place, step) if place is not None else None
        if place is None:
            return None
        places.append(place)
    return places[::step]


def _between(before: str, after: str) -> str:
    whole = _integer(before)
    following = _step(whole, 1)
    if following is not None and following < after:
        return following
    fraction = before[len(whole) :]
    if after.startswith(whole):
        return whole + _midpoint(fraction, after[len(whole) :])
    return whole + _midpoint(fraction, "")


def _midpoint(low: str, high: str) -> str:
    """Return digits of a fraction between two; an empty `high` is 1. Neither ends with a zero."""
    made, position = "", 0
    while True:
        bottom = _VALUE[low[position]] if position < len(low) else 0
        top = _VALUE[high[position]] if position < len(high) else len(_DIGITS) if not high else 0
        if bottom == top:
            made += _DIGITS[bottom]
        elif top - bottom > 1:
            return made + _DIGITS[(bottom + top + 1) // 2]
        elif position + 1 < len(high):
            return made + _DIGITS[top]
        else:
            made, high = made + _DIGITS[bottom], ""
        position += 1


def _is_place(place: str) -> bool:
    if _WORD.fullmatch(place) is None:
        return False
    whole = _integer(place)
    fraction = place[len(whole) :]
    return len(whole) == _length(place[0]) and not fraction.endswith("0") and place != "A" + "0" * 26


def _integer(place: str) -> str:
    return place[: _length(place[0])]


def _length(head: str) -> int:
    return ord(head) - ord("a") + 2 if head >= "a" else ord("Z") - ord(head) + 2


def _step(whole: str, step: int) -> str | None:
    """Return the integer one above or below; None at the very ends."""
    head, digits = whole[0], list(whole[1:])
    limit, restart = (_DIGITS[-1], _DIGITS[0]) if step > 0 else (_DIGITS[0], _DIGITS[-1])
    for index in reversed(range(len(digits))):
        if digits[index] != limit:
            digits[index] = _DIGITS[_VALUE[digits[index]] + step]
            return head + "".join(digits)
        digits[index] = restart
    heads = _DIGITS[10:]
    if head == (heads[-1] if step > 0 else heads[0]):
        return None
    head = heads[_VALUE[head] - 10 + step]
    return head + restart * (_length(head) - 1)
