"""Comparing what a flow answered with what a fixture expects. Pure.

An expectation is a subset: every key that it names must be there and match, keys that it does not name are free.
Lists are compared element by element; scalars are equal (1 and 1.0 are, a boolean is no number). An object whose
only key begins with `$` is a matcher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.domains.testruns.matchers import ABSENT, apply_matcher, kind_of, same_scalar
from scaiflow_api.domains.testruns.paths import item_path, key_path

MAX_MISMATCHES = 100
"""After so many the rest of a fixture's differences is left out."""
MAX_STEPS = 200_000
"""Pairs of values looked at for one fixture."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference: where (JSON path), what was expected, what was there (None when nothing was), and why not."""

    path: str
    expected: Any
    got: Any
    reason: str


def find_mismatches(expected: Any, got: Any) -> list[Mismatch]:
    """Return the differences in the order of the expectation; none: it matches."""
    try:
        return _Comparison().compare(expected, got, "$")[:MAX_MISMATCHES]
    except _TooMuch:
        return [_mismatch("$", expected, got, f"takes more than {MAX_STEPS} steps to compare")]


class _TooMuch(Exception):
    pass


class _Comparison:
    """One comparison, with a bound on its work: matchers inside each other can look at everything many times."""

    def __init__(self) -> None:
        self._steps = 0

    def compare(self, expected: Any, got: Any, path: str) -> list[Mismatch]:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _TooMuch
        matcher = _matcher_of(expected)
        if matcher is not None:
            reason = apply_matcher(matcher[0], matcher[1], got, self._matches)
            return [_mismatch(path, expected, got, reason)] if reason else []
        if got is ABSENT:
            return [_mismatch(path, expected, got, "is missing")]
        if isinstance(expected, dict):
            return self._compare_object(expected, got, path)
        if isinstance(expected, list):
            return self._compare_list(expected, got, path)
        if same_scalar(expected, got):
            return []
        same_kind = kind_of(expected) == kind_of(got)
        reason = "is not equal" if same_kind else f"is {kind_of(got)}, expected {kind_of(expected)}"
        return [_mismatch(path, expected, got, reason)]

    def _compare_object(self, expected: Mapping[str, Any], got: Any, path: str) -> list[Mismatch]:
        if not isinstance(got, dict):
            return [_mismatch(path, expected, got, f"is {kind_of(got)}, expected object")]
        found: list[Mismatch] = []
        for key, wanted in expected.items():
            found += self.compare(wanted, got.get(key, ABSENT), key_path(path, key))
            if len(found) >= MAX_MISMATCHES:
                break
        return found

    def _compare_list(self, expected: list[Any], got: Any, path: str) -> list[Mismatch]:
        if not isinstance(got, list):
            return [_mismatch(path, expected, got, f"is {kind_of(got)}, expected array")]
        if len(expected) != len(got):
            return [_mismatch(path, expected, got, f"has {len(got)} elements, expected {len(expected)}")]
        found: list[Mismatch] = []
        for index, (wanted, item) in enumerate(zip(expected, got, strict=True)):
            found += self.compare(wanted, item, item_path(path, index))
            if len(found) >= MAX_MISMATCHES:
                break
        return found

    def _matches(self, expected: Any, got: Any) -> bool:
        return not self.compare(expected, got, "$")


def _matcher_of(expected: Any) -> tuple[str, Any] | None:
    if isinstance(expected, dict) and len(expected) == 1:
        ((name, argument),) = expected.items()
        if name.startswith("$"):
            return name, argument
    return None


def _mismatch(path: str, expected: Any, got: Any, reason: str) -> Mismatch:
    return Mismatch(path, expected, None if got is ABSENT else got, reason)
