"""A flow document as people read and review it: one text for one meaning.

Keys come in the order in which the models declare them (a node's `config` in that of its kind), unknown ones
and those of free objects after them in alphabetical order; two spaces, integral floats as integers, a newline
at the end. Documents with one canonical form have one readable form, and reading it back gives that canonical form.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.flowgraph import FlowGraph, Node
from scaiflow_api.kit.canonical_json import normalized

JSON: TypeAlias = Any


def readable_json(document: JSON) -> bytes:
    """Return the text of any JSON value, which need not be a valid flow.

    Raises ValueError, with the reason, for what has no canonical form.
    """
    ordered = _ordered(normalized(document), FlowGraph)
    try:
        return orjson.dumps(ordered, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"no canonical JSON: {error}") from error


def _ordered(value: JSON, declared: Any) -> JSON:
    """Return the value with its keys in order; `declared` is the annotation of its place in the models."""
    if isinstance(value, list):
        item = next((get_args(part)[0] for part in _parts(declared) if get_origin(part) is list), None)
        return [_ordered(element, item) for element in value]
    if not isinstance(value, dict):
        return value
    fields = _fields(value, declared)
    keys = [*(key for key in fields if key in value), *(key for key in value if key not in fields)]
    return {key: _ordered(value[key], fields.get(key)) for key in keys}


def _fields(value: Mapping[str, JSON], declared: Any) -> dict[str, Any]:
    """Return key → annotation of all models that can stand here, in their order."""
    fields: dict[str, Any] = {}
    for model in _parts(declared):
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                fields.setdefault(field.alias or name, field.annotation)
            if model is Node:
                fields["config"] = _config(value.get("type"))
    return fields


def _config(kind: JSON) -> Any:
    return KINDS[kind].config if isinstance(kind, str) and kind in KINDS else None


def _parts(declared: Any) -> list[Any]:
    """Return the members of a union, whatever their annotations."""
    origin = get_origin(declared)
    if origin is Annotated:
        return _parts(get_args(declared)[0])
    if origin in (Union, UnionType):
        return [part for member in get_args(declared) for part in _parts(member)]
    return [declared]
