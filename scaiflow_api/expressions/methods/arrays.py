"""The methods of lists. A list never changes; each element that is looked at costs a step.

`sum`, `min` and `max` with a lambda work on its results; `any` and `all` without one on the elements' truth.
Sorting costs one step per element as well: its comparisons run on plain numbers and strings.
"""

from operator import itemgetter

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.methods.signature import Accepts, Function, MethodTable, Parameter
from scaiflow_api.expressions.operators import add, check_orderable, contained
from scaiflow_api.expressions.texts import joined_text, plain_text
from scaiflow_api.expressions.values import Number, Value, is_number, truthy, type_name

LIST_METHODS = MethodTable()

_FN = Parameter("fn", Accepts.FUNCTION)
_OPTIONAL_FN = Parameter("fn", Accepts.FUNCTION, None)


@LIST_METHODS.method()
def length(_meter: Meter, items: list[Value]) -> int:
    return len(items)


@LIST_METHODS.method()
def first(_meter: Meter, items: list[Value]) -> Value:
    return items[0] if items else None


@LIST_METHODS.method()
def last(_meter: Meter, items: list[Value]) -> Value:
    return items[-1] if items else None


@LIST_METHODS.method(Parameter("item", Accepts.VALUE))
def contains(meter: Meter, items: list[Value], item: Value) -> bool:
    return contained(item, items, meter)


@LIST_METHODS.method(_OPTIONAL_FN)
def any_(meter: Meter, items: list[Value], fn: Function | None) -> bool:
    for item in items:
        meter.charge()
        if truthy(fn(item) if fn else item):
            return True
    return False


@LIST_METHODS.method(_OPTIONAL_FN)
def all_(meter: Meter, items: list[Value], fn: Function | None) -> bool:
    for item in items:
        meter.charge()
        if not truthy(fn(item) if fn else item):
            return False
    return True


@LIST_METHODS.method(_FN)
def map_(meter: Meter, items: list[Value], fn: Function) -> list[Value]:
    meter.charge(len(items))
    results = list(map(fn, items))
    meter.measure(results)
    return results


@LIST_METHODS.method(_FN)
def filter_(meter: Meter, items: list[Value], fn: Function) -> list[Value]:
    meter.charge(len(items))
    kept = [item for item, keep in zip(items, map(fn, items), strict=True) if truthy(keep)]
    meter.measure(kept)
    return kept


@LIST_METHODS.method(_OPTIONAL_FN)
def sum_(meter: Meter, items: list[Value], fn: Function | None) -> Number:
    total: Number = 0
    for value in _keys(meter, items, fn):
        if not is_number(value):
            raise OperationError(f"sum() needs numbers, but got {type_name(value)}")
        total = add(total, value)
    return total


@LIST_METHODS.method(_OPTIONAL_FN)
def min_(meter: Meter, items: list[Value], fn: Function | None) -> Value:
    keys = _keys(meter, items, fn)
    check_orderable(keys, meter, "min()")
    return min(keys, default=None)  # type: ignore[type-var] # checked to be orderable


@LIST_METHODS.method(_OPTIONAL_FN)
def max_(meter: Meter, items: list[Value], fn: Function | None) -> Value:
    keys = _keys(meter, items, fn)
    check_orderable(keys, meter, "max()")
    return max(keys, default=None)  # type: ignore[type-var] # checked to be orderable


@LIST_METHODS.method(_OPTIONAL_FN)
def sort(meter: Meter, items: list[Value], fn: Function | None) -> list[Value]:
    """Return the elements in ascending order of themselves or of `fn`; equal ones keep their order."""
    keys = _keys(meter, items, fn)
    check_orderable(keys, meter, "sort()")
    ordered = [item for _, item in sorted(zip(keys, items, strict=True), key=itemgetter(0))]
    meter.measure(ordered)
    return ordered


@LIST_METHODS.method(Parameter("sep", Accepts.TEXT))
def join(meter: Meter, items: list[Value], sep: str) -> str:
    meter.charge(len(items))
    return joined_text([plain_text(item, meter) for item in items], sep, meter)


def _keys(meter: Meter, items: list[Value], fn: Function | None) -> list[Value]:
    meter.charge(len(items))
    return list(map(fn, items)) if fn else items
