"""What the operators and member access mean. Nulls in arithmetic and ordering are refused by the evaluator."""

import operator
from collections.abc import Callable
from typing import Any

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.values import Number, Value, as_whole, in_range, is_number, type_name

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Number]] = {
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}

NULL_REFUSING = frozenset({"+", *_ARITHMETIC, *_ORDERINGS})
"""The operators that have no value when an operand is null."""


def apply_binary(symbol: str, left: Value, right: Value, meter: Meter) -> Value:
    """Return `left symbol right`; raise OperationError where it has no value."""
    if symbol in {"==", "!="}:
        return equal(left, right, meter) is (symbol == "==")
    if symbol == "in":
        return contained(left, right, meter)
    if symbol in _ORDERINGS:
        check_orderable([left, right], meter, f"`{symbol}`")
        return _ORDERINGS[symbol](left, right)
    if symbol == "+" and not is_number(left):
        return _joined(left, right, meter)
    if not (is_number(left) and is_number(right)):
        wanted = "two numbers, two strings or two lists" if symbol == "+" else "two numbers"
        raise OperationError(f"`{symbol}` needs {wanted}, but got {type_name(left)} and {type_name(right)}")
    if symbol == "+":
        return add(left, right)
    if symbol in {"/", "%"} and right == 0:
        raise OperationError("division by zero")
    return _bounded(_ARITHMETIC[symbol], left, right)


def negated(value: Value) -> Number:
    if not is_number(value):
        raise OperationError(f"`-` needs a number, but got {type_name(value)}")
    return _bounded(operator.neg, value)


def add(left: Number, right: Number) -> Number:
    return _bounded(operator.add, left, right)


def _bounded(function: Callable[..., Number], *operands: Number) -> Number:
    """Return the result of arithmetic; ints have 64 bits, and no float is infinite."""
    for operand in operands:
        if not in_range(operand):
            raise OperationError("an operand is a number that does not fit in 64 bits")
    result = function(*operands)
    if not in_range(result):
        raise OperationError("the result is a number that does not fit in 64 bits")
    return result


def _joined(left: Value, right: Value, meter: Meter) -> Value:
    if isinstance(left, str) and isinstance(right, str):
        meter.check_size(meter.text_size(left) + meter.text_size(right))
        meter.charge_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        meter.charge(len(left) + len(right))
        meter.check_size(meter.measure(left) + meter.measure(right))
        joined = left + right
        meter.measure(joined)
        return joined
    raise OperationError(
        f"`+` needs two numbers, two strings or two lists, but got {type_name(left)} and {type_name(right)}"
    )


def check_orderable(values: list[Value], meter: Meter, who: str) -> None:
    """Refuse values that have no common order: only numbers, or only strings, have one."""
    meter.charge_text(sum(len(value) for value in values if isinstance(value, str)))
    types = list(dict.fromkeys(map(type_name, values)))
    if types not in ([], ["a number"], ["a string"]):
        raise OperationError(f"{who} needs numbers only or strings only, but got {' and '.join(types)}")


def equal(left: Value, right: Value, meter: Meter) -> bool:
    """Compare deeply: `1 == 1.0`, a bool equals no number, and values of different types differ."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            meter.charge(len(one))
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, dict) and isinstance(other, dict) and len(one) == len(other):
            meter.charge(len(one))
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in one.items())
        elif not _equal_scalars(one, other, meter):
            return False
    return True


def _equal_scalars(left: Value, right: Value, meter: Meter) -> bool:
    if is_number(left) and is_number(right):
        return left == right
    if isinstance(left, str) and isinstance(right, str) and len(left) == len(right):
        meter.charge_text(len(left))
        return left == right
    return isinstance(left, bool) and isinstance(right, bool) and left == right


def contained(item: Value, container: Value, meter: Meter) -> bool:
    """Return `item in container`: an item of a list, a key of a map, a part of a string; in null is nothing."""
    match container:
        case None:
            return False
        case list():
            for element in container:
                meter.charge()
                if equal(item, element, meter):
                    return True
            return False
        case dict():
            return isinstance(item, str) and item in container
        case str() if item is None:
            return False
        case str() if isinstance(item, str):
            meter.charge_text(len(container))
            return item in container
        case str():
            raise OperationError(f"`in` looks for a string in a string, but got {type_name(item)}")
    raise OperationError(f"`in` needs a list, a map or a string on its right, but got {type_name(container)}")


def member(value: Value, name: str) -> Value:
    """Return `value.name`: the key of a map or a property; what is missing is null."""
    if isinstance(value, dict):
        default: Value = len(value) if name == "length" else None
        found: Value = value.get(name, default)
        return found
    if isinstance(value, str | list) and name == "length":
        return len(value)
    if isinstance(value, list) and name in {"first", "last"}:
        return element(value, 0 if name == "first" else -1)
    return None


def element(value: Value, index: Value) -> Value:
    """Return `value[index]`: by key in a map, by position (negative: from the end) in a list or string, or null."""
    found: Value = None
    if isinstance(value, dict):
        found = value.get(index) if isinstance(index, str) else None
    elif isinstance(value, list | str):
        position = as_whole(index)
        if position is not None and -len(value) <= position < len(value):
            found = value[position]
    return found
