import pytest

from scaiflow_api.expressions import EvaluationError, ExpressionSyntaxError, Value, evaluate, parse

SCOPE: dict[str, Value] = {
    "a": 1,
    "b": 2,
    "c": 3,
    "yes": True,
    "no": False,
    "s": "text",
    "m": {"k": "v"},
    "x": [1, 2, 3],
}


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("8 / 4 / 2", "(8 / 4) / 2"),
        ("7 % 4 * 2", "(7 % 4) * 2"),
        ("-a + b", "(-a) + b"),
        ("-a * -b", "(-a) * (-b)"),
        ("- -a", "-(-a)"),
        ("--a", "-(-a)"),
        ("-x.length", "-(x.length)"),
        ("a + b < c + c", "(a + b) < (c + c)"),
        ("!a == b", "!(a == b)"),
        ("not a in x", "not (a in x)"),
        ("!!no", "!(!no)"),
        ("!no && no", "(!no) && no"),
        ("yes || yes && no", "yes || (yes && no)"),
        ("yes or yes and no", "yes || yes && no"),
        ("null ?? no || yes", "null ?? (no || yes)"),
        ("no || null ?? a", "(no || null) ?? a"),
        ("no ? 1 : yes ? 2 : 3", "no ? 1 : (yes ? 2 : 3)"),
        ("yes ? no ? 1 : 2 : 3", "yes ? (no ? 1 : 2) : 3"),
        ("null ?? no ? 1 : 2", "(null ?? no) ? 1 : 2"),
        ("yes ? a : b ?? c", "yes ? a : (b ?? c)"),
        ("x.map(v => v > 1 ? v : 0)", "x.map(v => (v > 1 ? v : 0))"),
        ("yes?a:b", "yes ? a : b"),
        ("yes ? :a : :b", "'a'"),
        ("no ? :a : :b", "'b'"),
        ("yes ? :a :b", "'a'"),
        ("no ? :a :b", "b"),
        ("yes ? a :b", "a"),
        ("{k: yes ? :a : :b}", "{k: 'a'}"),
        ("m . k", "m.k"),
        ("x [0]", "x[0]"),
        ("(x)[0]", "x[0]"),
        ("\t a\r\n+\n b ", "a + b"),
        ("m.in ?? m.true ?? m.not", "null"),
        ("1 .length", "null"),
        ("x.contains(item = 2,)", "x.contains(2)"),
    ],
)
def test_precedence_and_association(text: str, same_as: str) -> None:
    assert repr(evaluate(parse(text), SCOPE)) == repr(evaluate(parse(same_as), SCOPE))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected an expression, but found nothing at position 0."),
        ("  ", "Expected an expression, but found nothing at position 2."),
        ("a +", "Expected a value after `+`, but found the end of the expression at position 3."),
        ("a b", "Expected an operator or the end of the expression, but found the word `b` at position 2."),
        (
            "a 'b'",
            "Expected an operator or the end of the expression, but found the string 'b' at position 2.",
        ),
        (
            "(a",
            "Expected `)` after the `(` at position 0, but found the end of the expression at position 2.",
        ),
        ("a)", "Expected an operator or the end of the expression, but found `)` at position 1."),
        (
            "x[0",
            "Expected `]` after the `[` at position 1, but found the end of the expression at position 3.",
        ),
        (
            "a ? b",
            (
                "Expected `:` and a second branch for the `?` at position 2, but found the end of the "
                "expression at position 5."
            ),
        ),
        (
            "a = b",
            (
                "Expected an operator or the end of the expression, but found `=` at position 2. "
                "Use `==` to compare."
            ),
        ),
        ("a & b", "Expected a value or an operator, but found `&` at position 2. Write `&&` or `and`."),
        (
            "a not in b",
            (
                "Expected an operator or the end of the expression, but found the word `not` at "
                "position 2. Write `!(a in b)` for `a not in b`."
            ),
        ),
        (
            "a ?.b",
            (
                "Expected a value after `?`, but found `.` at position 3. `.` alone is enough: a member of "
                "null is null."
            ),
        ),
        (
            "1 < 2 < 3",
            (
                "Expected the comparison to end, but found `<` at position 6. Comparisons do not chain; "
                "join two of them with `&&`."
            ),
        ),
        (
            "a == !b",
            (
                "Expected a value, but found `!` at position 5. `!` binds looser than the operator before "
                "it; write it in parentheses."
            ),
        ),
        (
            "len(x)",
            (
                "Expected an operator, but found `(` at position 3. Only methods are called, on a value: "
                "`name.upper()`."
            ),
        ),
        (
            "x.map((v) => v)",
            (
                "Expected `,` or `)` after the `(` at position 5, but found `=>` at position 10. A "
                "lambda is written `x => …`, without parentheses, as an argument of a method."
            ),
        ),
        (
            "x.0",
            (
                "Expected a member's name after the `.`, but found the number 0 at position 2. Write `[…]` "
                "around an index."
            ),
        ),
        (
            "s.pad_start(fill = '0', 5)",
            (
                "Expected a named argument, but found the number 5 at position 24. "
                "Arguments without a name come first."
            ),
        ),
    ],
)
def test_syntax_errors_say_what_was_expected_and_found_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(text)

    assert caught.value.message == message
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "a == b == c",
        "a in x in x",
        "a < b == c",
        "a != b in x",
        "a === b",
        "a !== b",
        "a | b",
        "a ^ b",
        "and",
        "a and",
        "or a",
        "a not",
        "in",
        "not",
        "1 + !a",
        "-!a",
        "a ?? ?? b",
        "a ? : b",
        "a ? b : ",
        "x => x",
        "[x => x]",
        "(x => x)",
        "x.map(x => )",
        "x.map(true => 1)",
        "x.map(in => 1)",
        "x.map(x, => 1)",
        "x.map(x => y => 1)",
        "x.get(a = 1, a = 2)",
        "x.get(,)",
        "x.get(a b)",
        "x()",
        "x.y()()",
        "x[0]()",
        "(x)(1)",
        "x..y",
        "x.",
        "x.'y'",
        "x[]",
        "x[1, 2]",
        "()",
        "{{a: 1}}",
        "{a: 1",
        "a; b",
        "${a}",
        "@a",
        "`a`",
        "“a”",
        "grün",
        "a\0b",
        "a // b",
        "\ud800",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(text)

    assert 0 <= caught.value.position <= len(text)
    assert caught.value.message.startswith("Expected ")


def test_an_evaluation_error_carries_the_text_of_the_part_at_fault() -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse("a + ( (m.missing) * 2 ) + b"), SCOPE)

    assert caught.value.source == "m.missing"
    assert caught.value.message == "`m.missing` is null, so `(m.missing) * 2` has no value"


def test_long_parts_are_shortened_in_messages_but_not_in_the_source() -> None:
    text = "[" + "1, " * 200 + "1] + 1"

    with pytest.raises(EvaluationError) as caught:
        evaluate(parse(text), {})

    assert caught.value.source == text
    assert len(caught.value.message) < 200
