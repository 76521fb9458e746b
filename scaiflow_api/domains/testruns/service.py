"""Running a flow's fixtures: each is one invocation of the deployed Core, and has the flow's real effects."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler import CompileError, compile_flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.audit.effects import told
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound, MissingScaiGridCredentials
from scaiflow_api.domains.flows.audited import flow_entry
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.testruns.matching import find_mismatches
from scaiflow_api.domains.testruns.schemas import FixtureResult, MismatchItem, RunTestsRequest, TestReport
from scaiflow_api.flowgraph import Limits, TestFixture
from scaiflow_api.kit.clock import Clock
from scaiflow_api.upstreams.credentials import Access, Credentials
from scaiflow_api.upstreams.errors import UpstreamError, UpstreamRejected, UpstreamTimedOut, as_app_error
from scaiflow_api.upstreams.scaigrid_answers import Execution

_BAD_INPUT = frozenset({400, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLimits:
    """What bounds a test run."""

    __test__ = False

    graph: Limits
    concurrency: int
    timeout_s: float
    """For one fixture."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What the fixtures run against."""

    access: Access
    core_id: str
    flow_names: dict[str, str]
    """Entry node → the compiled flow that it starts."""


class RunTests:
    """Runs fixtures against a Core that the flow was deployed to."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        flows: FlowService,
        deployments: Deployments,
        credentials: Credentials,
        limits: TestLimits,
    ) -> None:
        self._db = db
        self._clock = clock
        self._flows = flows
        self._deployments = deployments
        self._credentials = credentials
        self._limits = limits

    async def run(self, caller: Caller, flow_id: str, order: RunTestsRequest) -> TestReport:
        """Run the fixtures of the flow's current version and report.

        A fixture that fails is a result. What would fail every fixture alike (no access, a rate limit, ScaiGrid
        or the Core gone) ends the run with its error. Raises what opening the flow raises, CoreNotFound,
        MissingScaiGridCredentials, UpstreamError.
        """
        flow = await self._flows.open(caller, flow_id, Level.DEPLOY, own_tenant=True)
        if await self._deployments.flow_of_core(flow.tenant_id, order.core_id) != flow.id:
            raise CoreNotFound(core_id=order.core_id)
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingScaiGridCredentials(tenant_id=caller.tenant_id)
        document = await self._flows.document(flow)
        fixtures = [TestFixture.model_validate(fixture) for fixture in document.get("tests") or []]
        chosen = _chosen(fixtures, order.name_filter)
        if not chosen:
            return TestReport(results=[], passed=0, failed=0, message=_why_none(fixtures, order.name_filter))
        flow_names = await self._flow_names(document) if any(fixture.entry for fixture in chosen) else {}
        entry = flow_entry(flow, "flow.tested", details={"core_id": order.core_id, "version": flow.version})
        async with told(self._db, self._clock, caller, entry) as details:
            results = await self._run_all(chosen, _Target(access, order.core_id, flow_names))
            passed = sum(result.ok for result in results)
            failed = len(results) - passed
            details |= {"passed": passed, "failed": failed}
        return TestReport(results=results, passed=passed, failed=failed)

    async def _run_all(self, fixtures: list[TestFixture], target: _Target) -> list[FixtureResult]:
        turns = asyncio.Semaphore(self._limits.concurrency)

        async def in_turn(fixture: TestFixture) -> FixtureResult:
            async with turns:
                return await self._run_one(fixture, target)

        tasks = [asyncio.create_task(in_turn(fixture)) for fixture in fixtures]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_one(self, fixture: TestFixture, target: _Target) -> FixtureResult:
        if fixture.entry is not None and fixture.entry not in target.flow_names:
            return _result(
                fixture, error=f"entry '{fixture.entry}' starts no flow of this document", duration_ms=0
            )
        started = time.monotonic()
        try:
            run = await target.access.grid.invoke(
                target.access.credential,
                target.core_id,
                fixture.input,
                flow_name=target.flow_names[fixture.entry] if fixture.entry is not None else None,
                timeout_s=self._limits.timeout_s,
            )
        except UpstreamError as failure:
            if not _is_the_fixtures_own(failure):
                raise
            return _result(fixture, error=str(as_app_error(failure)), duration_ms=_since(started))
        if run.status != "COMPLETED":
            error = _why_not_completed(run, fixture)
            return _result(fixture, error=error, output=run.output, duration_ms=_since(started))
        duration_ms = _since(started)
        # Not on the event loop: an expectation may be as large as a flow.
        found = await asyncio.to_thread(find_mismatches, fixture.expect, run.output)
        return FixtureResult(
            name=fixture.name,
            ok=not found,
            expect=fixture.expect,
            output=run.output,
            error=None,
            duration_ms=duration_ms,
            mismatches=[MismatchItem.model_validate(mismatch) for mismatch in found],
        )

    async def _flow_names(self, document: dict[str, Any]) -> dict[str, str]:
        """Return entry node → compiled flow; nothing when the document does not compile as it is now."""
        try:
            compiled = await asyncio.to_thread(compile_flow, document, "yaml", limits=self._limits.graph)
        except CompileError:
            return {}
        return {t.node_id: t.target_flow for t in compiled.module.triggers if t.node_id is not None}


def _chosen(fixtures: list[TestFixture], name_filter: str | None) -> list[TestFixture]:
    wanted = (name_filter or "").casefold()
    return [fixture for fixture in fixtures if wanted in fixture.name.casefold()]


def _why_none(fixtures: list[TestFixture], name_filter: str | None) -> str:
    if fixtures:
        return f"No fixture of this flow has '{name_filter}' in its name."
    return "This flow has no fixtures: add some under 'tests', each with a name, an input and what to expect."


def _is_the_fixtures_own(failure: UpstreamError) -> bool:
    if isinstance(failure, UpstreamTimedOut):
        return True
    return isinstance(failure, UpstreamRejected) and failure.status in _BAD_INPUT


def _why_not_completed(run: Execution, fixture: TestFixture) -> str:
    if run.status == "SUSPENDED":
        where = f"checkpoint '{run.checkpoint_id}'"
        if fixture.resolutions:
            return f"{where}: resolving checkpoints in a test run is not available yet"
        return f"{where} has no resolution in this fixture"
    if run.status == "FAILED":
        return _reason(run.error) or "the run failed without saying why"
    return f"the run '{run.execution_id}' has not ended: it is {run.status}"


def _reason(error: Any) -> str | None:
    """Return the sentence in a run's error, which is text or an object with a `message`."""
    told = error.get("message") or error.get("code") if isinstance(error, dict) else error
    return told if isinstance(told, str) and told else None


def _result(fixture: TestFixture, *, error: str, duration_ms: int, output: Any = None) -> FixtureResult:
    return FixtureResult(
        name=fixture.name,
        ok=False,
        expect=fixture.expect,
        output=output,
        error=error,
        duration_ms=duration_ms,
        mismatches=[],
    )


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
