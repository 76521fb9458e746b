import pytest

from scaiflow_api.expressions import EvaluationError, ExpressionSyntaxError, Limits, render_value


def test_every_string_of_a_value_is_rendered_and_nothing_else() -> None:
    value = {
        "decision": "{{ review.decision }}",
        "text": "amount {{ review.amount }}",
        "{{ key }}": r"\{{ literal }}",
        "nested": [{"n": "{{ review.amount }}"}, ["{{ missing }}", 1, 2.5, True, None, "plain"]],
    }
    scope = {"review": {"decision": "approve", "amount": 12}}

    assert render_value(value, scope) == {
        "decision": "approve",
        "text": "amount 12",
        "{{ key }}": "{{ literal }}",
        "nested": [{"n": 12}, [None, 1, 2.5, True, None, "plain"]],
    }


@pytest.mark.parametrize("value", [None, True, 1, 2.5, "text", [], {}])
def test_values_without_templates_stay_as_they_are(value: object) -> None:
    assert repr(render_value(value, {})) == repr(value)


def test_the_value_given_is_left_as_it_was_and_keeps_its_order() -> None:
    value = {"b": ["{{ x }}"], "a": {"c": "{{ x }}"}}

    rendered = render_value(value, {"x": 1})

    assert value == {"b": ["{{ x }}"], "a": {"c": "{{ x }}"}}
    assert list(rendered) == ["b", "a"]


def test_the_first_error_in_document_order_is_raised() -> None:
    with pytest.raises(EvaluationError) as caught:
        render_value({"a": ["{{ one + 1 }}"], "b": "{{ two + 1 }}"}, {})

    assert caught.value.source == "one"


def test_a_broken_template_in_a_value_is_a_syntax_error() -> None:
    with pytest.raises(ExpressionSyntaxError):
        render_value(["{{ a b }}"], {})


def test_a_deep_value_is_rendered_without_recursion() -> None:
    value: object = "{{ x }}"
    for _ in range(50_000):
        value = [value]

    rendered = render_value(value, {"x": 7})
    for _ in range(50_000):
        rendered = rendered[0]

    assert rendered == 7


def test_all_templates_of_a_value_share_one_budget() -> None:
    limits = Limits(steps=100, result_bytes=1000)

    assert render_value(["{{ x }}"] * 100, {"x": 1}, limits=limits) == [1] * 100
    with pytest.raises(EvaluationError, match="100 steps"):
        render_value(["{{ x }}"] * 101, {"x": 1}, limits=limits)
    with pytest.raises(EvaluationError, match="1,000 bytes"):
        render_value(["{{ x }}"] * 11, {"x": "a" * 100}, limits=limits)
    with pytest.raises(EvaluationError, match="1,000 bytes"):
        render_value("a{{ x }}{{ x }}", {"x": "a" * 500}, limits=limits)


def test_literal_strings_cost_nothing() -> None:
    value = ["a" * 3000] * 3

    assert render_value(value, {}, limits=Limits(steps=0, result_bytes=0)) == value
