"""Hostile expressions end in errors, fast, and without building what they ask for."""

import re
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from scaiflow_api.expressions import (
    EvaluationError,
    ExpressionSyntaxError,
    Limits,
    Value,
    evaluate,
    parse,
    parse_template,
    render,
    template_names,
)

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _ends_soon() -> Iterator[None]:
    """Fail a test that takes seconds of the processor; the slowest here take about one, most of it set-up."""
    started = time.process_time()
    yield
    assert time.process_time() - started < 5


def value(text: str, /, **scope: Value) -> Value:
    return evaluate(parse(text), scope)


def refusal(text: str, /, **scope: Value) -> str:
    with pytest.raises(EvaluationError) as caught:
        value(text, **scope)
    return caught.value.message


def nested(depth: int) -> Value:
    result: Value = 1
    for _ in range(depth):
        result = [result]
    return result


def test_an_expression_has_at_most_4096_characters() -> None:
    assert value("1" + " " * 4095) == 1
    with pytest.raises(ExpressionSyntaxError, match="4,096"):
        parse("1" + " " * 4096)
    assert render(parse_template("x" * 10_000 + "{{ 1 }}"), {}) == "x" * 10_000 + "1"


@pytest.mark.parametrize(
    ("opening", "core", "closing"),
    [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{a:", "1", "}"),
        ("!", "1", ""),
        ("-", "1", ""),
        ("x[", "0", "]"),
        ("[1].contains(", "1", ")"),
        ("[1].sum(a => ", "1", ")"),
        ("1 ? ", "1", " : 2"),
        ("1 + (", "1", ")"),
        ("[1].sum(a => 1 + ", "1", ")"),
    ],
)
def test_nesting_ends_at_64_levels(opening: str, core: str, closing: str) -> None:
    evaluate(parse(opening * 64 + core + closing * 64), {"x": {}})

    with pytest.raises(ExpressionSyntaxError, match="64 levels"):
        parse(opening * 65 + core + closing * 65)


@pytest.mark.parametrize(
    "bomb",
    ["(" * 4096, "[" * 4096, "{a:" * 1365, "!" * 4096, "-" * 4096, "x[" * 2048, "a?" * 2048, "x.y(" * 1024,
     "x.y(z=>" * 585, "a??b||c&&d==e+f*(" * 240, "a?b:(" * 800, "not " * 1024, "{{" * 2048, "[{a:" * 1024],
)  # fmt: skip
def test_nesting_bombs_are_syntax_errors_even_on_a_deep_stack(bomb: str) -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            parse(bomb)

    with pytest.raises(ExpressionSyntaxError):
        deep(300)


def test_the_deepest_expression_is_evaluated_on_a_deep_stack() -> None:
    expression = parse("[1].sum(a => 1 + " * 64 + "1" + ")" * 64)

    def deep(levels: int) -> Value:
        return deep(levels - 1) if levels else evaluate(expression, {})

    assert deep(300) == 65


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1" + "+1" * 2047, 2048),
        ("a" + ".b" * 2047, None),
        ("a" + "[0]" * 1365, None),
        ("null" + "??null" * 600 + "??1", 1),
        ("0" + "||0" * 1000 + "||2", 2),
        ("1" + "&&1" * 1000 + "&&2", 2),
        ("0?1:" * 1000 + "2", 2),
        ("'a'" + ".trim()" * 580, "a"),
    ],
)
def test_long_chains_are_no_nesting(text: str, expected: Value) -> None:
    assert value(text) == expected


def test_an_evaluation_has_10000_steps() -> None:
    assert value("xs.map(x => x).length", xs=[1] * 4950) == 4950
    assert "10,000 steps" in refusal("xs.map(x => x).length", xs=[1] * 5000)


