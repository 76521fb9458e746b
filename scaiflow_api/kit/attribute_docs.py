"""The sentences below the attributes of a class, read from its source when somebody asks for them.

pydantic could read them itself, but does so for every class when it is defined: a tenth of a second at the start of
each process.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any


def attribute_docs(cls: type) -> Mapping[str, str]:
    """Return attribute → its docstring, for the class itself without its bases; empty where there is no source."""
    return _in_module(cls.__module__).get(cls.__qualname__, {})


@cache
def _in_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return those of a module's classes by their names."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):
        return {}
    return {node.name: _below(node.body) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _below(body: list[ast.stmt]) -> Mapping[str, str]:
    docs = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs


def describe(schema: dict[str, Any], model: type[Any]) -> None:
    """Put the sentences of a pydantic model, and of those that it extends, into its JSON Schema."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if hasattr(cls, "model_fields"):
            docs |= attribute_docs(cls)
    for name, field in model.model_fields.items():
        described = schema.get("properties", {}).get(field.alias or name)
        if described is not None and name in docs:
            described.setdefault("description", docs[name])
