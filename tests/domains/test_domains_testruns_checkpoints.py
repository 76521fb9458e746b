"""Fixtures whose runs wait for people, take long, or are given up: answered, followed, and never left behind."""

import asyncio
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import respx
from played_grid import Json, refusal
from played_runs import Enter, Fails, PlayedRuns, Step, Wait
from pydantic import SecretStr

from scaiflow_api.domains.testruns.runner import EVENTS_LATE, FixtureRunner, TestLimits, keeps_sessions
from scaiflow_api.domains.testruns.schemas import TestReport
from scaiflow_api.domains.testruns.selection import Selection
from scaiflow_api.domains.testruns.watch import Pace
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError
from scaiflow_api.upstreams.scaigrid import ScaiGrid

LIMITS = TestLimits(
    graph=DEFAULT_LIMITS,
    concurrency=2,
    timeout_s=0.3,
    events_wait_s=0.05,
    clean_up_s=0.5,
    pace=Pace(first_s=0.005, most_s=0.02),
)
Steps = Generator[Step, Any, Any]


@pytest.fixture
def grid() -> Iterator[PlayedRuns]:
    with respx.mock(assert_all_called=False) as router:
        played = PlayedRuns(router, "http://grid.test/scaigrid")
        played.add_core(source_id="flow_1", slug="flow")
        yield played


@pytest.fixture
def access(scaigrid: ScaiGrid) -> Access:
    return Access(scaigrid, SecretStr("tok-bob"))


def document(*fixtures: Json, **parts: Any) -> Json:
    named = [{"name": f"case {n}", "input": {}, "expect": {}, **case} for n, case in enumerate(fixtures)]
    return {"id": "flow_1", "name": "Flow", "version": "1.0.0", "tests": named, **parts}


async def run(access: Access, content: Json, limits: TestLimits = LIMITS) -> TestReport:
    return await FixtureRunner(access, "core_1", limits).run(content, Selection.of(content, None).fixtures)


async def only(access: Access, case: Json, limits: TestLimits = LIMITS) -> tuple[bool, Any, str | None]:
    (result,) = (await run(access, document(case), limits)).results
    return result.ok, result.output, result.error


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.001)


def asks(*nodes: str | Wait) -> Any:
    """Make a script that asks at one checkpoint after the other and returns the answers."""

    def script(_: Json) -> Steps:
        answers = []
        for node in nodes:
            answer = yield node if isinstance(node, Wait) else Wait(node)
            answers += [answer]
        return {"answers": answers}

    return script


# Resolutions


