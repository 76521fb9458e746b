"""Prints a test report as text or JSON, and judges whether the run was good enough."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.cli.flows.files import print_json
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.cli.terminal import DIM, GREEN, RED, YELLOW, Paint, visible
from scaiflow_api.domains.testruns.schemas import FixtureResult, TestReport

LONGEST_VALUE = 200
_NAMED_NODES = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a test run is good enough."""

    failed: int
    covered_pct: float
    wanted_pct: float | None

    @classmethod
    def on(cls, report: TestReport, wanted_pct: float | None) -> "Verdict":
        return cls(report.failed, report.coverage.node_pct if report.coverage else 0.0, wanted_pct)

    @property
    def too_little(self) -> str | None:
        """Say by how much too few nodes were run through; None when there are enough."""
        if self.wanted_pct is None or self.covered_pct >= self.wanted_pct:
            return None
        return f"{self.covered_pct:g} % of the nodes were run through, fewer than {self.wanted_pct:g} %"

    @property
    def ok(self) -> bool:
        return not self.failed and self.too_little is None


def show(
    report: TestReport, verdict: Verdict, document: Mapping[str, Any], *, as_json: bool, quiet: bool
) -> None:
    """Write the results to standard output unless `quiet`, and beside it how it went."""
    if as_json:
        print_json({"ok": verdict.ok, **report.model_dump(mode="json")})
    elif not quiet:
        paint = Paint(sys.stdout)
        for result in report.results:
            for line in _lines(result, paint):
                print(line)
    if report.message is not None:
        tell(report.message)
    if report.results:
        tell(_summary(report, document))
    if verdict.too_little is not None:
        tell(verdict.too_little)


def _lines(result: FixtureResult, paint: Paint) -> Iterator[str]:
    mark = paint("ok  ", GREEN) if result.ok else paint("FAIL", RED)
    yield f"{mark} {visible(result.name)} {paint(f'{result.duration_ms} ms', DIM)}"
    if result.error is not None:
        yield f"     {paint(visible(result.error), YELLOW)}"
    for mismatch in result.mismatches:
        yield f"     {visible(mismatch.path)} {visible(mismatch.reason)}"
        yield f"       expected {brief(mismatch.expected)}"
        yield f"       got      {brief(mismatch.got)}"


def brief(value: Any) -> str:
    """Return a value as JSON on one line, cut where it is long."""
    text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _summary(report: TestReport, document: Mapping[str, Any]) -> str:
    parts = [f"{report.passed} passed"]
    if report.failed:
        parts.append(f"{report.failed} failed")
    if report.coverage is None:
        return ", ".join(parts)
    covered = f"; {report.coverage.node_pct:g} % of the nodes were run through"
    ran = set(report.coverage.nodes)
    missed = [node["id"] for node in document.get("nodes") or [] if node["id"] not in ran]
    if not missed:
        return ", ".join(parts) + covered
    more = f" and {len(missed) - _NAMED_NODES} more" if len(missed) > _NAMED_NODES else ""
    return ", ".join(parts) + covered + f", not {', '.join(missed[:_NAMED_NODES])}{more}"
