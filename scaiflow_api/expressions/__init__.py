"""The expression and template language of flows: conditions, guards, bindings, prompts.

A pure library without side effects; `docs/expressions.md` holds the grammar and the semantics.
"""

from scaiflow_api.expressions.durations import parse_duration
from scaiflow_api.expressions.errors import EvaluationError, ExpressionSyntaxError
from scaiflow_api.expressions.evaluator import evaluate
from scaiflow_api.expressions.limits import DEFAULT, Limits
from scaiflow_api.expressions.parser import RESERVED_WORDS, parse
from scaiflow_api.expressions.rendering import render, render_value
from scaiflow_api.expressions.syntax import Expression
from scaiflow_api.expressions.templates import Template, parse_template, template_names, unwrap
from scaiflow_api.expressions.values import Value, truthy

__all__ = [
    "DEFAULT",
    "RESERVED_WORDS",
    "EvaluationError",
    "Expression",
    "ExpressionSyntaxError",
    "Limits",
    "Template",
    "Value",
    "evaluate",
    "parse",
    "parse_duration",
    "parse_template",
    "render",
    "render_value",
    "template_names",
    "truthy",
    "unwrap",
]
