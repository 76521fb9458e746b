"""Running fixtures against a deployed Core; each is one invocation and has the flow's real effects.

It knows no database, so the API and the command line share it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaiflow_api.domains.testruns.attempt import Attempt, Outcome
from scaiflow_api.domains.testruns.coverage import FlowMap
from scaiflow_api.domains.testruns.matching import find_mismatches
from scaiflow_api.domains.testruns.schemas import FixtureResult, MismatchItem, TestReport
from scaiflow_api.domains.testruns.starts import CannotStart, Starts
from scaiflow_api.domains.testruns.watch import USUAL_PACE, Pace, Watch
from scaiflow_api.flowgraph import FlowGraph, Limits, TestFixture
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.rate_limits import Patience, patiently

EVENTS_LATE = "Not all events have arrived in time: more was covered than is told here."


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLimits:
    """What bounds a test run."""

    __test__ = False

    graph: Limits
    concurrency: int
    timeout_s: float
    """For one fixture."""
    events_wait_s: float
    """For the last events, when all fixtures are done."""
    clean_up_s: float
    """For cancelling what one fixture leaves behind."""
    busy_wait_s: float = 0.0
    """For one call, where ScaiGrid limits the rate; 0 ends the test run with ScaiGrid's answer."""
    pace: Pace = USUAL_PACE


@dataclass(slots=True)
class _Done:
    """A fixture that was carried out."""

    fixture: TestFixture
    result: FixtureResult
    execution_id: str | None = None
    ended: bool = False


class FixtureRunner:
    """Runs the fixtures of a document against one Core. Use it once."""

    def __init__(self, access: Access, core_id: str, limits: TestLimits) -> None:
        self._access = access
        self._core_id = core_id
        self._limits = limits
        self._watch = Watch(access, core_id, limits.pace)
        self._keyed = True

    async def run(
        self,
        document: dict[str, Any],
        fixtures: Sequence[TestFixture],
        told: Callable[[FixtureResult], None] = lambda _: None,
    ) -> TestReport:
        """Run fixtures of a document, one at least, and report in their order.

        `told` is called with each result as soon as it is there, still without its coverage. A fixture that fails
        is a result. Raises UpstreamError for what would fail every fixture. However this ends, even by being
        cancelled, runs of fixtures that are still under way are cancelled as far as possible.
        """
        self._keyed = not keeps_sessions(document)
        await patiently(self._watch.begin, Patience(self._limits.busy_wait_s))
        starts = await self._starts(document, fixtures)
        done = await self._carry_out(fixtures, starts, told)
        ended = [item.execution_id for item in done if item.ended and item.execution_id is not None]
        complete = await self._watch.catch_up(ended, within_s=self._limits.events_wait_s)
        report = _report([item.result for item in done], None if complete else EVENTS_LATE)
        await asyncio.to_thread(self._cover, report, document, done)
        return report

    async def _carry_out(
        self, fixtures: Sequence[TestFixture], starts: Starts | None, told: Callable[[FixtureResult], None]
    ) -> list[_Done]:
        left = deque(enumerate(fixtures))
        done: dict[int, _Done] = {}

        async def work() -> None:
            while left:
                place, fixture = left.popleft()
                try:
                    done[place] = await self._carry_out_one(fixture, starts)
                except BaseException:
                    left.clear()  # the others begin nothing new
                    raise
                told(done[place].result)

        workers = [asyncio.create_task(work()) for _ in range(self._limits.concurrency)]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # Once only: a second cancellation would cut short the clean-up that the first one began.
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        failures = [failure for w in workers if not w.cancelled() and (failure := w.exception()) is not None]
        if failures:
            raise failures[0]
        return [done[place] for place in sorted(done)]

    async def _carry_out_one(self, fixture: TestFixture, starts: Starts | None) -> _Done:
        try:
            flow_name = starts.flow_name(fixture.entry) if starts and fixture.entry is not None else None
        except CannotStart as reason:
            return _Done(fixture, _result(fixture, Outcome(error=str(reason)), 0.0))
        attempt = Attempt(
            fixture,
            flow_name=flow_name,
            instance_key=self._watch.new_key() if self._keyed else None,
            access=self._access,
            core_id=self._core_id,
            watch=self._watch,
            timeout_s=self._limits.timeout_s,
            clean_up_s=self._limits.clean_up_s,
            busy_wait_s=self._limits.busy_wait_s,
        )
        outcome = await attempt.carry_out()
        result = _result(fixture, outcome, time.monotonic() - attempt.begun)
        if outcome.error is None:
            # Not on the event loop: an expectation may be as large as a flow.
            found = await asyncio.to_thread(find_mismatches, fixture.expect, outcome.output)
            result.mismatches = [MismatchItem.model_validate(mismatch) for mismatch in found]
            result.ok = not found
        return _Done(fixture, result, attempt.execution_id, attempt.ended)

    async def _starts(self, document: dict[str, Any], fixtures: Sequence[TestFixture]) -> Starts | None:
        if all(fixture.entry is None for fixture in fixtures):
            return None
        return await asyncio.to_thread(Starts.of, document, self._limits.graph)

    def _cover(self, report: TestReport, document: dict[str, Any], done: Sequence[_Done]) -> None:
        """Write into the report what each fixture, and all together, have been through."""
        flow = FlowMap(FlowGraph.model_validate(document))
        together = []
        for item in done:
            if item.execution_id is not None:
                seen = flow.seen(item.fixture.entry, self._watch.trail(item.execution_id))
                item.result.coverage = flow.coverage([seen])
                together.append(seen)
        report.coverage = flow.coverage(together)


def keeps_sessions(document: Mapping[str, Any]) -> bool:
    """Tell whether the flow has sandboxes that outlive a run with an `instance_key`, for the next run of that key."""
    own = [node.get("config") or {} for node in document.get("nodes") or []]
    shared = (document.get("config") or {}).get("bunker") or {}
    return any(place.get("lifecycle") == "session" for place in (shared, *own))


def _report(results: list[FixtureResult], message: str | None) -> TestReport:
    passed = sum(result.ok for result in results)
    return TestReport(results=results, passed=passed, failed=len(results) - passed, message=message)


def _result(fixture: TestFixture, outcome: Outcome, seconds: float) -> FixtureResult:
    return FixtureResult(
        name=fixture.name,
        ok=False,
        expect=fixture.expect,
        output=outcome.output,
        error=outcome.error,
        duration_ms=round(seconds * 1000),
        mismatches=[],
    )
