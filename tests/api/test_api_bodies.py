"""Bodies are read as Python's `json` reads them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.web.bodies import parsed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ODD = [
    b"",
    b"[1.]",
    b'{"a":1,}',
    b"[1] x",
    b'["a\tb"]',
    b'["\xc3"]',
    b'["\xed\xa0\x80"]',
    b'["\\ud800"]',
    b"[1e400, -Infinity, 18446744073709551616, 123456789012345678901234567890]",
    b'{"a":1,"a":2}',
    b"\xef\xbb\xbf[1]",
    '["é"]'.encode("utf-16"),
    b"[" + b"9" * 5000 + b"]",
    b"[" * 100_000,
]


def outcome(text: bytes, read: Any) -> object:
    try:
        return repr(read(text))
    except Exception as error:
        return type(error), str(error)


@given(JSON, st.booleans())
def test_a_value_comes_as_it_was_written(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    assert outcome(text, parsed) == outcome(text, json.loads)


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_what_is_odd_or_no_json_ends_alike(text: bytes) -> None:
    assert outcome(text, parsed) == outcome(text, json.loads)
