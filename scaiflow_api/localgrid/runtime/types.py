"""Type strings of the flow language (`enum[a, b]`, `map<string, string>`, `string?`): read, check, describe.

Both bracket forms are read, because flow documents write `map<K, V>` and the language `map[K, V]`. An unknown
name is a type that the author declared elsewhere and accepts every value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from scaiflow_api.expressions import Value

_TOKEN = re.compile(r"[\[\]<>,?]|[^\[\]<>,?]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)
_MARKS = frozenset("[]<>,?")
_CLOSERS = {"[": "]", "<": ">"}
_T = TypeVar("_T")

_MAX_LENGTH = 4096
_MAX_NESTING = 16

STRING_FORMATS: Mapping[str, str | None] = {
    "date": "date",
    "datetime": "date-time",
    "email": "email",
    "url": "uri",
    "uuid": "uuid",
    "duration": None,
}
"""Types whose values are written as strings → their JSON Schema format."""


class TypeSyntaxError(Exception):
    """A type string that cannot be read."""


class TypeMismatch(Exception):
    """A value that is not of the type and cannot be made so. `path` is where, e.g. `.citations[0]`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'value'}: {message}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Type:
    """A type: its name, its arguments, an enum's choices, and whether null is one of its values."""

    name: str
    arguments: tuple["Type", ...] = ()
    choices: tuple[str, ...] = ()
    optional: bool = False

    def __str__(self) -> str:
        inner = ", ".join(self.choices or map(str, self.arguments))
        return f"{self.name}{f'[{inner}]' if inner else ''}{'?' if self.optional else ''}"


@lru_cache(maxsize=1024)
def parse_type(text: str) -> Type:
    """Read a type string. Raises TypeSyntaxError."""
    if len(text) > _MAX_LENGTH:
        raise TypeSyntaxError(f"a type has more than {_MAX_LENGTH} characters")
    return _Reader(text).whole()