async def test_a_checkpoint_is_answered_by_the_fixture(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review", "node_sign")
    case = {
        "resolutions": {"node_review": "approve", "node_sign": {"decision": "yes", "note": "fine"}},
        "expect": {"answers": [{"decision": "approve"}, {"note": "fine"}]},
    }
    assert (await only(access, case))[::2] == (True, None)
    assert grid.resolutions == ["approve", {"decision": "yes", "note": "fine"}]
    assert grid.cancelled == []


async def test_a_list_holds_one_answer_for_each_visit(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_ask", "node_other", "node_ask")
    case = {"resolutions": {"node_ask": ["first", "second"], "node_other": "same"}}
    assert (await only(access, case))[0]
    assert grid.resolutions == ["first", "same", "second"]


async def test_an_answer_that_is_no_list_is_given_at_every_visit(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_ask", "node_ask")
    assert (await only(access, {"resolutions": {"node_ask": "yes"}}))[0]
    assert grid.resolutions == ["yes", "yes"]


async def test_checkpoints_that_wait_at_the_same_time_are_all_answered(
    grid: PlayedRuns, access: Access
) -> None:
    def script(_: Json) -> Steps:
        left, right = yield [Wait("node_a"), Wait("node_b")]
        return {"left": left["decision"], "right": right["decision"]}

    grid.script = script
    case = {"resolutions": {"node_a": "l", "node_b": "r"}, "expect": {"left": "l", "right": "r"}}
    assert (await only(access, case))[0]


async def test_a_breakpoint_answers_itself(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks(Wait("node_ask", "debug_breakpoint"), Wait(None, "debug_breakpoint"), "node_ask")
    assert (await only(access, {"resolutions": {"node_ask": ["yes"]}}))[0]
    assert grid.resolutions == [{"decision": "continue"}, {"decision": "continue"}, "yes"]


@pytest.mark.parametrize(
    ("asked", "resolutions", "name"),
    [
        (["node_x"], {}, "node_x"),
        (["node_x"], {"node_y": "approve"}, "node_x"),
        (["node_y", "node_x"], {"node_y": "approve"}, "node_x"),
        (["node_x", "node_x"], {"node_x": ["only once"]}, "node_x"),
        ([Wait(None)], {"node_x": "approve"}, "chk_1"),
    ],
)
async def test_a_checkpoint_without_a_resolution_fails_the_fixture_and_the_run_is_cancelled(
    grid: PlayedRuns, access: Access, asked: list[Any], resolutions: Json, name: str
) -> None:
    grid.script = asks(*asked)
    ok, output, error = await only(access, {"resolutions": resolutions})
    assert (ok, output, error) == (False, None, f"checkpoint '{name}' has no resolution in this fixture")
    assert grid.cancelled == ["exec_1"]


async def test_checkpoints_of_other_runs_are_not_touched(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    grid._wait("exec_of_a_customer", Wait("node_review"))
    assert (await only(access, {"resolutions": {"node_review": "approve"}}))[0]
    theirs = [row for row in grid.rows.values() if row["execution_id"] == "exec_of_a_customer"]
    assert [row["status"] for row in theirs] == ["pending"]
    assert grid.cancelled == []


async def test_an_answer_that_is_refused_fails_the_fixture_alone(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    grid.faults["resolve"] = [refusal(422, "VALIDATION_ERROR", "'maybe' is no option")]
    cases = [{"resolutions": {"node_review": "maybe"}}, {"resolutions": {"node_review": "yes"}}]
    report = await run(access, document(*cases), replace(LIMITS, concurrency=1))
    assert [result.error for result in report.results] == [
        "checkpoint 'node_review': 'maybe' is no option",
        None,
    ]
    assert grid.cancelled == ["exec_1"]


async def test_a_checkpoint_that_somebody_else_answered_is_waited_for(
    grid: PlayedRuns, access: Access
) -> None:
    grid.script = asks("node_review")

    async def be_faster(_: httpx.Request) -> None:
        grid._resolve(grid.rows["chk_1"], "by a person")

    grid.faults["resolve"] = [be_faster]
    ok, output, _ = await only(access, {"resolutions": {"node_review": "by the test"}})
    assert (ok, output) == (True, {"answers": [{"decision": "by a person"}]})


async def test_without_the_right_to_answer_the_test_run_ends(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    grid.faults["resolve"] = [refusal(403, "AUTHZ_PERMISSION_DENIED", "no")] * 2
    with pytest.raises(UpstreamError) as caught:
        await run(access, document(*[{"resolutions": {"node_review": "yes"}}] * 5))
    assert as_app_error(caught.value).detail()["fix"].split("`")[1] == "scaicore:checkpoint_resolve"
    assert set(grid.cancelled) == {f"exec_{n + 1}" for n in range(grid.steps.count("invoke"))}
    assert grid.steps.count("invoke") <= 2


async def test_a_run_that_fails_after_its_checkpoint_says_why(grid: PlayedRuns, access: Access) -> None:
    def script(_: Json) -> Steps:
        yield Wait("node_review")
        raise Fails("null in arithmetic")

    grid.script = script
    assert await only(access, {"resolutions": {"node_review": "yes"}}) == (False, None, "null in arithmetic")
    assert grid.cancelled == []


# Long runs


async def test_the_end_of_a_long_run_is_read_from_the_events(grid: PlayedRuns, access: Access) -> None:
    grid.on_invoke = lambda body: {"status": "RUNNING"}
    running = asyncio.create_task(only(access, {"expect": {"n": 1}}))
    await until(lambda: "checkpoints" in grid.steps)
    grid.emit("invocation.completed", "exec_1", output={"n": 1})
    assert await running == (True, {"n": 1}, None)
    assert grid.cancelled == []


async def test_a_moment_of_trouble_costs_no_fixture(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    busy = httpx.Response(429, json={"error": {"code": "RATE_LIMITED"}}, headers={"Retry-After": "0"})
    grid.faults["checkpoints"] = [httpx.Response(503)] * 3 + [busy]
    assert (await only(access, {"resolutions": {"node_review": "yes"}}))[0]


async def test_a_rate_limit_is_waited_for_where_that_is_allowed(grid: PlayedRuns, access: Access) -> None:
    """Whoever was answered 429 has begun nothing, so nothing is invoked twice; only begun runs use up their time."""
    busy = httpx.Response(429, json={"error": {"code": "RATE_LIMITED"}})
    grid.script = asks("node_review")
    grid.faults |= {"events": [busy], "invoke": [busy, busy], "resolve": [busy]}
    case = {"resolutions": {"node_review": "yes"}}
    patient = replace(LIMITS, busy_wait_s=5, timeout_s=2)
    with patch("scaiflow_api.upstreams.rate_limits._UNTOLD_S", 0.01):
        report = await run(access, document(case), patient)
    assert (report.passed, grid.resolutions) == (1, ["yes"])
    grid.faults["invoke"] = [busy]
    with pytest.raises(UpstreamBusy):
        await run(access, document(case), replace(patient, busy_wait_s=0.5))


@pytest.mark.parametrize("fault", [refusal(403), httpx.Response(200, html="<h1>hello</h1>")])
async def test_runs_that_cannot_be_followed_end_the_test_run(
    grid: PlayedRuns, access: Access, fault: httpx.Response
) -> None:
    grid.script = asks("node_review")
    grid.faults["checkpoints"] = [fault]
    with pytest.raises(UpstreamError):
        await run(access, document(*[{"resolutions": {"node_review": "yes"}}] * 5))
    assert len(grid.cancelled) == grid.steps.count("invoke")


async def test_without_the_right_to_read_events_nothing_is_begun(grid: PlayedRuns, access: Access) -> None:
    grid.faults["events"] = [refusal(403)]
    with pytest.raises(UpstreamError):
        await run(access, document({}))
    assert grid.steps == ["events"]


# Odd answers


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"status": "COMPLETED"}, None),
        ({"status": "COMPLETED", "execution_id": 7, "output": {}}, None),
        ({"status": "COMPLETED", "execution_id": ".."}, None),
        ({"status": "SUSPENDED"}, "a run without an id has not ended: it is SUSPENDED"),
        ({"status": "SUSPENDED", "execution_id": "exec_x"}, "the run 'exec_x' did not end within 0.05 s"),
        ({"status": "DONE", "execution_id": "exec_x"}, "the run 'exec_x' has not ended: it is DONE"),
    ],
)
async def test_an_invocation_with_an_odd_answer_ends_in_time(
    grid: PlayedRuns, access: Access, data: Json, error: str | None
) -> None:
    grid.faults["invoke"] = [httpx.Response(200, json={"data": data})]
    ok, _, told = await only(access, {}, replace(LIMITS, timeout_s=0.05))
    assert told == error
    assert ok == (data.get("output") == {})


async def test_events_and_checkpoints_that_make_no_sense_are_passed_over(
    grid: PlayedRuns, access: Access
) -> None:
    grid.script = asks("node_review")
    started = {"type": "scaicore.runtime.invocation.started", "payload": {"execution_id": 7}}
    grid.events += [
        {},
        {"type": 7, "payload": {"execution_id": "exec_1"}},
        {"type": "x", "payload": []},
        started,
    ]
    odd: Json = {"status": "pending", "execution_id": "exec_1"}
    grid.rows |= {"a": {**odd, "id": 7}, "b": {**odd, "id": "chk_b", "execution_id": None, "context": []}}
    ok, output, error = await only(access, {"resolutions": {"node_review": "yes"}})
    assert (ok, output, error) == (True, {"answers": [{"decision": "yes"}]}, None)


# What is left


async def test_a_run_that_takes_too_long_is_cancelled(grid: PlayedRuns, access: Access) -> None:
    grid.on_invoke = lambda body: {"status": "RUNNING"}
    ok, _, error = await only(access, {}, replace(LIMITS, timeout_s=0.05))
    assert (ok, error) == (False, "the run 'exec_1' did not end within 0.05 s")
    assert grid.cancelled == ["exec_1"]


async def test_a_run_whose_invocation_never_answered_is_found_and_cancelled(
    grid: PlayedRuns, access: Access
) -> None:
    async def hang(_: Json) -> Json:
        await asyncio.sleep(5)
        return {}

    grid.on_invoke = hang
    grid.emit("invocation.started", "exec_of_a_customer", input={}, instance_key="theirs")
    ok, _, error = await only(access, {}, replace(LIMITS, timeout_s=0.05))
    assert (ok, error) == (False, "ScaiGrid did not answer within 0.05 s.")
    assert grid.cancelled == ["exec_1"]


@pytest.mark.parametrize(
    ("parts", "keyed"),
    [
        ({}, True),
        ({"config": {"bunker": {"lifecycle": "ephemeral"}}}, True),
        ({"config": {"bunker": {"lifecycle": "session"}}}, False),
        ({"nodes": [{"config": {"lifecycle": "session"}}]}, False),
    ],
)
def test_a_run_bears_a_key_unless_its_sandboxes_would_outlive_it(parts: Json, keyed: bool) -> None:
    assert keeps_sessions({**document({}), **parts}) is not keyed


async def test_a_run_without_a_key_is_cancelled_where_it_is_known(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    await run(access, document({}, config={"bunker": {"lifecycle": "session"}}))
    (sent,) = (json.loads(r.content) for r in grid.requests if r.url.path.endswith("/invoke"))
    assert sent == {"input": {}}
    assert grid.cancelled == ["exec_1"]


async def test_when_nobody_waits_any_more_all_runs_are_cancelled(grid: PlayedRuns, access: Access) -> None:
    """One waits at a checkpoint, one has not answered yet."""

    async def second_hangs(_: Json) -> Json:
        if grid.steps.count("invoke") == 1:
            return {"status": "RUNNING"}
        await asyncio.sleep(5)
        return {}

    grid.on_invoke = second_hangs
    running = asyncio.create_task(run(access, document({}, {}, {}, {})))
    await until(lambda: grid.steps.count("invoke") == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(grid.cancelled) == ["exec_1", "exec_2"]
    assert grid.steps.count("invoke") == 2


async def test_where_runs_cannot_be_cancelled_their_checkpoints_are(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    grid._wait("exec_of_a_customer", Wait("node_review"))
    grid.faults["stop"] = [httpx.Response(404)]
    await only(access, {})
    assert grid.cancelled == ["exec_1"]


async def test_a_failure_while_clearing_up_changes_no_result(grid: PlayedRuns, access: Access) -> None:
    grid.script = asks("node_review")
    grid.faults["stop"] = [httpx.Response(500)]
    assert (await only(access, {}))[2] == "checkpoint 'node_review' has no resolution in this fixture"


# Events


async def test_the_events_of_all_runs_are_read_together(grid: PlayedRuns, access: Access) -> None:
    report = await run(access, document(*[{}] * 50))
    assert report.passed == 50
    assert grid.steps.count("events") <= 3
    assert grid.steps.count("checkpoints") == 0


async def test_events_that_come_late_cost_coverage_and_say_so(grid: PlayedRuns, access: Access) -> None:
    grid.late_events = True
    report = await run(access, document({}))
    assert (report.passed, report.message) == (1, EVENTS_LATE)


async def test_what_was_run_through_is_told_for_each_fixture_and_for_all(
    grid: PlayedRuns, access: Access
) -> None:
    nodes = ["node_in", "node_route", "node_a", "node_b", "node_never"]
    kinds = ["entry_api", "logic_decision", "llm_rigid", "llm_rigid", "llm_rigid"]
    place = {"label": "x", "position": {"x": 0, "y": 0}, "config": {}}
    edges = [
        ("edge_in", "sequential", "node_in", "node_route"),
        ("edge_a", "conditional", "node_route", "node_a"),
        ("edge_b", "sequential", "node_route", "node_b"),
    ]
    content = document(
        {"input": {"to": "a"}},
        {"input": {"to": "b"}},
        nodes=[{"id": name, "type": kind, **place} for name, kind in zip(nodes, kinds, strict=True)],
        edges=[
            {
                "id": name,
                "type": kind,
                "source": {"node": source, "port": "out"},
                "target": {"node": target, "port": "in"},
                **({"condition": "true"} if kind == "conditional" else {}),
            }
            for name, kind, source, target in edges
        ],
    )

    def script(body: Json) -> Steps:
        first = body["input"]["to"] == "a"
        yield Enter("node_route", "edge_a" if first else None)
        yield Enter("node_a" if first else "node_b")
        return {}

    grid.script = script
    report = await run(access, content)
    told = [result.coverage.model_dump() if result.coverage else None for result in report.results]
    assert told == [
        {"nodes": ["node_in", "node_route", "node_a"], "edges_taken": ["edge_a"], "node_pct": 60.0},
        {"nodes": ["node_in", "node_route", "node_b"], "edges_taken": ["edge_b"], "node_pct": 60.0},
    ]
    assert report.coverage is not None
    assert report.coverage.model_dump() == {
        "nodes": ["node_in", "node_route", "node_a", "node_b"],
        "edges_taken": ["edge_a", "edge_b"],
        "node_pct": 80.0,
    }
