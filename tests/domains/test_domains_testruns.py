"""Running fixtures: what becomes of each, and what ends the whole run."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
import respx
from played_grid import refusal
from played_runs import PlayedRuns

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.deployments import Deployments
from scaiflow_api.domains.deploy.errors import CoreNotFound, MissingScaiGridCredentials
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.testruns.runner import TestLimits
from scaiflow_api.domains.testruns.schemas import RunTestsRequest, TestReport
from scaiflow_api.domains.testruns.service import RunTests
from scaiflow_api.domains.testruns.watch import Pace
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.settings import DeployAuth
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError

GRID = "http://grid.test/scaigrid"
Json = dict[str, Any]
Deployed = Callable[[Json], Awaitable[Flow]]
AGAINST = RunTestsRequest(core_id="core_1")
LIMITS = TestLimits(
    graph=DEFAULT_LIMITS,
    concurrency=2,
    timeout_s=0.2,
    events_wait_s=0.05,
    clean_up_s=0.5,
    pace=Pace(first_s=0.005, most_s=0.02),
)


@pytest.fixture
def grid() -> Iterator[PlayedRuns]:
    with respx.mock(assert_all_called=False) as router:
        yield PlayedRuns(router, GRID)


@pytest.fixture
def tests(db: Database, audit: AuditTrail, flows: FlowService, credentials: Credentials) -> RunTests:
    return RunTests(
        audit=audit,
        flows=flows,
        deployments=Deployments(db),
        credentials=credentials,
        limits=LIMITS,
    )


@pytest.fixture
def deployed(
    db: Database, grid: PlayedRuns, keep: Callable[[Json], Awaitable[Flow]]
) -> Callable[[Json], Awaitable[Flow]]:
    """Store a flow with a Core."""

    async def deploy(content: Json) -> Flow:
        flow = await keep(content)
        core = grid.add_core(source_id=flow.id, slug=flow.id)
        async with db.write() as session:
            session.add(
                Deployment(
                    id=new_id("dep"),
                    tenant_id=flow.tenant_id,
                    flow_id=flow.id,
                    flow_version=flow.version,
                    status="deployed",
                    core_id=core["id"],
                    deployed_by=flow.owner_id,
                    started_at=SystemClock().now(),
                )
            )
        return flow

    return deploy


def fixture(name: str, **fields: Any) -> Json:
    return {"name": name, "input": {"n": name}, "expect": {"n": name}, **fields}


def invoked(grid: PlayedRuns) -> list[Json]:
    """Return the bodies of the invocations."""
    return [orjson.loads(r.content) for r in grid.requests if r.url.path.endswith("/invoke")]


async def only(tests: RunTests, deployed: Deployed, bob: Caller, echo: Json, case: Json) -> Json:
    """Run one fixture and return its result."""
    flow = await deployed({**echo, "tests": [case]})
    report = await tests.run(bob, flow.id, AGAINST)
    (result,) = report.results
    assert report.passed + report.failed == 1
    assert report.passed == int(result.ok)
    return result.model_dump()


async def test_results_come_in_the_order_of_the_flow(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    names = [f"case {n}" for n in range(6)]

    async def later_ones_first(body: Json) -> Json:
        await asyncio.sleep(0.01 * (6 - int(body["input"]["n"][-1])))
        return {"output": body["input"]}

    grid.on_invoke = later_ones_first
    flow = await deployed({**echo, "tests": [fixture(name) for name in names]})
    report = await tests.run(bob, flow.id, AGAINST)
    assert [result.name for result in report.results] == names
    assert (report.passed, report.failed, report.message) == (6, 0, None)
    assert {request.headers["Authorization"] for request in grid.requests} == {"Bearer tok-bob"}


async def test_a_fixture_that_matches_passes(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    grid.on_invoke = lambda body: {"output": {"intent": "complaint", "urgency": "medium"}}
    case = fixture(
        "Refund request", input={"message": "give back"}, expect={"intent": {"$in": ["complaint"]}}
    )
    result = await only(tests, deployed, bob, echo, case)
    (sent,) = invoked(grid)
    assert sent.pop("instance_key").startswith("test-")
    assert sent == {"input": {"message": "give back"}}
    assert result.pop("duration_ms") >= 0
    assert result.pop("coverage") is not None
    assert result == {
        "name": "Refund request",
        "ok": True,
        "expect": {"intent": {"$in": ["complaint"]}},
        "output": {"intent": "complaint", "urgency": "medium"},
        "error": None,
        "mismatches": [],
    }


async def test_a_fixture_that_differs_says_where(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    grid.on_invoke = lambda body: {"output": {"n": 2}}
    result = await only(tests, deployed, bob, echo, fixture("a", expect={"n": 1}))
    assert (result["ok"], result["error"], result["output"]) == (False, None, {"n": 2})
    assert result["mismatches"] == [{"path": "$.n", "expected": 1, "got": 2, "reason": "is not equal"}]


@pytest.mark.parametrize(
    ("run", "extra", "error"),
    [
        (
            {"status": "FAILED", "error": {"code": "X", "message": "null in arithmetic"}},
            {},
            "null in arithmetic",
        ),
        ({"status": "FAILED", "error": {"code": "X"}}, {}, "X"),
        ({"status": "FAILED", "error": "plain text"}, {}, "plain text"),
        ({"status": "FAILED"}, {}, "the run failed without saying why"),
        ({"status": "FAILED", "error": {"message": 7}}, {}, "the run failed without saying why"),
        ({"status": "PAUSED"}, {}, "the run 'exec_1' has not ended: it is PAUSED"),
        ({"status": "RUNNING"}, {}, "the run 'exec_1' did not end within 0.2 s"),
    ],
)
async def test_a_run_that_does_not_complete_fails_its_fixture(
    tests: RunTests,
    grid: PlayedRuns,
    deployed: Deployed,
    bob: Caller,
    echo: Json,
    run: Json,
    extra: Json,
    error: str,
) -> None:
    grid.on_invoke = lambda body: run
    result = await only(tests, deployed, bob, echo, fixture("a", expect={}, **extra))
    assert (result["ok"], result["error"], result["mismatches"]) == (False, error, [])


async def test_a_slow_run_fails_its_fixture_alone(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    async def dawdle(body: Json) -> Json:
        await asyncio.sleep(5 if body["input"]["n"] == "slow" else 0)
        return {"output": body["input"]}

    grid.on_invoke = dawdle
    flow = await deployed({**echo, "tests": [fixture("slow"), fixture("quick")]})
    report = await tests.run(bob, flow.id, AGAINST)
    assert [(result.ok, result.error) for result in report.results] == [
        (False, "ScaiGrid did not answer within 0.2 s."),
        (True, None),
    ]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refused_input_fails_its_fixture_alone(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json, status: int
) -> None:
    grid.faults["invoke"] = [refusal(status, "VALIDATION_ERROR", "input is no good")]
    result = await only(tests, deployed, bob, echo, fixture("a"))
    assert (result["ok"], result["error"]) == (False, "input is no good")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refusal(401), "scaigrid_auth"),
        (refusal(403), "scaigrid_auth"),
        (refusal(404), "scaigrid_api"),
        (refusal(409, "CORE_NOT_RUNNING"), "scaigrid_api"),
        (refusal(429), "scaigrid_busy"),
        (httpx.Response(500), "scaigrid_api"),
        (httpx.ReadError("cut"), "scaigrid_api"),
        (httpx.Response(200, html="<h1>hello</h1>"), "scaigrid_api"),
    ],
)
async def test_what_would_fail_all_ends_the_run(
    tests: RunTests,
    grid: PlayedRuns,
    deployed: Deployed,
    bob: Caller,
    echo: Json,
    fault: httpx.Response | Exception,
    error: str,
) -> None:
    grid.faults["invoke"] = [fault] * 2
    flow = await deployed({**echo, "tests": [fixture(f"case {n}") for n in range(10)]})
    with pytest.raises(UpstreamError) as caught:
        await tests.run(bob, flow.id, AGAINST)
    assert as_app_error(caught.value).error == error
    assert grid.steps.count("invoke") <= 2  # the others were not begun


async def test_no_more_than_allowed_run_at_a_time(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    running, most = 0, 0

    async def count(body: Json) -> Json:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return {"output": body["input"]}

    grid.on_invoke = count
    flow = await deployed({**echo, "tests": [fixture(f"case {n}") for n in range(8)]})
    assert (await tests.run(bob, flow.id, AGAINST)).passed == 8
    assert most == 2


async def test_a_filter_chooses_by_part_of_the_name(
    tests: RunTests, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    flow = await deployed({**echo, "tests": [fixture("Refund request"), fixture("Greeting")]})

    async def names(name_filter: str) -> tuple[list[str], str | None]:
        report = await tests.run(bob, flow.id, RunTestsRequest(core_id="core_1", name_filter=name_filter))
        return [result.name for result in report.results], report.message

    assert await names("refund") == (["Refund request"], None)
    assert await names("") == (["Refund request", "Greeting"], None)
    assert await names("nothing") == ([], "No fixture of this flow has 'nothing' in its name.")


@pytest.mark.parametrize("content", [{"tests": []}, {}])
async def test_a_flow_without_fixtures_says_so(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json, content: Json
) -> None:
    without = {key: value for key, value in echo.items() if key != "tests"}
    flow = await deployed({**without, **content})
    report = await tests.run(bob, flow.id, AGAINST)
    assert report == TestReport(
        results=[],
        passed=0,
        failed=0,
        message="This flow has no fixtures: add some under 'tests', each with a name, an input and what to expect.",
    )
    assert grid.steps == []


async def test_a_fixture_can_name_the_entry_that_it_tests(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    named = fixture("named", entry="node_entry")
    lost = fixture("lost", entry="node_gone")
    flow = await deployed({**echo, "tests": [named, lost, fixture("plain")]})
    report = await tests.run(bob, flow.id, AGAINST)
    sent = {body["input"]["n"]: body.get("flow_name") for body in invoked(grid)}
    assert sent == {"named": "echo-agent", "plain": None}
    assert [result.error for result in report.results] == [
        None,
        "entry 'node_gone' starts no flow of this document",
        None,
    ]


async def test_a_second_entry_of_a_shared_flow_cannot_be_tested_and_says_so(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    """An invocation enters a flow at its first trigger; running it there instead would test something else."""
    (entry,) = (node for node in echo["nodes"] if node["type"] == "entry_api")
    (edge,) = echo["edges"]
    more = {
        "nodes": [*echo["nodes"], {**entry, "id": "node_second", "label": "Second"}],
        "edges": [edge, {**edge, "id": "edge_second", "source": {**edge["source"], "node": "node_second"}}],
        "tests": [fixture("first", entry=entry["id"]), fixture("second", entry="node_second")],
    }
    flow = await deployed({**echo, **more})
    report = await tests.run(bob, flow.id, AGAINST)
    assert [result.error for result in report.results] == [
        None,
        (
            "entry 'node_second' cannot be tested: it shares the flow 'echo-agent' with 'node_entry', "
            "and ScaiGrid invokes a flow at its first entry only"
        ),
    ]
    assert grid.steps.count("invoke") == 1
    assert report.coverage is not None
    assert "node_second" not in report.coverage.nodes


async def test_the_core_must_be_one_of_this_flow(
    tests: RunTests, grid: PlayedRuns, deployed: Deployed, bob: Caller, echo: Json
) -> None:
    first, second = await deployed(echo), await deployed(echo)
    for flow_id, core_id in ((first.id, "core_2"), (second.id, "core_1"), (first.id, "core_9")):
        with pytest.raises(CoreNotFound):
            await tests.run(bob, flow_id, RunTestsRequest(core_id=core_id))
    assert grid.steps == []


async def test_without_credentials_nothing_is_run(
    db: Database,
    audit: AuditTrail,
    flows: FlowService,
    paying: Callable[..., Credentials],
    grid: PlayedRuns,
    deployed: Deployed,
    bob: Caller,
    echo: Json,
) -> None:
    tests = RunTests(
        audit=audit,
        flows=flows,
        deployments=Deployments(db),
        credentials=paying(deploy_auth=DeployAuth.API_KEY),
        limits=LIMITS,
    )
    flow = await deployed(echo)
    with pytest.raises(MissingScaiGridCredentials):
        await tests.run(bob, flow.id, AGAINST)
    assert grid.steps == []
