"""Values against the types of the flow language: made to fit, and described to a model as JSON Schema.

A type of an unknown name accepts every value.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from scaiflow_api.compiler.analysis.types import Type
from scaiflow_api.expressions import Value

STRING_FORMATS: Mapping[str, str | None] = {
    "date": "date",
    "datetime": "date-time",
    "email": "email",
    "url": "uri",
    "uuid": "uuid",
    "duration": None,
}
"""Types whose values are written as strings → their JSON Schema format."""


class TypeMismatch(Exception):
    """A value that is not of the type and cannot be made so. `path` is where, e.g. `.citations[0]`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'value'}: {message}")
        self.path = path


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
