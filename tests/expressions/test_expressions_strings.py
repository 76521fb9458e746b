import pytest

from scaiflow_api.expressions import EvaluationError, Value, evaluate, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'AbC'.lower()", "abc"),
        ("'straße'.upper()", "STRASSE"),
        ("'  hi  '.trim()", "hi"),
        ("'  hi  '.trim_start()", "hi  "),
        ("'  hi  '.trim_end()", "  hi"),
        ("'hello'.contains('ell')", True),
        ("'hello'.contains('')", True),
        ("'hello'.contains('x')", False),
        ("'hello'.starts_with('he')", True),
        ("'hello'.starts_with('lo')", False),
        ("'hello'.ends_with('lo')", True),
        ("'a-b-c'.replace('-', '+')", "a+b+c"),
        ("'aaa'.replace('aa', 'b')", "ba"),
        ("'a-b-c'.replace_first('-', '')", "ab-c"),
        ("'abc'.replace('x', 'y')", "abc"),
        ("'abc'.replace(new = 'y', old = 'b')", "ayc"),
        ("'a,b,,c'.split(',')", ["a", "b", "", "c"]),
        ("''.split(',')", [""]),
        ("'hello'.slice(1, 3)", "el"),
        ("'hello'.slice(1)", "ello"),
        ("'hello'.slice(1, null)", "ello"),
        ("'hello'.slice(-3)", "llo"),
        ("'hello'.slice(0, -1)", "hell"),
        ("'hello'.slice(3, 1)", ""),
        ("'hello'.slice(9)", ""),
        ("'hello'.slice(-99, 99)", "hello"),
        ("'hello'.slice(4 / 2)", "llo"),
        ("'hello'.index_of('l')", 2),
        ("'hello'.index_of('x')", None),
        ("'😀x'.index_of('x')", 1),
        ("'7'.pad_start(3)", "  7"),
        ("'7'.pad_start(3, fill = '0')", "007"),
        ("'7'.pad_end(3, '0')", "700"),
        ("'7'.pad_start(6, 'ab')", "ababa7"),
        ("'long'.pad_start(2)", "long"),
        ("'x'.pad_start(5, '')", "x"),
        ("'x'.pad_end(-5)", "x"),
        ("'ab'.repeat(3)", "ababab"),
        ("'ab'.repeat(0)", ""),
        ("''.repeat(9223372036854775807)", ""),
        ("''.is_empty()", True),
        ("' '.is_empty()", False),
        ("'😀'.length", 1),
    ],
)
def test_string_methods(text: str, expected: Value) -> None:
    assert repr(evaluate(parse(text), {})) == repr(expected)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("'a'.split('')", "`sep`"),
        ("'a'.replace('', 'x')", "`old`"),
        ("'a'.replace_first('', 'x')", "`old`"),
        ("'a'.repeat(-1)", "`n`"),
        ("'a'.matches('*'.repeat(1025))", "1,024"),
    ],
)
def test_arguments_without_meaning_are_refused(text: str, part: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse(text), {})

    assert part in caught.value.message


@pytest.mark.parametrize(
    ("subject", "pattern", "fits"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "?", False),
        ("a", "", False),
        ("abc", "abc", True),
        ("abc", "ab", False),
        ("abc", "abcd", False),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "*b*", True),
        ("abc", "*b", False),
        ("abc", "a?c", True),
        ("abc", "a??", True),
        ("abc", "a???", False),
        ("abc", "***", True),
        ("abc", "?*?", True),
        ("a", "?*?", False),
        ("aXbXc", "a*b*c", True),
        ("abab", "*ab", True),
        ("aab", "*a?", True),
        ("line\nbreak", "line*break", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("[x]", "[x]", True),
        ("x", "[x]", False),
        ("a\\b", "a\\b", True),
        ("ABC", "abc", False),
        ("héé", "h??", True),
        ("ab" * 500 + "c", "*ab*ab*c", True),
    ],
)
def test_globs(subject: str, pattern: str, fits: bool) -> None:
    assert evaluate(parse("subject.matches(pattern)"), {"subject": subject, "pattern": pattern}) is fits
