"""Evaluates expressions in a scope, within the bounds of a meter and without side effects."""

from collections.abc import Mapping

from msgspec.structs import force_setattr

from scaiflow_api.expressions.code import code_of
from scaiflow_api.expressions.errors import EvaluationError, OperationError
from scaiflow_api.expressions.limits import DEFAULT, Limits, Meter
from scaiflow_api.expressions.syntax import Expression
from scaiflow_api.expressions.values import NUMBERS, SMALL, Value
from scaiflow_api.expressions.wording import excerpt


def evaluate(expression: Expression, scope: Mapping[str, Value], *, limits: Limits = DEFAULT) -> Value:
    """Return the expression's value. Raises EvaluationError, and nothing else, when it has none.

    Lists and maps may be shared with the scope: treat them as read-only.
    """
    return evaluate_metered(expression, scope, Meter(limits))


def evaluate_metered(expression: Expression, scope: Mapping[str, Value], meter: Meter) -> Value:
    """Evaluate as one of several expressions that share the bounds of `meter`."""
    code = expression.code
    if code is None:
        code = code_of(expression.root, expression.source)
        # The first evaluation of a tree pays for its code; two threads at once would only write the same twice.
        force_setattr(expression, "code", code)
    value: Value = code(scope, None, meter)
    if value is None or value is True or value is False:
        return value
    if type(value) in NUMBERS and -SMALL < value < SMALL:  # type: ignore[operator]
        return value
    try:
        meter.measure(value)
    except OperationError as problem:
        raise EvaluationError(f"`{excerpt(expression.source)}`: {problem}", expression.source) from None
    return value
