"""Fixtures of real flows on the local grid: deployed, answered at checkpoints, covered, and cleared away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from localgrid_support import BASE, RunningGrid
from pydantic import SecretStr

from scaiflow_api.compiler import compile_flow
from scaiflow_api.domains.testruns.runner import FixtureRunner, TestLimits
from scaiflow_api.domains.testruns.schemas import TestReport
from scaiflow_api.domains.testruns.selection import Selection
from scaiflow_api.domains.testruns.watch import Pace
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.scaigrid import ScaiGrid

Json = dict[str, Any]
LIMITS = TestLimits(
    graph=DEFAULT_LIMITS,
    concurrency=4,
    timeout_s=5,
    events_wait_s=2,
    clean_up_s=2,
    pace=Pace(first_s=0.01, most_s=0.05),
)


@pytest.fixture
async def access(grid: RunningGrid) -> AsyncIterator[Access]:
    token = (await grid.sign_in("usr_bob"))["access_token"]
    settings = ScaiGridSettings(_env_file=None, base_url=f"{BASE}/scaigrid")
    async with open_transport(settings, httpx.ASGITransport(grid.app)) as http:
        yield Access(ScaiGrid(http, settings), SecretStr(token))


def node(name: str, kind: str, **config: Any) -> Json:
    return {
        "id": name,
        "type": kind,
        "label": name,
        "position": {"x": 0, "y": 0},
        "config": config,
    }


def edge(name: str, source: str, target: str, condition: str | None = None, port: str = "out") -> Json:
    return {
        "id": name,
        "type": "sequential" if condition is None else "conditional",
        "source": {"node": source, "port": port},
        "target": {"node": target, "port": "in"},
        **({} if condition is None else {"condition": condition}),
    }


def claims(*tests: Json) -> Json:
    """Small claims are paid, larger ones are asked about."""
    named = [{"name": f"case {n}", "expect": {}, **test} for n, test in enumerate(tests)]
    return {
        "id": "flow_claims",
        "name": "Claims",
        "version": "1.0.0",
        "config": {"core_identity": {"models": [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]}},
        "nodes": [
            node("entry", "entry_api"),
            node("pay", "data_variable_set", variable="output", value={"paid": "{{ amount }}"}),
            node("ask", "hitl_decision", prompt="Pay {{ amount }}?", options=["approve", "reject"]),
            node("route", "logic_decision", breakpoint=True),
            node("refuse", "data_variable_set", variable="output", value={"paid": 0}),
            node("grant", "data_variable_set", variable="output", value={"paid": "{{ amount }}", "by": "a person"}),
        ],
        "edges": [
            edge("e_small", "entry", "pay", "amount < 10", port="out_request"),
            edge("e_large", "entry", "ask", port="out_request"),
            edge("e_route", "ask", "route"),
            edge("e_yes", "route", "grant", "ask.decision == 'approve'"),
            edge("e_no", "route", "refuse"),
        ],
        "tests": named,
    }  # fmt: skip


async def deployed(access: Access, document: Json) -> str:
    manifest = compile_flow(document, "yaml").text.encode()
    core = await access.grid.create_core(access.credential, manifest)
    await access.grid.start_core(access.credential, core.id)
    return core.id


async def run(access: Access, document: Json, limits: TestLimits = LIMITS) -> TestReport:
    core_id = await deployed(access, document)
    return await FixtureRunner(access, core_id, limits).run(document, Selection.of(document, None).fixtures)


async def waiting(access: Access) -> list[str | None]:
    page = await access.checkpoints.page(access.credential, status="pending", limit=100)
    return [checkpoint.node_id for checkpoint in page.checkpoints]


async def test_a_flow_with_people_in_it_is_tested_whole(access: Access) -> None:
    document = claims(
        {"input": {"amount": 5}, "expect": {"paid": 5}},
        {"input": {"amount": 50}, "resolutions": {"ask": "approve"}, "expect": {"paid": 50}},
        {"input": {"amount": 50}, "resolutions": {"ask": {"decision": "reject"}}, "expect": {"paid": 0}},
    )
    report = await run(access, document)
    assert [(result.ok, result.error, result.mismatches) for result in report.results] == [
        (True, None, [])
    ] * 3
    assert report.message is None
    covered = [result.coverage.model_dump() if result.coverage else None for result in report.results]
    assert covered == [
        {"nodes": ["entry", "pay"], "edges_taken": ["e_small"], "node_pct": 33.3},
        {
            "nodes": ["entry", "ask", "route", "grant"],
            "edges_taken": ["e_large", "e_yes"],
            "node_pct": 66.7,
        },
        {"nodes": ["entry", "ask", "route", "refuse"], "edges_taken": ["e_large", "e_no"], "node_pct": 66.7},
    ]
    assert report.coverage is not None
    assert report.coverage.node_pct == 100
    assert set(report.coverage.edges_taken) == {"e_small", "e_large", "e_yes", "e_no"}
    assert await waiting(access) == []


async def test_what_is_not_answered_fails_and_does_not_go_on_waiting(access: Access) -> None:
    document = claims(
        {"input": {"amount": 50}},
        {"input": {"amount": 50}, "resolutions": {"ask": "perhaps"}},
        {"input": {"amount": 50}, "resolutions": {"ask": []}},
    )
    report = await run(access, document)
    assert [result.error for result in report.results] == [
        "checkpoint 'ask' has no resolution in this fixture",
        "checkpoint 'ask': 'perhaps' is none of the options: approve, reject",
        "checkpoint 'ask' has no resolution in this fixture",
    ]
    assert await waiting(access) == []


async def test_a_test_run_that_is_given_up_leaves_nothing_waiting(access: Access) -> None:
    document = claims(*[{"input": {"amount": 50}, "resolutions": {"ask": "approve"}}] * 8)
    core_id = await deployed(access, document)
    slow = replace(LIMITS, pace=Pace(first_s=5, most_s=5))
    runner = FixtureRunner(access, core_id, slow)
    running = asyncio.create_task(runner.run(document, Selection.of(document, None).fixtures))
    async with asyncio.timeout(5):
        while not await waiting(access):  # noqa: ASYNC110 - the grid tells nobody
            await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await waiting(access) == []


async def test_visits_in_a_loop_are_answered_one_by_one(access: Access) -> None:
    document = claims({"input": {"names": ["a", "b"]}, "resolutions": {"ask": ["yes", "no"]}})
    document["nodes"] = [
        node("entry", "entry_api"),
        node("each", "logic_loop", style="foreach", items="names", collect="ask.decision"),
        node("ask", "checkpoint", prompt="{{ item }}?", options=["yes", "no"]),
        node("end", "data_variable_set", variable="output", value={"said": "{{ each }}"}),
    ]
    document["edges"] = [
        edge("e_1", "entry", "each", port="out_request"),
        edge("e_body", "each", "ask", port="body"),
        edge("e_2", "each", "end"),
    ]
    report = await run(access, document)
    (result,) = report.results
    assert (result.error, result.output) == (None, {"said": ["yes", "no"]})
    assert report.coverage is not None
    assert (report.coverage.node_pct, report.coverage.edges_taken) == (100, [])
