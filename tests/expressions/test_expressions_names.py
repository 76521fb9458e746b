import pytest

from scaiflow_api.expressions import ExpressionSyntaxError, parse, template_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 + 2", set()),
        ("a", {"a"}),
        ("a.b.c", {"a"}),
        ("a[b].c[d.e]", {"a", "b", "d"}),
        ("a ? b : c", {"a", "b", "c"}),
        ("a ?? b || c && !d", {"a", "b", "c", "d"}),
        ("-a + b", {"a", "b"}),
        ("a in b", {"a", "b"}),
        ("[a, {k: b, l = c}]", {"a", "b", "c"}),
        (":a", set()),
        ("'a'", set()),
        ("{a: 1}", set()),
        ("a.pad_start(n, fill = f)", {"a", "n", "f"}),
        ("a.map(x => x + b)", {"a", "b"}),
        ("x.map(x => x)", {"x"}),
        ("a.map(x => x) + x", {"a", "x"}),
        ("a.map(x => b.map(y => x + y + z))", {"a", "b", "z"}),
        ("a.map(x => x.map(x => x))", {"a"}),
        ("a.map(x => y).map(y => x)", {"a", "x", "y"}),
        ("c ? a :b", {"a", "b", "c"}),
        ("c ? :a : :b", {"c"}),
    ],
)
def test_free_names_are_those_the_scope_is_asked_for(text: str, names: set[str]) -> None:
    assert parse(text).names == names


def test_free_names_of_a_chain_as_long_as_the_text_allows() -> None:
    assert parse("a" + "+b" * 2000).names == {"a", "b"}
    assert parse("a" + ".b" * 2000).names == {"a"}
    assert parse("a?b:" * 1000 + "c").names == {"a", "b", "c"}


def test_names_of_all_templates_in_a_value() -> None:
    value = {"{{key}}": ["{{ a.b }} and {{ c }}", {"x": "{{ d.map(i => i + e) }}"}, 1, None, True, r"\{{f}}"]}

    assert template_names(value) == {"a", "c", "d", "e"}


def test_names_of_a_deep_value() -> None:
    value: object = "{{ deep }}"
    for _ in range(50_000):
        value = [value]

    assert template_names(value) == {"deep"}


def test_names_of_a_value_with_a_broken_template() -> None:
    with pytest.raises(ExpressionSyntaxError):
        template_names({"a": "{{ a }}", "b": ["{{ a + }}"]})
