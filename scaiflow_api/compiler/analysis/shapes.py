"""What is known of a value before the flow runs: a shape, or None where nothing is known.

Shapes come from declared types, from what kinds of nodes yield, and from literals. Null is a value of every shape.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from scaiflow_api.compiler.analysis.types import Type, TypeSyntaxError, parse_type

JSON: TypeAlias = Any
Sort: TypeAlias = Literal["bool", "number", "string", "list", "map"]

_SORTS: Mapping[str, Sort] = {
    "bool": "bool",
    "int": "number",
    "float": "number",
    "money": "number",
    "string": "string",
    "enum": "string",
    "date": "string",
    "datetime": "string",
    "email": "string",
    "url": "string",
    "uuid": "string",
    "array": "list",
    "object": "map",
    "map": "map",
}
"""Type → what its values are in expressions. A duration may be a text or a number."""
WORDS: Mapping[Sort, str] = {
    "bool": "a bool",
    "number": "a number",
    "string": "a string",
    "list": "a list",
    "map": "a map",
}


MAX_CHOICES = 256
"""A text that can be more is taken for any text: each of thousands of expressions would look at all of them."""
MAX_FIELDS = 256
"""Maps of more fields are the same only where they are one."""


class Shape(Struct, frozen=True):
    """What is known of a value."""

    sort: Sort
    choices: tuple[str, ...] = ()
    """Of a string: all that it can be; nothing: any text."""
    item: "Shape | None" = None
    """Of a list: its items. Of a map without `fields`: its values."""
    fields: "Mapping[str, Shape | None] | None" = None
    """Of a map: the keys that are known."""
    closed: bool = False
    """Whether a map has no keys but `fields`."""
    literal: bool = False
    """Whether it is known from a literal alone, not from a declaration."""

    def __str__(self) -> str:
        return f"one of {listed(self.choices)}" if self.choices and not self.literal else WORDS[self.sort]


BOOL, NUMBER, TEXT, LIST, MAP = (Shape(sort) for sort in WORDS)


def listed(names: Iterable[str]) -> str:
    """Return the first names, for messages."""
    shown = list(islice(names, 7))
    return ", ".join(f"'{name}'" for name in shown[:6]) + (", …" if len(shown) > 6 else "")


def record(fields: "Mapping[str, Shape | None]", *, closed: bool = True) -> Shape:
    return Shape("map", fields=fields, closed=closed)


def declared(text: str) -> Shape | None:
    """Return the shape of a type string; None for one that cannot be read."""
    try:
        return of_type(parse_type(text))
    except TypeSyntaxError:
        return None


def of_type(type_: Type) -> Shape | None:
    sort = _SORTS.get(type_.name)
    match sort:
        case None:
            return None
        case "list":
            return Shape("list", item=of_type(type_.arguments[0]) if len(type_.arguments) == 1 else None)
        case "map":
            return Shape("map", item=of_type(type_.arguments[1]) if len(type_.arguments) == 2 else None)
        case _:
            return Shape(sort, type_.choices if len(type_.choices) <= MAX_CHOICES else ())


def common(shapes: "Iterable[Shape | None]") -> Shape | None:
    """Return what is known of a value that has one of these shapes."""
    found: Shape | None = None
    for place, shape in enumerate(shapes):
        if shape is None or (place and found is None):
            return None
        found = shape if place == 0 or found is None else _either(found, shape)
    return found


def _either(one: Shape, other: Shape) -> Shape | None:
    if one is other or (len(one.fields or ()) <= MAX_FIELDS and one == other):
        return one
    if one.sort != other.sort:
        return None
    choices = tuple(dict.fromkeys(one.choices + other.choices)) if one.choices and other.choices else ()
    return Shape(one.sort, choices, literal=one.literal and other.literal)


def misfit(value: JSON, type_: Type) -> str | None:
    """Return why a JSON value is not of a type, or None. Null fits, and so does a text with a template in it."""
    pending = [(value, type_)]
    while pending:
        item, wanted = pending.pop()
        sort = _SORTS.get(wanted.name)
        if item is None or sort is None or (isinstance(item, str) and "{{" in item):
            continue
        if sort_of(item) != sort or (wanted.name == "int" and item != int(item)):
            return f"{_shown(item)} is no {wanted}"
        if wanted.choices and item not in wanted.choices:
            return f"{_shown(item)} is none of {listed(wanted.choices)}"
        if sort == "list" and len(wanted.arguments) == 1:
            pending.extend((part, wanted.arguments[0]) for part in reversed(item))
        if sort == "map" and len(wanted.arguments) == 2:
            pending.extend((item[key], wanted.arguments[1]) for key in sorted(item, reverse=True))
    return None


def sort_of(value: JSON) -> Sort:
    """Return what a JSON value other than null is in expressions."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "map"


def _shown(value: JSON) -> str:
    if isinstance(value, list | dict):
        return WORDS[sort_of(value)]
    text = (
        f"'{value}'"
        if isinstance(value, str)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )
    return text if len(text) <= 60 else f"{text[:58]}…'"
