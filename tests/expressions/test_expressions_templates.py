import pytest

from scaiflow_api.expressions import (
    ExpressionSyntaxError,
    Value,
    parse_template,
    render,
    unwrap,
)

SCOPE: dict[str, Value] = {
    "name": "Ada",
    "n": 3,
    "f": 2.5,
    "flag": True,
    "xs": [1, "é"],
    "m": {"a": {"b": None}},
    "nothing": None,
    "braces": "{{ name }}",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no expression", "no expression"),
        ("a } b }} c { d", "a } b }} c { d"),
        ("{{name}}", "Ada"),
        ("{{ n }}", 3),
        ("{{ f }}", 2.5),
        ("{{ flag }}", True),
        ("{{ nothing }}", None),
        ("{{ unbound.member }}", None),
        ("{{ xs }}", [1, "é"]),
        ("{{\n  name\n}}", "Ada"),
        (" {{ n }}", " 3"),
        ("{{ n }} ", "3 "),
        ("{{ n }}{{ n }}", "33"),
        ("Hello {{ name }}!", "Hello Ada!"),
        ("{{ n }}/{{ f }}/{{ flag }}", "3/2.5/true"),
        ("[{{ nothing }}]", "[]"),
        ("xs={{ xs }} m={{ m }}", 'xs=[1,"é"] m={"a":{"b":null}}'),
        ("{{ {a: {b: 1}} }}", {"a": {"b": 1}}),
        ("{{{a: {b: 1}}}}", {"a": {"b": 1}}),
        ("{{{a:1}.a}}", 1),
        ('{{ "}}" }}', "}}"),
        ("{{ '}}' + \"{{\" }}", "}}{{"),
        (r"{{ 'it\'s }}' }}", "it's }}"),
        (r"\{{ name }}", "{{ name }}"),
        (r"\{{{{ name }}", "{{Ada"),
        (r"a\b {{ name }} \ c", r"a\b Ada \ c"),
        (r"{{ name }}\{{", "Ada{{"),
        ("{{ braces }}", "{{ name }}"),
        ("{{ braces }}!", "{{ name }}!"),
        ("{{ n > 2 ? :many : :few }}", "many"),
    ],
)
def test_rendering(text: str, expected: Value) -> None:
    assert repr(render(parse_template(text), SCOPE)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ n }}", "3"),
        ("{{ flag }}", "true"),
        ("{{ nothing }}", ""),
        ("{{ xs }}", '[1,"é"]'),
        ("{{ name }}", "Ada"),
        ("n: {{ n }}", "n: 3"),
        ("{{ 6 / 2 }}", "3.0"),
    ],
)
def test_rendering_as_text(text: str, expected: str) -> None:
    assert render(parse_template(text), SCOPE, as_text=True) == expected


def test_a_template_knows_its_kind_and_names() -> None:
    single, mixed, literal = map(parse_template, ["{{ a.b + c }}", "x {{ a }} {{ d }}", r"plain \{{ text"])

    assert (single.is_single, single.is_literal, single.names) == (True, False, frozenset({"a", "c"}))
    assert (mixed.is_single, mixed.is_literal, mixed.names) == (False, False, frozenset({"a", "d"}))
    assert (literal.is_single, literal.is_literal, literal.names) == (False, True, frozenset())
    assert parse_template("").is_literal
    assert mixed.source == "x {{ a }} {{ d }}"


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("{{", 0, "found no end of the `{{`"),
        ("abc {{ name", 4, "found no end of the `{{`"),
        ("abc {{ name }", 4, "found no end of the `{{`"),
        ("use {{ in it's way", 4, "found no end of the `{{`"),
        ("{{ {a: 1 }}", 10, "a single `}`"),
        ("{{ 'open }}", 3, "a closing '"),
        ("{{ a } }}", 5, "a single `}`"),
        ("{{}}", 2, "found nothing"),
        ("ab {{   }}", 8, "found nothing"),
        ("ab {{ a + }}", 9, "a value after `+`"),
        ("{{ a }} {{ b c }}", 13, "found the word `c`"),
        ("{{ a }} {{ 'x' & 'y' }}", 15, "`&&`"),
        ("{{ " + "a" * 5000, 0, "4,096"),
        ("{{ " + "a + " * 2000 + "a }}", 0, "Write a shorter expression."),
    ],
)
def test_broken_templates_are_refused_where_they_break(text: str, position: int, part: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse_template(text)

    assert (caught.value.position, part in caught.value.message) == (position, True), caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", ("a > 1", False)),
        ("{{ a > 1 }}", ("a > 1", True)),
        (" {{a > 1}}\n", ("a > 1", True)),
        ("{{ {a: {b: 1}} }}", ("{a: {b: 1}}", True)),
        ('{{ "}}" }}', ('"}}"', True)),
        ("{{ a }} {{ b }}", ("{{ a }} {{ b }}", False)),
        ("{{ a }} > 1", ("{{ a }} > 1", False)),
        ("{{ a", ("{{ a", False)),
        ("{{ 'a }}", ("{{ 'a }}", False)),
        ("{{}}", ("", True)),
        (r"\{{ a }}", (r"\{{ a }}", False)),
        ("", ("", False)),
    ],
)
def test_unwrapping_takes_off_braces_around_the_whole(text: str, expected: tuple[str, bool]) -> None:
    assert unwrap(text) == expected
