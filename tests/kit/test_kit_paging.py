"""A cursor comes back from outside: whatever it says, it is a place in a list or nothing."""

import base64
import json
from datetime import UTC, datetime

import pytest

from scaiflow_api.kit.paging import decode_cursor, decode_moment, encode_cursor


def written(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("part", ["", "a", "Straße 🦜", '"\\', "x" * 200])
def test_what_was_encoded_is_decoded(part: str) -> None:
    assert decode_cursor(encode_cursor("key", part), 2) == ("key", part)


@pytest.mark.parametrize(
    "parts", [["a"], ["a", "b", "c"], ["a", 1], ["a", None], {"a": "b"}, "ab", ["a", "\x00"], ["a", "\ud800"]]
)
def test_anything_else_is_no_cursor(parts: object) -> None:
    assert decode_cursor(written(parts), 2) is None


def test_a_moment_is_one_in_utc() -> None:
    assert decode_moment("2026-11-28T12:00:00+02:00") == datetime(2026, 11, 28, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "part",
    ["", "now", "2026-11-28T12:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)
def test_anything_else_is_no_moment(part: str) -> None:
    assert decode_moment(part) is None
