"""What is left behind when a deploy fails, and what the next one makes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from domains_deploys import ASK, QUIETLY, Keep, limits, rows
from played_grid import PlayedGrid, refusal

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.errors import MissingScaiGridCredentials
from scaiflow_api.domains.deploy.service import DeployFlow
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import DeployAuth
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.failures import UpstreamLeftAlone
from scaiflow_api.upstreams.scaigrid import ScaiGrid


async def test_an_answer_lost_on_creation_is_made_good_by_the_next_deploy(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)

    async def create_and_hang(_: httpx.Request) -> httpx.Response:
        grid.add_core(source_id=flow.id, slug="echo-agent", status="created")
        await asyncio.sleep(5)
        raise AssertionError("the client waited")

    grid.faults["create"] = [create_and_hang]
    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, QUIETLY)
    assert (caught.value.status, caught.value.error) == (504, "scaigrid_timeout")

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert answer.core_id == "core_1"
    assert [(row.status, row.error) for row in await rows(db)] == [
        ("failed", "scaigrid_timeout"),
        ("deployed", None),
    ]


@pytest.mark.parametrize(
    ("step", "fault", "error", "status", "core_known"),
    [
        (
            "create",
            refusal(422, "VALIDATION_ERROR", "verifier error: x"),
            "scaicore_create_failed",
            502,
            False,
        ),
        ("create", refusal(401), "scaigrid_auth", 502, False),
        ("create", refusal(403), "scaigrid_auth", 502, False),
        ("create", refusal(429), "scaigrid_busy", 429, False),
        ("create", httpx.Response(500, html="<h1>oops</h1>"), "scaicore_create_failed", 502, False),
        ("create", httpx.Response(200, html="<h1>hello</h1>"), "scaicore_create_failed", 502, False),
        ("create", httpx.ReadError("cut"), "scaicore_create_failed", 502, False),
        ("create", httpx.ReadTimeout("slow"), "scaigrid_timeout", 504, False),
        ("start", refusal(422, "INVALID_SOURCE_IR"), "scaicore_start_failed", 502, True),
        ("start", refusal(403), "scaigrid_auth", 502, True),
        ("start", refusal(429), "scaigrid_busy", 429, True),
        ("get", refusal(404), "scaicore_start_failed", 502, True),
        ("publish", refusal(422, "VALIDATION_ERROR"), "scaicore_publish_failed", 502, True),
        ("publish", refusal(403), "scaigrid_auth", 502, True),
        ("publish", httpx.Response(503), "scaicore_publish_failed", 502, True),
        ("publish", httpx.Response(200, html="<h1>hello</h1>"), "scaicore_publish_failed", 502, True),
        ("publish", httpx.Response(200, json={"data": None}), "scaicore_publish_failed", 502, True),
        ("publish", httpx.ReadTimeout("slow"), "scaigrid_timeout", 504, True),
    ],
)
async def test_a_failing_step_leaves_a_failed_row_and_its_own_error(
    deploys: DeployFlow,
    grid: PlayedGrid,
    db: Database,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    step: str,
    fault: httpx.Response | Exception,
    error: str,
    status: int,
    core_known: bool,
) -> None:
    flow = await keep(echo)
    grid.faults[step] = [fault]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    assert (caught.value.error, caught.value.status) == (error, status)
    if error in {"scaicore_start_failed", "scaicore_publish_failed"}:
        assert caught.value.detail()["core_id"] == "core_1"
    (row,) = await rows(db)
    assert (row.status, row.error, row.core_id) == ("failed", error, "core_1" if core_known else None)
    assert row.finished_at is not None

    assert (await deploys.deploy(bob, flow.id, ASK)).core_id == "core_1"  # the next one gets through


async def test_a_flow_with_errors_is_not_sent(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep({**echo, "nodes": echo["nodes"][1:], "edges": []})

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    detail = caught.value.detail()
    assert (caught.value.status, detail["error"]) == (502, "scaicore_compile_failed")
    assert "flow has no entry-point node" in [found["message"] for found in detail["diagnostics"]]
    assert grid.steps == []
    assert [(row.status, row.error) for row in await rows(db)] == [("failed", "scaicore_compile_failed")]


async def test_without_credentials_nothing_happens(
    db: Database,
    flows: FlowService,
    paying: Callable[..., Credentials],
    grid: PlayedGrid,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
) -> None:
    deploys = DeployFlow(
        db=db,
        flows=flows,
        credentials=paying(deploy_auth=DeployAuth.API_KEY),
        clock=SystemClock(),
        limits=limits(1),
    )
    flow = await keep(echo)

    with pytest.raises(MissingScaiGridCredentials) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    assert caught.value.detail() == {
        "tenant_id": "tnt_acme",
        "error": "missing_scaigrid_credentials",
        "message": "no ScaiGrid credentials for tenant 'tnt_acme'",
        "fix": "Sign in with ScaiKey, or set this tenant's API key via POST /v1/tenants/me/scaigrid_credentials.",
    }
    assert (await rows(db), grid.steps) == ([], [])


@pytest.mark.parametrize(
    ("status", "told"), [("error", "went into the status 'error'"), ("starting", "after 0.3 s")]
)
async def test_a_core_that_does_not_come_up_fails_the_deploy(
    deploys: DeployFlow,
    grid: PlayedGrid,
    db: Database,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    status: str,
    told: str,
) -> None:
    flow = await keep(echo)
    grid.starts_as = status

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    detail = caught.value.detail()
    assert (detail["error"], detail["core_id"], detail["core_status"]) == (
        "scaicore_start_failed",
        "core_1",
        status,
    )
    assert told in detail["message"]
    assert "publish" not in grid.steps
    assert [(row.status, row.core_id) for row in await rows(db)] == [("failed", "core_1")]


async def test_what_a_dead_process_left_is_closed_and_continued(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    core = grid.add_core(source_id=flow.id, slug="echo-agent", status="created")
    async with db.write() as session:
        session.add(
            Deployment(
                id="dep_dead",
                tenant_id="tnt_acme",
                flow_id=flow.id,
                flow_version="1.0.0",
                status="running",
                core_id=core["id"],
                deployed_by="usr_bob",
                started_at=SystemClock().now(),
            )
        )

    await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["replace", "start", "get"]
    dead, done = await rows(db)
    assert (dead.id, dead.status, dead.error) == ("dep_dead", "failed", "interrupted")
    assert dead.finished_at is not None
    assert (done.status, done.core_id) == ("deployed", core["id"])


async def test_a_core_whose_answer_was_lost_is_found_though_the_flow_was_renamed(
    deploys: DeployFlow,
    writer: FlowWriter,
    grid: PlayedGrid,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
) -> None:
    flow = await keep(echo)

    async def create_and_lose(_: httpx.Request) -> httpx.Response:
        grid.add_core(source_id=flow.id, slug="echo-agent", status="created")
        raise httpx.ReadError("cut")

    grid.faults["create"] = [create_and_lose]
    with pytest.raises(AppError):
        await deploys.deploy(bob, flow.id, QUIETLY)
    await writer.update(bob, flow, FlowUpdate(name="Another Name"), None)
    grid.steps.clear()

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["list", "replace", "start", "get"]
    assert (answer.core_id, len(grid.cores)) == ("core_1", 1)


@pytest.mark.parametrize(
    ("step", "reached", "core_id"),
    [
        ("create", [], None),
        ("start", ["core"], "core_1"),
        ("publish", ["core", "running"], "core_1"),
    ],
)
@pytest.mark.parametrize("fault", [refusal(422), refusal(403), refusal(429), httpx.ReadTimeout("slow")])
async def test_every_failure_tells_how_far_it_came(
    deploys: DeployFlow,
    grid: PlayedGrid,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    step: str,
    reached: list[str],
    core_id: str | None,
    fault: httpx.Response | Exception,
) -> None:
    flow = await keep(echo)
    grid.faults[step] = [fault]

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    detail = caught.value.detail()
    assert (detail["reached"], detail["core_id"]) == (reached, core_id)


@pytest.mark.parametrize("step", ["create", "start", "publish"])
async def test_a_deploy_that_is_told_to_end_says_so_and_lets_go_of_the_flow(
    deploys: DeployFlow,
    grid: PlayedGrid,
    db: Database,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    step: str,
) -> None:
    flow, arrived = await keep(echo), asyncio.Event()

    async def hang(_: httpx.Request) -> None:
        arrived.set()
        await asyncio.sleep(5)

    grid.faults[step] = [hang]
    deploying = asyncio.create_task(deploys.deploy(bob, flow.id, ASK))
    await arrived.wait()
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying

    assert [(row.status, row.error) for row in await rows(db)] == [("failed", "interrupted")]
    assert (await deploys.deploy(bob, flow.id, ASK)).core_id == "core_1"


async def test_a_bug_on_the_way_leaves_no_row_behind_that_seems_to_go_on(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)

    async def stumble(_: httpx.Request) -> None:
        raise ZeroDivisionError

    grid.faults["start"] = [stumble]
    with pytest.raises(ZeroDivisionError):
        await deploys.deploy(bob, flow.id, ASK)

    assert [(row.status, row.error, row.core_id) for row in await rows(db)] == [
        ("failed", "interrupted", "core_1")
    ]


async def test_a_scaigrid_that_is_left_alone_for_a_while_says_when_to_come_back(
    deploys: DeployFlow,
    grid: PlayedGrid,
    db: Database,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = await keep(echo)

    async def left_alone(*_: object) -> None:
        raise UpstreamLeftAlone("scaigrid", retry_after_s=6.2)

    monkeypatch.setattr(ScaiGrid, "create_core", left_alone)
    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    assert (caught.value.error, caught.value.headers) == ("scaicore_create_failed", {"Retry-After": "7"})
    assert caught.value.detail()["retry_after"] == 7
    assert "asked again in 7 s" in caught.value.detail()["message"]
    assert [row.error for row in await rows(db)] == ["scaicore_create_failed"]
