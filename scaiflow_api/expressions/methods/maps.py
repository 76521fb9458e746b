"""The methods of maps."""

from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.methods.signature import Accepts, MethodTable, Parameter
from scaiflow_api.expressions.values import Value

MAP_METHODS = MethodTable()

_KEY = Parameter("key", Accepts.TEXT)


@MAP_METHODS.method()
def length(_meter: Meter, entries: dict[str, Value]) -> int:
    return len(entries)


@MAP_METHODS.method()
def keys(meter: Meter, entries: dict[str, Value]) -> list[str]:
    meter.charge(len(entries))
    names = list(entries)
    meter.measure(names)
    return names


@MAP_METHODS.method()
def values(meter: Meter, entries: dict[str, Value]) -> list[Value]:
    meter.charge(len(entries))
    items = list(entries.values())
    meter.measure(items)
    return items


@MAP_METHODS.method(_KEY)
def has(_meter: Meter, entries: dict[str, Value], key: str) -> bool:
    return key in entries


@MAP_METHODS.method(_KEY, Parameter("default", Accepts.VALUE, None))
def get(_meter: Meter, entries: dict[str, Value], key: str, default: Value) -> Value:
    return entries.get(key, default)
