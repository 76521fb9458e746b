"""Canonical JSON: one value, one text."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.kit.canonical_json import canonical_json

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
)


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_reads_as_the_same_value_and_text(value: object) -> None:
    text = canonical_json(value)

    assert orjson.loads(text) == value
    assert canonical_json(orjson.loads(text)) == text


@settings(deadline=None)
@given(st.dictionaries(TEXTS, st.integers(-5, 5)))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))

    assert canonical_json(backwards) == canonical_json(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        (1.0, b"1"),
        (-0.0, b"0"),
        (2.5, b"2.5"),
        (1e300, b"1e+300"),
        (2.0**53, b"9007199254740992"),
        ("é\u2028\U0001f600", '"é\u2028\U0001f600"'.encode()),
        ({"é": 1, "z": 2, "\U0001f600": 3, "\ufffd": 4}, '{"z":2,"é":1,"\ufffd":4,"\U0001f600":3}'.encode()),
    ],
)
def test_the_text_is_exactly_this(value: object, text: bytes) -> None:
    assert canonical_json(value) == text


def nested(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        -(2**53) - 1,
        10**5000,
        float("nan"),
        float("inf"),
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {"a": {None: 1}},
        (1, 2),
        b"x",
        nested(100_000),
    ],
    ids=range(12),
)
def test_what_other_readers_would_change_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)
