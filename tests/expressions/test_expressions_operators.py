import pytest

from scaiflow_api.expressions import EvaluationError, Value, evaluate, parse, truthy

BIG = 2**63 - 1


def value(text: str, **scope: Value) -> Value:
    return evaluate(parse(text), scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2", 3),
        ("1 + 2.0", 3.0),
        ("'a' + 'b'", "ab"),
        ("[1] + [2, 3]", [1, 2, 3]),
        ("5 - 7", -2),
        ("3 * 4", 12),
        ("3 * 0.5", 1.5),
        ("6 / 3", 2.0),
        ("7 / 2", 3.5),
        ("9007199254740993 / 1", 9007199254740992.0),
        ("7 % 3", 1),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("-7 % -3", -1),
        ("7.5 % -2", -0.5),
        ("-9223372036854775808 % -1", 0),
        ("-(-3)", 3),
        ("-2.5", -2.5),
        ("2s + 1m", 62),
    ],
)
def test_arithmetic(text: str, expected: Value) -> None:
    assert repr(value(text)) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [
        "big + 1",
        "-big - 2",
        "big * 2",
        "big * big",
        "-(-big - 1)",
        "1e308 * 10",
        "1e308 + 1e308",
        "-1e308 - 1e308",
        "1e308 / 0.1",
        "[big, 1].sum()",
        "[1e308, 1e308].sum()",
    ],
)
def test_overflow_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="64 bits"):
        value(text, big=BIG)


@pytest.mark.parametrize("text", ["1 / 0", "1 % 0", "1.5 / 0.0", "1.5 % 0", "0 / 0", "0.0 / -0.0"])
def test_division_by_zero_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="division by zero"):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 + 'a'",
        "'a' + 1",
        "'a' + [1]",
        "[1] + 1",
        "{} + {}",
        "true + 1",
        "1 + true",
        "true + true",
        "'a' - 'b'",
        "'a' * 2",
        "[1] * 2",
        "true / 2",
        "5 % '2'",
        "-'a'",
        "-true",
        "-[1]",
        "1 < 'a'",
        "'a' >= 1",
        "true < false",
        "[1] < [2]",
        "{} <= {}",
    ],
)
def test_mixed_types_are_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="needs") as caught:
        value(text)

    assert caught.value.source == text


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "%", "<", "<=", ">", ">="])
def test_null_in_arithmetic_and_ordering_is_an_error_that_names_it(symbol: str) -> None:
    for text in (f"a.b {symbol} 1", f"1 {symbol} a.b", f"'x' {symbol} a.b", f"[] {symbol} a.b"):
        with pytest.raises(EvaluationError, match=r"`a\.b` is null") as caught:
            value(text, a={})

        assert caught.value.source == "a.b"


def test_a_negated_null_is_an_error_that_names_it() -> None:
    with pytest.raises(EvaluationError, match="`a` is null") as caught:
        value("-a")

    assert caught.value.source == "a"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", "1.0", True),
        ("1", "true", False),
        ("0", "false", False),
        ("true", "true", True),
        ("null", "null", True),
        ("null", "false", False),
        ("null", "0", False),
        ("'1'", "1", False),
        ("'a'", "'a'", True),
        ("'a'", "'b'", False),
        ("[1, 2]", "[1.0, 2]", True),
        ("[1]", "[true]", False),
        ("[1]", "[1, 2]", False),
        ("[]", "{}", False),
        ("{a: 1, b: 2}", "{b: 2.0, a: 1}", True),
        ("{a: 1}", "{a: true}", False),
        ("{a: 1}", "{b: 1}", False),
        ("{a: null}", "{}", False),
        ("{a: [{b: 'x'}]}", "{a: [{b: 'x'}]}", True),
        ("9223372036854775807", "9223372036854775807.0", False),
        ("0.0", "-0.0", True),
    ],
)
def test_equality_is_deep_and_never_raises(left: str, right: str, same: bool) -> None:
    assert value(f"{left} == {right}") is same
    assert value(f"{right} == {left}") is same
    assert value(f"{left} != {right}") is (not same)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 < 2", True),
        ("2 < 1.5", False),
        ("1 <= 1.0", True),
        ("2 > 1", True),
        ("1 >= 2", False),
        ("'a' < 'b'", True),
        ("'B' < 'a'", True),
        ("'a' <= 'a'", True),
        ("9007199254740993 > 9007199254740992.0", True),
    ],
)
def test_ordering(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 in [1, 2]", True),
        ("2.0 in [1, 2]", True),
        ("true in [1, 2]", False),
        ("[1] in [[1]]", True),
        ("null in [1, null]", True),
        ("null in [1]", False),
        ("'a' in {a: null}", True),
        ("'b' in {a: 1}", False),
        ("1 in {a: 1}", False),
        ("null in {a: 1}", False),
        ("'ell' in 'hello'", True),
        ("'' in ''", True),
        ("'x' in 'hello'", False),
        ("null in 'hello'", False),
        ("1 in null", False),
        ("null in null", False),
        ("'a' in missing", False),
    ],
)
def test_membership(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize("text", ["1 in 'a1'", "true in 'true'", "1 in 1", "'a' in true", "[] in 2.5"])
def test_membership_in_what_holds_nothing_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value(text)

    assert caught.value.source == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 && 2", 2),
        ("0 && 2", 0),
        ("'' && 2", ""),
        ("1 || 2", 1),
        ("0 || ''", ""),
        ("null || []", []),
        ("null ?? 2", 2),
        ("false ?? 2", False),
        ("0 ?? 2", 0),
        ("a.b.c ?? 'none'", "none"),
        ("null ?? null ?? 3", 3),
        ("0 || null || 'x' || 'y'", "x"),
        ("1 and 'x' or 'y'", "x"),
        ("!0", True),
        ("not 'a'", False),
        ("!null", True),
        ("true ? 1 : 2", 1),
        ("[] ? 1 : 2", 2),
        ("false && missing + 1", False),
        ("true || missing + 1", True),
        ("1 ?? missing + 1", 1),
        ("true ? 1 : missing + 1", 1),
        ("false ? missing + 1 : 2", 2),
    ],
)
def test_logic_yields_the_deciding_operand_and_evaluates_no_more(text: str, expected: Value) -> None:
    assert repr(value(text)) == repr(expected)


@pytest.mark.parametrize("falsy", [None, False, 0, 0.0, -0.0, "", [], {}])
def test_falsy_values(falsy: Value) -> None:
    assert truthy(falsy) is False
    assert value("x ? 1 : 2", x=falsy) == 2


@pytest.mark.parametrize("true", [True, 1, -1, 0.1, "0", "false", " ", [None], [0], {"a": None}])
def test_truthy_values(true: Value) -> None:
    assert truthy(true) is True
    assert value("!x", x=true) is False