@pytest.mark.parametrize(
    "text",
    [
        "xs.map(a => xs.map(b => 1))",
        "xs.filter(a => xs.any(b => false))",
        "xs.all(a => !xs.contains('x'))",
        "xs.all(a => !('x' in xs))",
        "xs.map(a => xs.sum())",
        "xs.map(a => xs.sort())",
        "xs.map(a => xs.min())",
        "xs.map(a => xs + xs)",
        "xs.map(a => xs.join(','))",
        "xs.map(a => xs == ys)",
        "xs.map(a => m.keys())",
        "xs.map(a => m.values())",
        "xs.map(a => m == n)",
        "xs.map(a => text.contains('b'))",
        "xs.map(a => text.index_of('b'))",
        "xs.map(a => text.replace('b', 'c'))",
        "xs.map(a => text.split('b'))",
        "xs.map(a => text == other)",
        "xs.map(a => text < other)",
        "xs.map(a => text in other)",
        "xs.map(a => text.upper().length)",
        "xs.map(a => text.trim().length)",
        "xs.map(a => text.matches('*?b*'))",
        "xs.map(a => text.starts_with(text))",
        "xs.map(a => text.slice(1).length)",
        "xs.map(a => 'a'.repeat(100000).length)",
        "xs.map(a => (text + 'x').length)",
        "xs.map(a => m.to_json().length)",
        "many.sort()",
        "many.map(x => 1)",
        "many.contains(1)",
        "many == more",
    ],
)
def test_work_in_built_ins_is_charged(text: str) -> None:
    scope: dict[str, Value] = {
        "xs": [0] * 1000,
        "ys": [0] * 1000,
        "m": {f"k{i}": i for i in range(1000)},
        "n": {f"k{i}": i for i in range(1000)},
        "text": "a" * 100_000,
        "other": "a" * 100_000,
        "many": [0] * 10_001,
        "more": [0] * 10_001,
    }

    assert "steps" in (message := refusal(text, **scope)) or "bytes" in message


@pytest.mark.parametrize(
    "text",
    [
        '"x".repeat(10 * 1000 * 1000 * 1000)',
        '"x".repeat(9223372036854775807)',
        '"x".pad_start(9223372036854775807)',
        '"x".pad_end(1000000000, "ab")',
        "mib + 'x'",
        "mib.replace('x', 'yy')",
        "mib.upper() + mib.lower()",
        "[mib, 'x'].join('')",
        "['x', 'x', 'x'].join(mib)",
        "[mib, mib]",
        "{a: mib}",
        "[mib] + [mib]",
        "mib.to_json()",
        "[1, 2].map(x => mib)",
        "{a: 1, b: mib}.values()",
        "quotes.to_json()",
        "wide.repeat(2)",
        "big",
        "[big]",
        "big.to_json()",
        "keyed",
        "accents",
        "accents.upper()",
    ],
)
def test_results_above_one_mib_are_refused_before_they_are_built(text: str) -> None:
    scope: dict[str, Value] = {
        "mib": "x" * MIB,
        "wide": "€" * 200_000,
        "quotes": '"' * 600_000,
        "big": [[0] * 1000] * 200,
        "keyed": {"k" * 1000 + str(i): 1 for i in range(2000)},
        "accents": "é" * 600_000,
    }
    expression = parse(text)
    tracemalloc.start()
    try:
        with pytest.raises(EvaluationError, match="1,048,576 bytes"):
            evaluate(expression, scope)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


