"""The values of the language: plain JSON-like Python values, and what is true of them without any cost."""

import math
from typing import Any, TypeAlias, TypeGuard

Value: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
Number: TypeAlias = int | float

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1
NUMBERS = (int, float)
SMALL = 2**31
"""Numbers between this and its negative need no closer look: they, their sums and their products are in range."""


def truthy(value: Value) -> bool:
    """Tell whether a condition with this value holds: null, false, 0, "", [] and {} do not."""
    return bool(value)


def is_number(value: Value) -> TypeGuard[Number]:
    """Tell whether `value` is an int or a float; a bool is no number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_range(number: Number) -> bool:
    """Tell whether the language has this number: an int of 64 bits, or a float that is finite."""
    return INT_MIN <= number <= INT_MAX if isinstance(number, int) else math.isfinite(number)


def as_whole(value: Value) -> int | None:
    """Return the int that `value` is or equals (`3.0` is 3, since `6 / 2` is `3.0`), else None."""
    if not is_number(value) or not in_range(value):
        return None
    whole = int(value)
    return whole if whole == value and in_range(whole) else None


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "a bool"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "a map"),
)


def type_name(value: Value) -> str:
    """Return the name of the value's type as messages use it, with its article."""
    if value is None:
        return "null"
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "something foreign")