class _Reader:
    """Reads one type string from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [token for token in map(str.strip, _TOKEN.findall(text)) if token]
        self._position = 0

    def whole(self) -> Type:
        found = self._type(_MAX_NESTING)
        if self._peek() is not None:
            raise self._error(f"{self._peek()!r} is not expected")
        return found

    def _type(self, depth: int) -> Type:
        if depth == 0:
            raise self._error("it is nested too deeply")
        name = self._word()
        if not _NAME.fullmatch(name):
            raise self._error(f"{name!r} is no name of a type")
        if name == "enum":
            choices = tuple(self._bracketed(self._word))
            return Type(name, (), choices, self._optional())
        arguments = tuple(self._bracketed(lambda: self._type(depth - 1)))
        return Type(name, arguments, (), self._optional())

    def _bracketed(self, read: Callable[[], _T]) -> Iterator[_T]:
        closer = _CLOSERS.get(self._peek() or "")
        if closer is None:
            return
        separator: str | None = ","
        while separator == ",":
            self._position += 1
            yield read()
            separator = self._peek()
        if separator != closer:
            raise self._error(f"{closer!r} is missing")
        self._position += 1

    def _word(self) -> str:
        token = self._peek()
        if token is None or token in _MARKS:
            raise self._error("a name is missing")
        self._position += 1
        return token

    def _optional(self) -> bool:
        found = self._peek() == "?"
        self._position += found
        return found

    def _peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _error(self, message: str) -> TypeSyntaxError:
        return TypeSyntaxError(f"type {self._text!r}: {message}")


# Checking


def coerce(value: Value, type_: Type, path: str = "") -> Value:
    """Return `value` as a value of the type, converting only what loses nothing. Raises TypeMismatch."""
    if value is None:
        if type_.optional:
            return None
        raise TypeMismatch(path, f"null is no {type_}")
    convert = _CONVERTERS.get(type_.name)
    return convert(value, type_, path) if convert else value


def coerce_fields(value: Value, fields: Mapping[str, Type]) -> dict[str, Value]:
    """Return an object with exactly the declared fields. Raises TypeMismatch."""
    if not isinstance(value, dict):
        raise TypeMismatch("", f"{_describe(value)} is no object")
    return {name: coerce(value.get(name), type_, f".{name}") for name, type_ in fields.items()}


def _string(value: Value, type_: Type, path: str) -> Value:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise TypeMismatch(path, f"{_describe(value)} is no {type_}")


def _int(value: Value, type_: Type, path: str) -> Value:
    number = _number(value, type_, path)
    if isinstance(number, int):
        return number
    if number.is_integer() and abs(number) <= 2**53:
        return int(number)
    raise TypeMismatch(path, f"{number} is no {type_}")


def _float(value: Value, type_: Type, path: str) -> Value:
    return _number(value, type_, path)


def _number(value: Value, type_: Type, path: str) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(
        r"\s*-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?\s*", value, re.ASCII
    ):
        text = value.strip()
        return int(text) if re.fullmatch(r"-?\d+", text, re.ASCII) else float(text)
    raise TypeMismatch(path, f"{_describe(value)} is no {type_}")


def _bool(value: Value, type_: Type, path: str) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise TypeMismatch(path, f"{_describe(value)} is no {type_}")


def _enum(value: Value, type_: Type, path: str) -> Value:
    if not isinstance(value, str):
        raise TypeMismatch(path, f"{_describe(value)} is no {type_}")
    if not type_.choices or value in type_.choices:
        return value
    folded = {choice.casefold(): choice for choice in reversed(type_.choices)}
    choice = folded.get(value.strip().casefold())
    if choice is None:
        raise TypeMismatch(path, f"{_describe(value)} is no {type_}")
    return choice


def _array(value: Value, type_: Type, path: str) -> Value:
    if not isinstance(value, list):
        raise TypeMismatch(path, f"{_describe(value)} is no {type_}")
    if not type_.arguments:
        return value
    return [coerce(item, type_.arguments[0], f"{path}[{index}]") for index, item in enumerate(value)]


def _object(value: Value, type_: Type, path: str) -> Value:
    if not isinstance(value, dict):
        raise TypeMismatch(path, f"{_describe(value)} is no {type_}")
    if len(type_.arguments) != 2:
        return value
    return {key: coerce(item, type_.arguments[1], f"{path}.{key}") for key, item in value.items()}


_CONVERTERS: Mapping[str, Callable[[Value, Type, str], Value]] = {
    "string": _string,
    "int": _int,
    "float": _float,
    "money": _float,
    "bool": _bool,
    "enum": _enum,
    "array": _array,
    "object": _object,
    "map": _object,
    **dict.fromkeys(STRING_FORMATS, _string),
}


def _describe(value: Value) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# Describing


def json_schema(fields: Mapping[str, Type]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these fields; an optional one is required and may be null."""
    return {
        "type": "object",
        "properties": {name: _schema(type_) for name, type_ in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def is_closed(type_: Type) -> bool:
    """Return whether the type's JSON Schema leaves nothing open, which strict structured output demands."""
    if type_.name == "array":
        return len(type_.arguments) == 1 and is_closed(type_.arguments[0])
    return type_.name in _SCALARS


_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "money": {"type": "number"},
    "bool": {"type": "boolean"},
    "enum": {"type": "string"},
    **{
        name: {"type": "string", **({"format": format_} if format_ else {})}
        for name, format_ in STRING_FORMATS.items()
    },
}


def _schema(type_: Type) -> dict[str, Any]:
    schema = _plain_schema(type_)
    if not type_.optional or "type" not in schema:
        return schema
    nullable = {**schema, "type": [schema["type"], "null"]}
    return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable


def _plain_schema(type_: Type) -> dict[str, Any]:
    if type_.name == "array":
        return {"type": "array", **({"items": _schema(type_.arguments[0])} if type_.arguments else {})}
    if type_.name in {"object", "map"}:
        values = {"additionalProperties": _schema(type_.arguments[1])} if len(type_.arguments) == 2 else {}
        return {"type": "object", **values}
    choices = {"enum": list(type_.choices)} if type_.choices else {}
    return {**_SCALARS.get(type_.name, {}), **choices}
