"""Whatever the text and the scope: only the documented errors, within the bounds, and only values of the language."""

import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.expressions import (
    EvaluationError,
    ExpressionSyntaxError,
    Limits,
    evaluate,
    parse,
    parse_template,
    render,
    render_value,
    template_names,
    unwrap,
)

LIMITS = Limits(steps=1000, result_bytes=4096)

names = st.sampled_from(["a", "b", "c", "x", "item"])
# fmt: off
fragments = st.sampled_from([
    "a", "b", "x", "1", "0", "2.5", "9223372036854775807", "1e308", "5m", "'s'", '"é"', ":sym", "true", "null",
    "not", "and", "or", "in", "(", ")", "[", "]", "{", "}", ",", ".", ":", "?", "??", "||", "&&", "!", "==", "!=",
    "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "=", "=>", ".map(", ".sum(", ".length", ".to_json()", "x =>",
    "'", '"', "\\", " ", "{{", "}}", "\\{{",
])
# fmt: on
texts = st.text(max_size=60) | st.lists(fragments, max_size=30).map("".join)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "a", "x*", "{{ a }}"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
scopes = st.dictionaries(names, values, max_size=5)

# fmt: off
literals = st.sampled_from([
    "0", "1", "-1", "7", "2.5", "1e308", "9223372036854775807", "30s", "''", "'abc'", "'a,b'", ":a", "null", "true",
    "false", "[]", "{}", "[1, 2]", "['b', 'a']", "{a: 1}",
])
METHODS_WITHOUT_ARGUMENTS = [
    "length", "first", "last", "lower", "upper", "trim", "trim_start", "trim_end", "is_empty", "any", "all", "sum",
    "min", "max", "sort", "keys", "values", "to_string", "to_json", "to_int", "to_float", "nonsense",
]
METHODS_WITH_ONE = [
    "contains", "starts_with", "ends_with", "index_of", "split", "slice", "pad_start", "pad_end", "repeat",
    "matches", "join", "has", "get",
]
# fmt: on
METHODS_WITH_TWO = ["replace", "replace_first", "slice", "pad_start", "pad_end", "get"]
METHODS_WITH_LAMBDA = ["map", "filter", "any", "all", "sum", "min", "max", "sort"]
OPERATORS = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "??", "||", "&&", "and", "or"]


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("(!{})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("{}.{}".format, inner, names | st.just("length")),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{{}: {}, z = {}}}".format, names, inner, inner),
        st.builds("{}.{}()".format, inner, st.sampled_from(METHODS_WITHOUT_ARGUMENTS)),
        st.builds("{}.{}({})".format, inner, st.sampled_from(METHODS_WITH_ONE), inner),
        st.builds("{}.{}({}, {})".format, inner, st.sampled_from(METHODS_WITH_TWO), inner, inner),
        st.builds("{}.{}({} => {})".format, inner, st.sampled_from(METHODS_WITH_LAMBDA), names, inner),
    )


expressions = st.recursive(literals | names, _compound, max_leaves=12).filter(lambda text: len(text) <= 4096)
templates = st.lists(expressions.map("{{{{ {} }}}}".format) | st.text(max_size=5), max_size=4).map("".join)


def outcome(of: Callable[[], Any]) -> Any:
    """Return the result, or the documented error; any other exception fails the test."""
    try:
        return of()
    except (ExpressionSyntaxError, EvaluationError) as problem:
        return problem


def assert_value_of_the_language(value: Any) -> None:
    """Also proves that the value is a tree of JSON, since `json` refuses all else."""
    text = json.dumps(value, allow_nan=False)
    assert len(text) < 40 * LIMITS.result_bytes

    def check(item: Any) -> None:
        assert type(item) in {type(None), bool, int, float, str, list, dict}
        if isinstance(item, int):
            assert -(2**63) <= item < 2**63
        if isinstance(item, float):
            assert math.isfinite(item)
        for child in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
            check(child)

    check(value)


