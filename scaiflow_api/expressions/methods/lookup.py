"""Finds the method that a value has under a name."""

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.methods.arrays import LIST_METHODS
from scaiflow_api.expressions.methods.conversions import CONVERSIONS
from scaiflow_api.expressions.methods.maps import MAP_METHODS
from scaiflow_api.expressions.methods.signature import Method, MethodTable, did_you_mean
from scaiflow_api.expressions.methods.strings import STRING_METHODS
from scaiflow_api.expressions.values import Value, type_name
from scaiflow_api.expressions.wording import excerpt

_TABLES: dict[type, MethodTable] = {str: STRING_METHODS, list: LIST_METHODS, dict: MAP_METHODS}
_NO_METHODS = MethodTable()


def find_method(value: Value, name: str) -> Method:
    """Return the method; raise OperationError, with the name that was probably meant, when there is none."""
    table = next((table for kind, table in _TABLES.items() if isinstance(value, kind)), _NO_METHODS)
    method = table.find(name) or CONVERSIONS.find(name)
    if method is not None:
        return method
    meant = did_you_mean(name, table.names() + CONVERSIONS.names(), "()")
    raise OperationError(f"{type_name(value)} has no method `{excerpt(name)}()`{meant}")


def methods_of(kind: type | None) -> dict[str, list[Method]]:
    """Return the methods by name that values of a type have; with None, those that values of some type have."""
    own = _TABLES.values() if kind is None else [_TABLES.get(kind, _NO_METHODS)]
    found: dict[str, list[Method]] = {}
    for table in (*own, CONVERSIONS):
        for name in table.names():
            method = table.find(name)
            assert method is not None
            found.setdefault(name, []).append(method)
    return found
