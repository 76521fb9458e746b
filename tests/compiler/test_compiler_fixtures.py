"""The fixtures of a flow: what they give, where they start, how they answer, what they expect."""

from typing import Any

import pytest
from compiler_documents import JSON, a_node, a_text
from compiler_findings import an_entry_with, found
from compiler_ways import a_flow_of_ways


def with_fixture(fixture: JSON, *nodes: JSON) -> JSON:
    entry = an_entry_with(message="string", amount="float?")
    every = [entry, a_text("a"), *nodes]
    ways = ["entry>a", *(f"a>{node['id']}" for node in nodes)]
    return a_flow_of_ways(
        every, *ways, tests=[{"name": "t", "input": {"message": "hi"}, "expect": {}, **fixture}]
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"message": "hi"}, []),
        ({"message": "hi", "amount": 3}, []),
        ({"message": "hi", "amount": None}, []),
        ({"mesage": "hi", "message": "hi"}, [("tests[0].input.mesage", "did you mean 'message'?")]),
        ({}, [("tests[0].input", "give it, or declare it as string?")]),
        ({"message": 3}, [("tests[0].input.message", None)]),
    ],
)
def test_the_input_of_a_fixture_is_what_the_entry_takes(given: JSON, expected: list[Any]) -> None:
    assert [(path, fix) for path, _, fix in found(with_fixture({"input": given}), "SF320")] == expected


@pytest.mark.parametrize(
    ("fixture", "path"),
    [
        ({"entry": "entry"}, None),
        ({"entry": "entri"}, "tests[0].entry"),
        ({"entry": "a"}, "tests[0].entry"),
        ({"resolutions": {"ask": "yes"}}, None),
        ({"resolutions": {"aks": "yes"}}, "tests[0].resolutions.aks"),
        ({"resolutions": {"a": "yes"}}, "tests[0].resolutions.a"),
    ],
)
def test_a_fixture_names_nodes_that_are_there(fixture: JSON, path: str | None) -> None:
    document = with_fixture(fixture, a_node("ask", "checkpoint", config={"prompt": "Go on?"}))

    assert [where for where, *_ in found(document, "SF321")] == ([path] if path else [])


@pytest.mark.parametrize(
    ("answer", "paths"),
    [
        ("approve", []),
        ({"decision": "approve", "note": "x"}, []),
        ({"note": "x"}, []),
        ("aprove", ["tests[0].resolutions.ask"]),
        ({"decision": "aprove"}, ["tests[0].resolutions.ask"]),
        (["approve", "aprove"], ["tests[0].resolutions.ask[1]"]),
    ],
)
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("hitl_decision", {"options": ["approve", {"id": "reject", "label": "No"}]}),
        (
            "hitl_review",
            {
                "scope": "s",
                "queue": "q",
                "sections": [{"type": "decision", "options": ["approve", "reject"]}],
            },
        ),
    ],
)
def test_a_fixture_chooses_an_option(kind: str, config: JSON, answer: Any, paths: list[str]) -> None:
    document = with_fixture({"resolutions": {"ask": answer}}, a_node("ask", kind, config=config))

    assert [(path, fix) for path, _, fix in found(document, "SF323")] == [
        (path, "did you mean 'approve'?") for path in paths
    ]


@pytest.mark.parametrize(
    "expect",
    [
        {"a": {"$any": True}, "b": [{"$gt": 1}, {"$in": [1, {"$type": "string"}]}]},
        {"a": {"$approx": {"value": 1, "tol": 0.1}}, "b": {"$len": {"$gte": 2}}, "c": {"$len": 3}},
        {"a": {"$contains": "x"}, "b": {"$absent": True}, "c": {"$regex": "^a+$"}, "d": {"$lt": "z"}},
        {"price": {"amount": 3}, "lines": [], "note": None},
    ],
)
def test_matchers_that_are_well_formed(expect: JSON) -> None:
    assert found(with_fixture({"expect": expect}), "SF322") == []


@pytest.mark.parametrize(
    ("expect", "path", "problem"),
    [
        ({"a": {"$gtr": 1}}, "tests[0].expect.a", "there is no matcher '$gtr'"),
        ({"a": [1, {"$any": 1}]}, "tests[0].expect.a[1]", "'$any' takes true"),
        (
            {"a": {"$gt": 1, "$lt": 3}},
            "tests[0].expect.a",
            "'$gt' stands beside other keys, so it is no matcher",
        ),
        ({"a": {"$in": {"$gt": []}}}, "tests[0].expect.a", "'$in' takes a list"),
        (
            {"a": {"$approx": {"value": 1}}},
            "tests[0].expect.a",
            "'$approx' takes {value, tol}, two numbers, tol not below 0",
        ),
        ({"a": {"$len": {"$gt": None}}}, "tests[0].expect.a.$len", "'$gt' takes a number or a text"),
        (
            {"a": {"$regex": "a" * 513}},
            "tests[0].expect.a",
            "'$regex' takes a pattern of at most 512 characters",
        ),
    ],
)
def test_matchers_that_are_not(expect: JSON, path: str, problem: str) -> None:
    where, message, _ = found(with_fixture({"expect": expect}), "SF322")[0]

    assert (where, message) == (path, f"fixture 't': {problem}")
