"""Would callers break? Only by what they can rely on."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from compiler_documents import a_decision, a_flow, a_node, a_text, an_entry
from compiler_random_flows import flows
from hypothesis import given, settings

from scaiflow_api.compiler.interface.compare import compare_interfaces

JSON = Any


def an_agent(**config: JSON) -> JSON:
    """Return a flow of an entry and a model call, with what the entry takes and what the call answers."""
    answer = config.pop("answer", {"reply": "string"})
    call = a_node("call", "llm_flexible", config={"goal": "Go", "output_schema": answer})
    return a_flow([an_entry(**config), call], ("entry", "call"))


def changed(change: Callable[[JSON], object], document: JSON | None = None) -> JSON:
    document = copy.deepcopy(document or an_agent())
    change(document)
    return document


def reasons(old: JSON, new: JSON) -> tuple[str, ...]:
    verdict = compare_interfaces(old, new)
    assert verdict.as_dict() == {"breaking": bool(verdict.reasons), "reasons": list(verdict.reasons)}
    return verdict.reasons


@settings(deadline=None, max_examples=30)
@given(flows())
def test_nobody_breaks_on_the_same_flow(document: JSON) -> None:
    moved = changed(lambda flow: [node["position"].update(x=7) for node in flow["nodes"]], document)

    assert reasons(document, moved) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": "string"}, {"a": "string", "b": "int"}, "api POST / asks for a new field 'b'"),
        ({"a": "string"}, {"a": "string", "b": "int?"}, None),
        ({"a": "string"}, {}, None),
        ({"a": "int"}, {"a": "float"}, None),
        ({"a": "float"}, {"a": "int"}, "api POST / takes 'a' as int, it was float"),
        ({"a": "string"}, {"a": "string?"}, None),
        ({"a": "string?"}, {"a": "string"}, "api POST / takes 'a' as string, it was string?"),
        ({"a": "enum[x, y]"}, {"a": "enum[y,x,z]"}, None),
        ({"a": "enum[x, y]"}, {"a": "enum[x]"}, "api POST / takes 'a' as enum[x], it was enum[x, y]"),
        ({"a": "map<string, int>"}, {"a": "map[string, float]"}, None),
        (
            {"a": "array<string>"},
            {"a": "array<int>"},
            "api POST / takes 'a' as array<int>, it was array<string>",
        ),
        ({"a": "Order"}, {"a": "any"}, None),
        (None, {"a": "string"}, None),
        ({"a": "string"}, None, None),
    ],
)
def test_input_may_ask_for_less_but_not_for_more(old: JSON, new: JSON, expected: str | None) -> None:
    versions = [an_agent(**({} if schema is None else {"input_schema": schema})) for schema in (old, new)]

    assert reasons(*versions) == ((expected,) if expected else ())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": "string"}, {"a": "string", "b": "int"}, None),
        ({"a": "string", "b": "int"}, {"a": "string"}, "api POST / no longer answers with 'b'"),
        ({"a": "float"}, {"a": "int"}, None),
        ({"a": "string"}, {"a": "string?"}, "api POST / answers with 'a' as string?, it was string"),
        ({"a": "string"}, {}, "api POST / may answer with what a model says, it was {a: string}"),
    ],
)
def test_output_may_have_more_but_not_less(old: JSON, new: JSON, expected: str | None) -> None:
    assert reasons(an_agent(answer=old), an_agent(answer=new)) == ((expected,) if expected else ())


def test_where_callers_knock_somebody_must_answer() -> None:
    moved = an_agent(path="/orders")
    both = changed(
        lambda flow: (
            flow["nodes"].append(a_node("other", "entry_api", config={"path": "/orders"})),
            flow["edges"].append(
                {
                    "id": "edge_9",
                    "type": "sequential",
                    "source": {"node": "other", "port": "out_request"},
                    "target": {"node": "call", "port": "in"},
                }
            ),
        )
    )

    assert reasons(an_agent(), moved) == ("nothing answers at api POST / any more",)
    assert reasons(an_agent(), both) == ()
    assert reasons(moved, both) == ()
    assert "nothing answers at api POST /orders any more" in reasons(both, an_agent())


def test_a_schedule_has_no_callers() -> None:
    old = changed(
        lambda flow: flow["nodes"].append(a_node("tick", "entry_schedule", config={"cron": "0 1 * * *"}))
    )

    assert not any("schedule" in reason for reason in reasons(old, an_agent()))


def test_other_names_are_not_found() -> None:
    assert reasons(an_agent(), changed(lambda flow: flow.update(name="Other"))) == (
        "the slug is 'other', it was 'test-flow': flows that call it by its old name fail",
    )


def test_a_chat_model_that_is_gone_is_missed() -> None:
    published = changed(lambda flow: flow["config"].update(publish_as_model=True))

    assert reasons(published, an_agent()) == ("it is no longer published as a model",)
    assert reasons(an_agent(), published) == ()


def test_a_version_with_errors_answers_nobody() -> None:
    broken = changed(lambda flow: flow["edges"][0]["source"].update(port="nowhere"))

    assert reasons(an_agent(), broken) == (
        "the new version has errors or is too large: it cannot be deployed",
    )
    assert reasons(broken, an_agent()) == ()


def test_each_way_through_the_flow_may_be_the_one_that_answers() -> None:
    def forked(second: JSON) -> JSON:
        return a_flow(
            [an_entry(), a_decision("pick"), a_text("one"), second],
            ("entry", "pick"),
            ("pick", "one", "c0"),
            ("pick", "two"),
        )

    text, model = a_text("two"), a_node("two", "llm_flexible", config={"goal": "Go"})

    assert reasons(forked(text), forked(a_text("two", "other words"))) == ()
    assert reasons(forked(model), forked(text)) == ()
    assert reasons(forked(text), forked(model)) == (
        "api POST / may answer with what a model says, it was string",
    )


def test_the_variable_output_is_the_output() -> None:
    def setting(value: JSON) -> JSON:
        node = a_node("set", "data_variable_set", config={"variable": "output", "value": value})
        return a_flow([an_entry(), node], ("entry", "set"))

    assert reasons(setting({"a": "x", "b": 1}), setting({"a": "y", "b": 2, "c": True})) == ()
    assert reasons(setting({"a": "x", "b": 1}), setting({"a": "x"})) != ()
    assert reasons(setting("{{ message }}"), setting("{{ text }}")) != ()
    assert reasons(setting("hello {{ message }}"), setting("bye")) == ()
