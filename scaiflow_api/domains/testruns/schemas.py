"""Test runs over the wire."""

from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from scaiflow_api.web.schemas import AnswerModel, ApiModel


class RunTestsRequest(ApiModel):
    """What to run against."""

    example: ClassVar = {"core_id": "core_7h2k9q4m1x8c"}

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


class Coverage(AnswerModel):
    """What of the flow was run through."""

    nodes: list[str]
    """Nodes that ran, in the order of the flow."""
    edges_taken: list[str]
    """Of the edges between which runs choose (conditional ones, and the sequential ones beside them) those taken."""
    node_pct: float
    """Nodes that ran, in percent of all nodes of the flow, to one decimal."""


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
    coverage: Coverage | None = None
    """Null where no run is known."""


class TestReport(AnswerModel):
    """The results in the order of the flow's `tests`."""

    __test__ = False

    results: list[FixtureResult]
    passed: int
    failed: int
    message: str | None = None
    """Says why there are no results, when there are none, or that the coverage is not all."""
    coverage: Coverage | None = None
    """Of all fixtures together; null when there are no results."""