@settings(max_examples=160, deadline=None)
@given(texts)
def test_parsing_any_text_gives_an_expression_or_a_syntax_error(text: str) -> None:
    parsed = outcome(lambda: parse(text))

    if isinstance(parsed, ExpressionSyntaxError):
        assert 0 <= parsed.position <= len(text)
        assert parsed.message.startswith("Expected ")
    else:
        assert parsed.source == text


@settings(max_examples=100, deadline=None)
@given(texts, scopes)
def test_whatever_parses_has_a_value_or_an_evaluation_error(text: str, scope: dict[str, Any]) -> None:
    value = outcome(lambda: evaluate(parse(text), scope, limits=LIMITS))

    if not isinstance(value, Exception):
        assert_value_of_the_language(value)


@settings(max_examples=160, deadline=None)
@given(expressions, scopes)
def test_generated_expressions_parse_and_end_as_documented(text: str, scope: dict[str, Any]) -> None:
    expression = parse(text)
    before = repr(scope)

    value = outcome(lambda: evaluate(expression, scope, limits=LIMITS))

    if isinstance(value, EvaluationError):
        assert value.source in text
        assert value.message
    else:
        assert_value_of_the_language(value)
        assert repr(evaluate(parse(f" ({text}) "), scope, limits=LIMITS)) == repr(value)
    assert repr(scope) == before


@settings(max_examples=100, deadline=None)
@given(expressions, scopes)
def test_only_the_free_names_of_the_scope_matter(text: str, scope: dict[str, Any]) -> None:
    expression = parse(text)
    needed = {name: value for name, value in scope.items() if name in expression.names}

    with_all = outcome(lambda: evaluate(expression, scope, limits=LIMITS))
    with_needed = outcome(lambda: evaluate(expression, needed, limits=LIMITS))

    assert repr(with_needed) == repr(with_all)


@settings(max_examples=100, deadline=None)
@given(templates | texts, scopes)
def test_templates_render_or_fail_as_documented(text: str, scope: dict[str, Any]) -> None:
    template = outcome(lambda: parse_template(text))
    if isinstance(template, ExpressionSyntaxError):
        assert 0 <= template.position <= len(text)
        return

    assert template_names([text]) == template.names
    body, wrapped = unwrap(text)
    assert wrapped is (text.strip() != "" and parse_template(text.strip(" \t\r\n")).is_single)
    assert not wrapped or parse(body).names == template.names
    rendered = outcome(lambda: render(template, scope, limits=LIMITS))
    as_text = outcome(lambda: render(template, scope, as_text=True, limits=LIMITS))
    if isinstance(rendered, EvaluationError) or isinstance(as_text, EvaluationError):
        return
    assert_value_of_the_language(rendered)
    assert isinstance(as_text, str)
    assert template.is_single or rendered == as_text
    assert not template.is_literal or rendered == text.replace("\\{{", "{{")


@settings(max_examples=100, deadline=None)
@given(values, scopes)
def test_rendering_any_value_fails_only_as_documented(value: Any, scope: dict[str, Any]) -> None:
    rendered = outcome(lambda: render_value(value, scope, limits=LIMITS))

    if not isinstance(rendered, Exception):
        assert type(rendered) is type(value) or isinstance(value, str)


# Where the language agrees with Python, Python is the judge.

_numbers = st.integers(0, 9).map(str)
_sums = st.recursive(
    _numbers,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*"]), inner),
        st.builds("({})".format, inner),
        st.builds("- {}".format, inner),
        st.builds("{} % {}".format, inner, st.integers(1, 5)),
    ),
    max_leaves=8,
)
_conditions = st.recursive(
    st.builds("{} {} {}".format, _sums, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _sums),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(_sums | _conditions)
def test_arithmetic_and_logic_agree_with_python(text: str) -> None:
    value = outcome(lambda: evaluate(parse(text), {}))

    assert repr(value) == repr(eval(text))
