"""Expressions and templates of a module, with their errors as failures of the block they stand in."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from scaiflow_api.expressions import (
    EvaluationError,
    Expression,
    ExpressionSyntaxError,
    Template,
    Value,
    evaluate,
    parse,
    parse_template,
    render,
    render_value,
    unwrap,
)
from scaiflow_api.localgrid.runtime.failures import BlockFailed

_EQUAL = parse("a == b")
_VALUE = parse_template("{{ value }}")


def evaluated(text: str, names: Mapping[str, Value]) -> Value:
    """Return the value of an expression, which may be wrapped in braces. Raises BlockFailed."""
    try:
        return evaluate(_expression(text), names)
    except (ExpressionSyntaxError, EvaluationError) as error:
        raise BlockFailed("EVALUATION_ERROR", f"{text!r}: {error.message}") from error


def rendered(value: Any, names: Mapping[str, Value]) -> Value:
    """Return a JSON value with every template in it rendered, types kept. Raises BlockFailed."""
    try:
        result: Value = render_value(value, names)
    except (ExpressionSyntaxError, EvaluationError) as error:
        raise BlockFailed("EVALUATION_ERROR", error.message) from error
    return result


def rendered_text(text: str, names: Mapping[str, Value]) -> str:
    """Return a template as text. Raises BlockFailed."""
    try:
        return str(render(_template(text), names, as_text=True))
    except (ExpressionSyntaxError, EvaluationError) as error:
        raise BlockFailed("EVALUATION_ERROR", f"{text[:80]!r}: {error.message}") from error


def as_text(value: Value) -> str:
    """Return a value as a template writes it into text."""
    return value if isinstance(value, str) else str(render(_VALUE, {"value": value}, as_text=True))


def equal(left: Value, right: Value) -> bool:
    """Compare as the expression language does."""
    return evaluate(_EQUAL, {"a": left, "b": right}) is True


@lru_cache(maxsize=4096)
def _expression(text: str) -> Expression:
    return parse(unwrap(text)[0])


@lru_cache(maxsize=1024)
def _template(text: str) -> Template:
    return parse_template(text)
