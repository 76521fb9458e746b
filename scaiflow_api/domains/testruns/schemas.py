"""Test runs over the wire."""

from typing import Annotated, Any

from pydantic import StringConstraints

from scaiflow_api.web.schemas import AnswerModel, ApiModel


class RunTestsRequest(ApiModel):
    """What to run against."""

    core_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    name_filter: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Part of the names of the fixtures to run, in any case."""


class MismatchItem(AnswerModel):
    """Where the output differs from what the fixture expects."""

    path: str
    expected: Any
    got: Any
    """Null where nothing was there."""
    reason: str


class FixtureResult(AnswerModel):
    """What became of one fixture."""

    name: str
    ok: bool
    expect: Any
    output: Any
    error: str | None
    """Why there is no output to compare; null when there is."""
    duration_ms: int
    mismatches: list[MismatchItem]


class TestReport(AnswerModel):
    """The results in the order of the flow's `tests`."""

    __test__ = False

    results: list[FixtureResult]
    passed: int
    failed: int
    message: str | None = None
    """Says why there are no results, when there are none."""
