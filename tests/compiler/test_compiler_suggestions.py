"""Did you mean: what is near enough, and that it costs little."""

from collections.abc import Iterator
from typing import Never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler.suggest import Suggestions

WORDS = st.text("abc", max_size=7)


def distance(left: str, right: str) -> int:
    """Count edits over all prefixes, the plain way."""
    table = {(i, 0): i for i in range(len(left) + 1)} | {(0, j): j for j in range(len(right) + 1)}
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            ways = [
                table[i - 1, j] + 1,
                table[i, j - 1] + 1,
                table[i - 1, j - 1] + (left[i - 1] != right[j - 1]),
            ]
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                ways.append(table[i - 2, j - 2] + 1)
            table[i, j] = min(ways)
    return table[len(left), len(right)]


@settings(deadline=None)
@given(WORDS, st.sets(WORDS, max_size=6))
def test_the_nearest_name_is_found_within_two_edits_and_half_the_word(word: str, names: set[str]) -> None:
    within = sorted(
        (distance(word, name), name)
        for name in names
        if distance(word, name) <= min(2, (min(len(word), len(name)) - 1) // 2)
    )

    assert Suggestions().near_miss(word, names) == (within[0][1] if within else None)


@pytest.mark.parametrize(
    ("word", "name", "near"),
    [
        ("confidance", "confidence", True),
        ("mesage", "message", True),
        ("messsage", "message", True),
        ("mesasge", "message", True),
        ("kb_result", "kb_results", True),
        ("urgent", "agent", True),
        ("a", "b", False),
        ("in", "id", False),
        ("text", "tick", False),
        ("customer", "consumers", False),
    ],
)
def test_short_names_are_not_taken_for_each_other(word: str, name: str, near: bool) -> None:
    assert (Suggestions().near_miss(word, {name}) == name) is near


def test_a_budget_that_is_spent_gives_no_more_suggestions() -> None:
    suggestions = Suggestions(budget=520)

    assert suggestions.did_you_mean("message_", ["message"]) == "did you mean 'message'?"
    assert suggestions.near_miss("mesage", ["message"]) == "message"
    assert suggestions.did_you_mean("message_", ["message", "massage"]) is None


def test_a_word_that_differs_in_case_alone_is_nearest() -> None:
    assert Suggestions().nearest("get", ["GET", "HEAD", "set"]) == "GET"


def test_very_long_words_are_not_compared() -> None:
    assert Suggestions().did_you_mean("x" * 65, ["x" * 64]) is None


def test_names_are_neither_looked_at_nor_put_together_where_that_is_not_affordable() -> None:
    class Names(frozenset[str]):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError("looked at")

        def __or__(self, other: object) -> Never:
            raise AssertionError("put together")

    assert Suggestions(budget=10).near_miss("name", Names({"names"}), Names({"game", "fame"})) is None
