"""The methods that every value has: its text, its JSON, and its number where it is or spells one."""

import re

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.methods.signature import MethodTable
from scaiflow_api.expressions.texts import json_text, plain_text
from scaiflow_api.expressions.values import Value, in_range, is_number, type_name
from scaiflow_api.expressions.wording import excerpt

CONVERSIONS = MethodTable()

_LONGEST = 400
"""Characters of a number written out; the longest floats without an exponent have about 330."""
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@CONVERSIONS.method()
def to_string(meter: Meter, value: Value) -> str:
    return plain_text(value, meter)


@CONVERSIONS.method()
def to_json(meter: Meter, value: Value) -> str:
    return json_text(value, meter)


@CONVERSIONS.method()
def to_int(_meter: Meter, value: Value) -> int:
    """Cut the fraction off a number, or read a string that is a whole number."""
    if is_number(value):
        whole = int(value) if in_range(value) else None
    else:
        digits = _spelled("to_int", value, _WHOLE)
        whole = int(digits) if digits is not None else None
    if whole is None or not in_range(whole):
        raise OperationError(f"to_int() cannot make a whole number of 64 bits of {_shown(value)}")
    return whole


@CONVERSIONS.method()
def to_float(_meter: Meter, value: Value) -> float:
    """Return a number as a float, or read a string that is a number."""
    if is_number(value):
        number = float(value) if in_range(value) else None
    else:
        digits = _spelled("to_float", value, _DECIMAL)
        number = float(digits) if digits is not None else None
    if number is None or not in_range(number):
        raise OperationError(f"to_float() cannot make a number of {_shown(value)}")
    return number


def _spelled(method: str, value: Value, pattern: re.Pattern[str]) -> str | None:
    """Return what `value` spells if it is a string that fits `pattern`, white space around it aside."""
    if not isinstance(value, str):
        raise OperationError(f"{method}() needs a number or a string, but got {type_name(value)}")
    spelled = value[: _LONGEST + 1].strip()
    fits = len(value) <= _LONGEST and pattern.fullmatch(spelled) is not None
    return spelled if fits else None


def _shown(value: Value) -> str:
    return f"`{excerpt(value)}`" if isinstance(value, str) else type_name(value)
