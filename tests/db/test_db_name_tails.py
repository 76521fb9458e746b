"""Tails of names: a part of a name is how exactly one of them begins anew."""

from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.db.name_tails import LONGEST, range_of, tails_of

TEXTS = st.text(alphabet="aab é漢😀", max_size=40)


def found(part: str, key: str) -> int:
    """Return how many tails of `key` say that it holds `part`."""
    begins, ends = range_of(part) or (b"", b"")
    return sum(begins <= tail < ends and seen < len(begins) for tail, seen in tails_of(key))


@given(TEXTS, TEXTS.filter(bool))
def test_each_name_is_found_once_by_every_part_of_it_and_by_no_other(key: str, part: str) -> None:
    if range_of(part) is not None:
        assert found(part, key) == (part in key)


@given(TEXTS.filter(bool), st.data())
def test_parts_taken_from_a_name_are_found(key: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(key) - 1))
    part = key[start : data.draw(st.integers(start + 1, len(key)))]

    assert found(part, key) == (len(part.encode()) <= LONGEST)


def test_tails_are_few_and_short() -> None:
    assert tails_of("") == set()
    assert tails_of("banana") == {(b"banana", 0), (b"anana", 0), (b"nana", 0)}
    assert len(tails_of("a" * 200)) == 1
    assert max(len(tail) for tail, _ in tails_of("the quick brown fox " * 10)) == LONGEST
