import pytest

from scaiflow_api.expressions import ExpressionSyntaxError, evaluate, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("1_000", 1000),
        ("1_000_000.25", 1000000.25),
        ("2.0", 2.0),
        ("1e3", 1000.0),
        ("1.5E-2", 0.015),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("-  9223372036854775808", -(2**63)),
        ("000000000000000000000000000000000000001", 1),
        ("true", True),
        ("false", False),
        ("null", None),
        ("0s", 0),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("2d", 172800),
        ("1w", 604800),
        ("1_000s", 1000),
        ('"double"', "double"),
        ("'single'", "single"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        (r'"a\"b\\c\/d\b\f\n\r\t"', 'a"b\\c/d\b\f\n\r\t'),
        (r"'\u00e9\u20ac'", "é€"),
        (r"'\ud83d\ude00'", "😀"),
        ("'tab\there'", "tab\there"),
        (":draft", "draft"),
        (":true", "true"),
        (":in", "in"),
        ("[]", []),
        ("[1, 'a', [null]]", [1, "a", [None]]),
        ("[1, 2, ]", [1, 2]),
        ("{}", {}),
        ("{a: 1}", {"a": 1}),
        ("{a = 1}", {"a": 1}),
        ("{a: 1, b = 2, 'c d': 3, \"e\" = 4,}", {"a": 1, "b": 2, "c d": 3, "e": 4}),
        ("{true: 1, in: 2}", {"true": 1, "in": 2}),
        ("{k: :v}", {"k": "v"}),
        ("{k::v}", {"k": "v"}),
        ("{k=:v}", {"k": "v"}),
        ("{a: {b: [{c: 1}]}}", {"a": {"b": [{"c": 1}]}}),
    ],
)
def test_literals_have_their_values(text: str, value: object) -> None:
    result = evaluate(parse(text), {})

    assert repr(result) == repr(value)


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("1__0", 0, "a number or a duration"),
        ("1_", 0, "a number or a duration"),
        ("12abc", 0, "`12abc`"),
        ("1.5s", 0, "durations are a whole number"),
        ("5min", 0, "`5min`"),
        ("5 + 3y", 4, "`3y`"),
        ("1e", 0, "`1e`"),
        ("9223372036854775808", 0, "fits in 64 bits"),
        ("- 9223372036854775809", 2, "fits in 64 bits"),
        ("-9223372036854775808.length", 1, "fits in 64 bits"),
        ("9" * 4000, 0, "fits in 64 bits"),
        ("1e400", 0, "fits in 64 bits"),
        ("99999999999999999w", 0, "fits in 64 bits"),
        ('"open', 0, 'a closing "'),
        ("x == 'open", 5, "a closing '"),
        ("'line\nbreak'", 0, "line break"),
        ("'ends in a backslash\\", 0, "a closing '"),
        (r"'a\d'", 2, r"`\d`"),
        (r"'\u12'", 1, "an escape"),
        (r"'\u0000'", 0, "NUL"),
        (r"'\ud83d'", 0, "surrogate"),
        (r"'\ude00\ud83d'", 0, "surrogate"),
        (": a", 0, "a value"),
        (":", 0, "a value"),
        (":1", 0, "a value"),
        ("[1 2]", 3, "`,` or `]`"),
        ("[,]", 1, "a value"),
        ("{a}", 2, "`:` or `=` after the key `a`"),
        ("{1: 2}", 1, "a name or a string"),
        ("{a: 1, 'a': 2}", 7, "`a` a second time"),
        ("{a: 1 b: 2}", 6, "`,` or `}`"),
        (".5", 0, "a value"),
        ("5.", 2, "a member's name"),
    ],
)
def test_malformed_literals_are_refused_where_they_stand(text: str, position: int, part: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(text)

    assert (caught.value.position, part in caught.value.message) == (position, True), caught.value.message
