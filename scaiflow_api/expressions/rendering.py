"""Renders templates and whole JSON values that hold them."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.expressions.errors import EvaluationError, OperationError
from scaiflow_api.expressions.evaluator import evaluate_metered
from scaiflow_api.expressions.limits import DEFAULT, Limits, Meter
from scaiflow_api.expressions.syntax import Expression
from scaiflow_api.expressions.templates import Template, parse_template
from scaiflow_api.expressions.texts import joined_text, plain_text
from scaiflow_api.expressions.values import Value
from scaiflow_api.expressions.wording import excerpt


def render(
    template: Template, scope: Mapping[str, Value], *, as_text: bool = False, limits: Limits = DEFAULT
) -> Value:
    """Return the template with its expressions replaced by their values.

    A template that is exactly one expression keeps the value's type, unless `as_text`. In text, strings stand
    as they are, null as nothing, everything else as compact JSON. All expressions together have one budget.
    Raises EvaluationError.
    """
    return _render(template, scope, Meter(limits), as_text=as_text)


def render_value(value: Any, scope: Mapping[str, Value], *, limits: Limits = DEFAULT) -> Any:
    """Return a copy of a JSON value in which every string, keys aside, is rendered as a template.

    All templates together have one budget of steps and of bytes; strings without a template cost nothing.
    Raises EvaluationError, and ExpressionSyntaxError for a string that is no template.
    """
    meter = Meter(limits)
    size = 0
    holder: list[Any] = [None]
    pending: list[tuple[Any, Any, Any]] = [(holder, 0, value)]
    while pending:
        target, key, item = pending.pop()
        if isinstance(item, str) and "{{" in item:
            template = parse_template(item)
            target[key] = _render(template, scope, meter, as_text=False)
            if not template.is_literal:
                size += meter.measure(target[key])
                _check_size(size, meter, item)
        elif isinstance(item, list | dict):
            copy = list(item) if isinstance(item, list) else dict(item)
            target[key] = copy
            entries = item.items() if isinstance(item, dict) else enumerate(item)
            pending.extend(reversed([(copy, place, child) for place, child in entries]))
        else:
            target[key] = item
    return holder[0]


def _render(template: Template, scope: Mapping[str, Value], meter: Meter, *, as_text: bool) -> Value:
    texts: list[str] = []
    for piece in template.pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        value = evaluate_metered(piece, scope, meter)
        if template.is_single and not as_text:
            return value
        texts.append(_text(piece, value, meter))
    try:
        return joined_text(texts, "", meter)
    except OperationError as problem:
        raise EvaluationError(str(problem), excerpt(template.source)) from None


def _text(expression: Expression, value: Value, meter: Meter) -> str:
    try:
        return plain_text(value, meter)
    except OperationError as problem:
        raise EvaluationError(f"`{excerpt(expression.source)}`: {problem}", expression.source) from None


def _check_size(size: int, meter: Meter, template: str) -> None:
    try:
        meter.check_size(size)
    except OperationError as problem:
        raise EvaluationError(str(problem), excerpt(template)) from None
