"""What a fixture's expectation accepts, and how it reports what it does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.domains.testruns import matching
from scaiflow_api.domains.testruns.matching import Mismatch, find_mismatches

TEXT = "x" * (64 * 1024)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": {"c": None}}}, {"a": {"b": {"c": None, "d": 1}, "e": 2}}),
        ({"a": 1}, {"a": 1.0}),
        ([1, {"a": "x"}], [1.0, {"a": "x", "b": 0}]),
        ([], []),
        ("", ""),
        (None, None),
        (True, True),
        ({"$any": True}, None),
        ({"a": {"$any": True}}, {"a": [1]}),
        ({"a": {"$absent": True}}, {"b": 1}),
        ({"$type": "string"}, "x"),
        ({"$type": "int"}, 3),
        ({"$type": "int"}, 3.0),
        ({"$type": "float"}, 3),
        ({"$type": "number"}, 3.5),
        ({"$type": "bool"}, False),
        ({"$type": "boolean"}, True),
        ({"$type": "array"}, []),
        ({"$type": "list"}, []),
        ({"$type": "object"}, {}),
        ({"$type": "map"}, {}),
        ({"$type": "null"}, None),
        ({"$regex": "^ab+$"}, "abbb"),
        ({"$regex": "b"}, "abc"),
        ({"$regex": "x$"}, TEXT),
        ({"$contains": "ell"}, "hello"),
        ({"$contains": {"id": 2}}, [{"id": 1}, {"id": 2, "x": 0}]),
        ({"$contains": 1}, [True, 1.0]),
        ({"$in": ["a", "b"]}, "b"),
        ({"$in": [{"$gt": 10}, None]}, None),
        ({"$gt": 1}, 1.5),
        ({"$gte": 2}, 2.0),
        ({"$lt": "2026-05-02"}, "2026-05-01"),
        ({"$lte": 0}, -1),
        ({"$approx": {"value": 0.3, "tol": 0.001}}, 0.1 + 0.2),
        ({"$len": 3}, "abc"),
        ({"$len": {"$gte": 1}}, [1, 2]),
        ({"$len": 0}, {}),
        ({"$and": 1, "plain": 2}, {"$and": 1, "plain": 2}),
    ],
)
def test_an_output_matches_its_expectation(expected: Any, got: Any) -> None:
    assert find_mismatches(expected, got) == []


@pytest.mark.parametrize(
    ("expected", "got", "path", "reason"),
    [
        ({"a": 1}, {}, "$.a", "is missing"),
        ({"a": None}, {}, "$.a", "is missing"),
        ({"a": 1}, {"a": 2}, "$.a", "is not equal"),
        ({"a": 1}, {"a": True}, "$.a", "is bool, expected int"),
        ({"a": False}, {"a": 0}, "$.a", "is int, expected bool"),
        ({"a": "1"}, {"a": 1}, "$.a", "is int, expected string"),
        ({"a": None}, {"a": 0}, "$.a", "is int, expected null"),
        ({"a": 1}, None, "$", "is null, expected object"),
        ([1], {"0": 1}, "$", "is object, expected array"),
        ([1], [1, 2], "$", "has 2 elements, expected 1"),
        ([1, [2, 3]], [1, [2, 4]], "$[1][1]", "is not equal"),
        (
            {"unit price": {"it's": 1}},
            {"unit price": {"it's": 2}},
            "$['unit price']['it\\'s']",
            "is not equal",
        ),
        ({"a": {"$any": True}}, {}, "$.a", "is missing"),
        ({"$any": 1}, 1, "$", "'$any' takes true"),
        ({"a": {"$absent": True}}, {"a": None}, "$.a", "is there"),
        ({"a": {"$absent": False}}, {}, "$.a", "'$absent' takes true"),
        ({"$type": "int"}, 1.5, "$", "is float, expected int"),
        ({"$type": "number"}, True, "$", "is bool, expected number"),
        ({"$regex": "^b"}, "abc", "$", "does not match the pattern"),
        ({"$regex": "b"}, 1, "$", "is int, expected string"),
        ({"$regex": "x"}, TEXT + "x", "$", "is longer than the 65536 bytes that '$regex' looks at"),
        ({"$regex": "x" * 513}, "x", "$", "'$regex' takes a pattern of at most 512 characters"),
        ({"$regex": ["x"]}, "x", "$", "'$regex' takes a pattern of at most 512 characters"),
        ({"$regex": "("}, "x", "$", "'$regex' is no pattern: missing ): ("),
        ({"$regex": r"(a)\1"}, "aa", "$", r"'$regex' is no pattern: invalid escape sequence: \1"),
        ({"$contains": "z"}, "hello", "$", "does not contain it"),
        ({"$contains": 1}, "1", "$", "'$contains' takes a string where the value is one"),
        ({"$contains": 1}, [True, "1"], "$", "has no such element"),
        ({"$contains": 1}, 1, "$", "is int, expected string or array"),
        ({"$in": ["a", "b"]}, "c", "$", "is none of them"),
        ({"$in": "abc"}, "a", "$", "'$in' takes an array"),
        ({"$gt": 1}, 1, "$", "is not greater"),
        ({"$gte": 1}, 0.5, "$", "is smaller"),
        ({"$lt": 1}, 1, "$", "is not smaller"),
        ({"$lte": 1}, 2, "$", "is greater"),
        ({"$gt": 0}, True, "$", "is bool, which cannot be ordered against int"),
        ({"$gt": "a"}, 1, "$", "is int, which cannot be ordered against string"),
        ({"$approx": {"value": 1, "tol": 0.1}}, 2, "$", "is off by 1"),
        ({"$approx": {"value": 1, "tol": 0.1}}, "1", "$", "is string, expected number"),
        ({"$approx": {"value": 1}}, 1, "$", "'$approx' takes {value, tol}"),
        ({"$approx": {"value": 1, "tol": -1}}, 1, "$", "'$approx' takes numbers, 'tol' not below 0"),
        ({"$len": 2}, "abc", "$", "has the length 3"),
        ({"$len": 2}, 12, "$", "is int, which has no length"),
    ],
)
def test_a_mismatch_says_where_and_why(expected: Any, got: Any, path: str, reason: str) -> None:
    (mismatch,) = find_mismatches(expected, got)
    assert (mismatch.path, mismatch.reason) == (path, reason)


def test_a_mismatch_carries_what_was_expected_and_what_was_there() -> None:
    found = find_mismatches({"b": {"$gt": 5}, "a": 1}, {"a": "x"})
    assert found == [
        Mismatch("$.b", {"$gt": 5}, None, "is missing"),
        Mismatch("$.a", 1, "x", "is string, expected int"),
    ]


@pytest.mark.parametrize("name", ["$typo", "$", "$eq"])
def test_an_unknown_matcher_is_reported_not_ignored(name: str) -> None:
    (mismatch,) = find_mismatches({name: 1}, {name: 1})
    assert mismatch.reason.startswith(f"unknown matcher '{name}'; known: $absent, $any, $approx,")


def test_an_unknown_type_lists_the_known_ones() -> None:
    (mismatch,) = find_mismatches({"$type": "str"}, "x")
    assert mismatch.reason.startswith("'$type' takes one of array, bool,")


def test_the_number_of_mismatches_is_bounded() -> None:
    assert len(find_mismatches(list(range(1000)), [None] * 1000)) == matching.MAX_MISMATCHES
    wide = {f"k{i}": [1, 2, 3] for i in range(1000)}
    assert len(find_mismatches(wide, {key: [] for key in wide})) == matching.MAX_MISMATCHES


def test_a_pattern_that_backtracks_elsewhere_ends_at_once() -> None:
    assert (
        find_mismatches({"$regex": "^(a+)+$"}, "a" * 60_000 + "b")[0].reason == "does not match the pattern"
    )


def test_matchers_inside_each_other_cannot_run_for_ever() -> None:
    expected: Any = 0
    for _ in range(12):
        expected = {"$in": [expected] * 10}
    (mismatch,) = find_mismatches(expected, 1)
    assert mismatch.reason == f"takes more than {matching.MAX_STEPS} steps to compare"


keys = st.text(max_size=8).filter(lambda key: not key.startswith("$"))
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_value_always_matches_itself(value: Any) -> None:
    assert find_mismatches(value, value) == []


@given(st.dictionaries(keys, json_values, max_size=4), st.dictionaries(keys, json_values, max_size=4))
def test_what_is_not_named_does_not_matter(expected: dict[str, Any], more: dict[str, Any]) -> None:
    assert find_mismatches(expected, {**more, **expected}) == []


@given(json_values, json_values)
def test_comparing_never_fails_and_names_a_path(expected: Any, got: Any) -> None:
    for mismatch in find_mismatches(expected, got):
        assert mismatch.path.startswith("$")
        assert mismatch.reason


matcher_names = st.sampled_from(
    [
        "$any",
        "$absent",
        "$type",
        "$regex",
        "$contains",
        "$in",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$approx",
        "$len",
    ]
)


@given(st.builds(lambda name, argument: {name: argument}, matcher_names, json_values), json_values)
def test_no_argument_of_a_matcher_makes_it_fail(expected: Any, got: Any) -> None:
    assert len(find_mismatches(expected, got)) <= 1
