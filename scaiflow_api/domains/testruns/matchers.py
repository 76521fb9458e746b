"""The `$` matchers of expectations. Each returns None when it holds, else why not, as the end of a sentence."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import re2

MAX_PATTERN = 512
"""Characters of a `$regex`."""
MAX_SUBJECT_BYTES = 64 * 1024
_MAX_PATTERN_MEMORY = 8 * 1024 * 1024


class _Absent:
    """Stands for a value that is not there, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

Matches: TypeAlias = Callable[[Any, Any], bool]
_Check: TypeAlias = Callable[[Any, Any, Matches], str | None]

_KINDS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"string"}),
    "int": frozenset({"int"}),
    "integer": frozenset({"int"}),
    "float": frozenset({"int", "float"}),
    "number": frozenset({"int", "float"}),
    "bool": frozenset({"bool"}),
    "boolean": frozenset({"bool"}),
    "array": frozenset({"array"}),
    "list": frozenset({"array"}),
    "object": frozenset({"object"}),
    "map": frozenset({"object"}),
    "null": frozenset({"null"}),
}


def kind_of(value: Any) -> str:
    """Return the JSON kind of a value; a whole number is an `int` however it is written."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def same_scalar(expected: Any, got: Any) -> bool:
    """Tell whether two scalars are equal, a boolean being no number."""
    if isinstance(got, list | dict) or isinstance(expected, bool) != isinstance(got, bool):
        return False
    return bool(expected == got)


def apply_matcher(name: str, argument: Any, got: Any, matches: Matches) -> str | None:
    """Return why `got` does not satisfy the matcher; None when it does. `matches` compares nested expectations."""
    if name == "$absent":
        if argument is not True:
            return "'$absent' takes true"
        return None if got is ABSENT else "is there"
    check = _CHECKS.get(name)
    if check is None:
        return f"unknown matcher '{name}'; known: {', '.join(sorted([*_CHECKS, '$absent']))}"
    return "is missing" if got is ABSENT else check(argument, got, matches)


def _any(argument: Any, _: Any, __: Matches) -> str | None:
    return None if argument is True else "'$any' takes true"


def _type(argument: Any, got: Any, _: Matches) -> str | None:
    kinds = _KINDS.get(argument) if isinstance(argument, str) else None
    if kinds is None:
        return f"'$type' takes one of {', '.join(sorted(_KINDS))}"
    return None if kind_of(got) in kinds else f"is {kind_of(got)}, expected {argument}"


def _regex(argument: Any, got: Any, _: Matches) -> str | None:
    if not isinstance(argument, str) or len(argument) > MAX_PATTERN:
        return f"'$regex' takes a pattern of at most {MAX_PATTERN} characters"
    if not isinstance(got, str):
        return f"is {kind_of(got)}, expected string"
    if len(got.encode("utf-8", "surrogatepass")) > MAX_SUBJECT_BYTES:
        return f"is longer than the {MAX_SUBJECT_BYTES} bytes that '$regex' looks at"
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_PATTERN_MEMORY
    try:
        found = re2.compile(argument, options=options).search(got)
    except re2.error as fault:
        return f"'$regex' is no pattern: {_text_of(fault)}"
    return None if found else "does not match the pattern"


def _contains(argument: Any, got: Any, matches: Matches) -> str | None:
    if isinstance(got, str):
        if not isinstance(argument, str):
            return "'$contains' takes a string where the value is one"
        return None if argument in got else "does not contain it"
    if isinstance(got, list):
        return None if any(matches(argument, item) for item in got) else "has no such element"
    return f"is {kind_of(got)}, expected string or array"


def _in(argument: Any, got: Any, matches: Matches) -> str | None:
    if not isinstance(argument, list):
        return "'$in' takes an array"
    return None if any(matches(option, got) for option in argument) else "is none of them"


def _ordering(holds: Callable[[Any, Any], bool], otherwise: str) -> _Check:
    def check(argument: Any, got: Any, _: Matches) -> str | None:
        comparable = (_is_number(argument) and _is_number(got)) or (
            isinstance(argument, str) and isinstance(got, str)
        )
        if not comparable:
            return f"is {kind_of(got)}, which cannot be ordered against {kind_of(argument)}"
        return None if holds(got, argument) else otherwise

    return check


def _approx(argument: Any, got: Any, _: Matches) -> str | None:
    if not isinstance(argument, dict) or argument.keys() != {"value", "tol"}:
        return "'$approx' takes {value, tol}"
    value, tolerance = argument["value"], argument["tol"]
    if not _is_number(value) or not _is_number(tolerance) or tolerance < 0:
        return "'$approx' takes numbers, 'tol' not below 0"
    if not _is_number(got):
        return f"is {kind_of(got)}, expected number"
    return None if abs(got - value) <= tolerance else f"is off by {abs(got - value)}"


def _len(argument: Any, got: Any, matches: Matches) -> str | None:
    if not isinstance(got, str | list | dict):
        return f"is {kind_of(got)}, which has no length"
    return None if matches(argument, len(got)) else f"has the length {len(got)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text_of(fault: BaseException) -> str:
    told = fault.args[0] if fault.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


_CHECKS: Mapping[str, _Check] = {
    "$any": _any,
    "$type": _type,
    "$regex": _regex,
    "$contains": _contains,
    "$in": _in,
    "$gt": _ordering(lambda got, bound: bool(got > bound), "is not greater"),
    "$gte": _ordering(lambda got, bound: bool(got >= bound), "is smaller"),
    "$lt": _ordering(lambda got, bound: bool(got < bound), "is not smaller"),
    "$lte": _ordering(lambda got, bound: bool(got <= bound), "is greater"),
    "$approx": _approx,
    "$len": _len,
}