def test_a_result_of_exactly_one_mib_is_fine() -> None:
    assert value("'x'.repeat(1048576).length") == MIB
    assert value("half + half", half="x" * (MIB // 2)) == "x" * MIB
    assert len(render(parse_template("{{ 'x'.repeat(1048575) }}y"), {})) == MIB  # type: ignore[arg-type]


def test_what_the_scope_holds_may_be_larger_while_it_is_only_looked_into() -> None:
    assert (
        value("big.length + big[199999][0] + text.length", big=[[1]] * 200_000, text="x" * 2 * MIB) == 2297153
    )


def test_values_that_share_their_parts_are_measured_at_full_size() -> None:
    doubled = "[0]" + ".map(a => [a, a])" * 200

    assert "bytes" in refusal(doubled)
    assert "bytes" in refusal(doubled + ".to_json()")


def test_results_are_at_most_128_levels_deep() -> None:
    assert value("[1]" + ".map(a => [a])" * 127) == nested(128)
    assert "128 levels" in refusal("[0]" + ".map(a => [a])" * 200)
    assert value("x", x=nested(128)) == nested(128)
    assert "128 levels" in refusal("x", x=nested(129))


def test_deep_values_of_the_scope_do_not_overflow_the_stack() -> None:
    deep, twin = nested(100_000), nested(100_000)

    assert value("a == b", a=nested(4000), b=nested(4000)) is True
    assert value("a == b", a=nested(4000), b=nested(4001)) is False
    assert value("a in b", a=nested(4000), b=[1, nested(4000)]) is True
    for text in (
        "a.to_json()",
        "a.to_string()",
        "[a]",
        "{k: a}",
        "a",
        "a + [1]",
        "a.map(x => x)",
        "[1].map(x => a)",
    ):
        assert "128 levels" in refusal(text, a=deep)
    with pytest.raises(EvaluationError, match="128 levels"):
        render(parse_template("text {{ a }}"), {"a": deep})
    assert "steps" in refusal("a == b", a=deep, b=twin)


@pytest.mark.parametrize(
    "number",
    [float("nan"), float("inf"), float("-inf"), 2**63, -(2**63) - 1, 10**5000],
    ids=["nan", "inf", "-inf", "2**63", "-2**63-1", "10**5000"],
)
def test_numbers_that_the_language_does_not_have_never_come_out(number: float) -> None:
    texts = """x [x] {a:x} x+1 x*1.0 -x x/2 xs xs.first xs.max() xs.sort() xs.sum() xs.map(v=>v) x.to_json()
        x.to_string() xs.to_json() xs.join(',') x.to_int() x.to_float() true?x:1 x??1 m.get('x') m.values()
        'a'.repeat(x)"""
    for text in re.findall(r"\S+", texts):
        with pytest.raises(EvaluationError):
            value(text, x=number, xs=[number], m={"x": number})


@pytest.mark.parametrize("foreign", [object(), (1, 2), {1, 2}, b"bytes", {1: 2}, 3 + 4j, len])
def test_values_that_are_no_json_never_come_out(foreign: object) -> None:
    scope = {"x": foreign, "xs": [foreign]}
    for text in (
        "x",
        "xs",
        "[x]",
        "x.a ?? x",
        "xs.map(v => v)",
        "x.to_json()",
        "xs.join('')",
        "xs.sort()[0]",
    ):
        with pytest.raises(EvaluationError):
            evaluate(parse(text), scope)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "pattern"),
    [
        ("a" * 100_000, "*a" * 500 + "*b"),
        ("a" * 100_000, "a*" * 500 + "b"),
        ("a" * 100_000, "*" + "a?" * 500 + "b"),
        ("ab" * 50_000, "*" + "?b" * 500 + "c"),
        ("a" * 100_000, "*" * 1024),
        ("a" * 100_000, "?*" * 511 + "b"),
    ],
)
def test_no_glob_is_slow(subject: str, pattern: str) -> None:
    assert value("s.matches(p)", s=subject, p=pattern) is (set(pattern) == {"*"})


def test_searches_with_hostile_needles_end_soon() -> None:
    scope: dict[str, Value] = {"hay": "a" * MIB, "needle": "a" * 90 + "b" + "a" * 90, "xs": [0] * 100}

    assert "steps" in refusal(
        "xs.map(x => [hay.contains(needle), hay.index_of(needle), hay.replace(needle, '').length])", **scope
    )


def test_a_template_of_many_expressions_has_one_budget() -> None:
    template = parse_template("{{ xs.sum() }} " * 100)

    with pytest.raises(EvaluationError, match="10,000 steps"):
        render(template, {"xs": [1] * 1000})


def test_a_template_that_grows_too_large_is_refused() -> None:
    with pytest.raises(EvaluationError, match="1,048,576 bytes"):
        render(parse_template("{{ x }} {{ x }} {{ x }}"), {"x": "x" * 500_000})


def test_hostile_templates_are_refused_soon() -> None:
    for text in ("{{" * 500_000, "{{ '" + "x" * 5_000_000, "{{ {" * 100_000, "{{ a }} " * 20_000 + "{{"):
        with pytest.raises(ExpressionSyntaxError):
            template_names(text)


def test_limits_can_be_set() -> None:
    limits = Limits(steps=3, result_bytes=10, result_depth=1)

    assert evaluate(parse("a + 1"), {"a": 1}, limits=limits) == 2
    for text, part in (("a + 1 + 1", "3 steps"), ("'12345678901'", "10 bytes"), ("x", "1 levels")):
        with pytest.raises(EvaluationError, match=part):
            evaluate(parse(text), {"a": 1, "x": [[]]}, limits=limits)
