"""Deploying a flow, and what is left behind when it fails."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from played_grid import PlayedGrid, refusal
from sqlalchemy import select

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.errors import DeployInProgress, MissingScaiGridCredentials
from scaiflow_api.domains.deploy.rollout import RolloutLimits
from scaiflow_api.domains.deploy.schemas import DeployRequest
from scaiflow_api.domains.deploy.service import DeployFlow, DeployLimits
from scaiflow_api.domains.flows.errors import VersionNotFound
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import DeployAuth
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.failures import UpstreamLeftAlone
from scaiflow_api.upstreams.scaigrid import ScaiGrid

Keep = Callable[[dict[str, Any]], Awaitable[Flow]]
ASK = DeployRequest()
QUIETLY = DeployRequest(publish_as_model=False)


def limits(start_timeout_s: float, wait_s: float = 30.0) -> DeployLimits:
    rollout = RolloutLimits(start_timeout_s=start_timeout_s, max_queues=3)
    return DeployLimits(graph=DEFAULT_LIMITS, rollout=rollout, wait_s=wait_s)


@pytest.fixture
def deploys(db: Database, flows: FlowService, credentials: Credentials) -> DeployFlow:
    return DeployFlow(
        db=db,
        flows=flows,
        credentials=credentials,
        clock=SystemClock(),
        limits=limits(0.3, 5),
    )


async def rows(db: Database) -> list[Deployment]:
    async with db.read() as session:
        return list(await session.scalars(select(Deployment).order_by(Deployment.started_at, Deployment.id)))


async def test_a_first_deploy_creates_starts_and_publishes_a_core(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)

    answer = await deploys.deploy(bob, flow.id, ASK)

    assert grid.steps == ["create", "start", "get", "publish", "get"]
    assert {request.headers["Authorization"] for request in grid.requests} == {"Bearer tok-bob"}
    assert grid.manifests["core_1"]["scaiflow_meta"]["source_id"] == flow.id
    (row,) = await rows(db)
    assert answer.model_dump() == {
        "core_id": "core_1",
        "published_slug": f"scaicore/acme/{grid.cores['core_1']['slug']}",
        "published_model_id": "mdl_core_1",
        "scaiqueue_provisioning": None,
        "deployment_id": row.id,
        "flow_version": "1.0.0",
    }
    assert (row.status, row.core_id, row.error, row.deployed_by) == ("deployed", "core_1", None, "usr_bob")
    assert (row.published_slug, row.published_model_id) == (answer.published_slug, "mdl_core_1")
    assert row.finished_at is not None
    assert row.finished_at >= row.started_at


async def test_a_second_deploy_replaces_the_core_and_syncs_its_model(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    first = await deploys.deploy(bob, flow.id, ASK)
    grid.steps.clear()

    second = await deploys.deploy(bob, flow.id, ASK)

    assert grid.steps == ["replace", "sync", "get"]
    assert (second.core_id, second.published_slug) == (first.core_id, first.published_slug)


async def test_a_core_that_is_gone_is_made_anew(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    await deploys.deploy(bob, flow.id, QUIETLY)
    grid.cores.clear()
    grid.steps.clear()

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["replace", "create", "start", "get"]
    assert answer.core_id == "core_2"


async def test_a_core_of_this_flow_that_we_do_not_know_of_is_adopted(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    grid.add_core(source_id=flow.id, slug="echo-agent")

    answer = await deploys.deploy(bob, flow.id, QUIETLY)

    assert grid.steps == ["create", "list", "replace"]
    assert answer.core_id == "core_1"


async def test_another_flows_slug_is_not_taken_over(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    grid.add_core(source_id="flow_other", slug="echo-agent")

    with pytest.raises(AppError) as caught:
        await deploys.deploy(bob, flow.id, ASK)

    detail = caught.value.detail()
    assert (detail["error"], detail["status"], detail["code"]) == (
        "scaicore_create_failed",
        409,
        "SLUG_CONFLICT",
    )
    assert "rename the flow" in detail["fix"]
    assert grid.steps == ["create", "list"]
    assert [(row.status, row.error, row.core_id) for row in await rows(db)] == [
        ("failed", "scaicore_create_failed", None)
    ]


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
    ("configured", "order", "published", "groups"),
    [
        (True, DeployRequest(), True, ["grp_cfg"]),
        (False, DeployRequest(), False, None),
        (True, DeployRequest(publish_as_model=False), False, None),
        (False, DeployRequest(publish_as_model=True), True, ["grp_cfg"]),
        (True, DeployRequest(group_ids=["grp_a", "grp_b"]), True, ["grp_a", "grp_b"]),
        (True, DeployRequest(group_ids=[]), True, []),
    ],
)
async def test_the_body_overrides_what_the_flow_says_of_publishing(
    deploys: DeployFlow,
    grid: PlayedGrid,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
    configured: bool,
    order: DeployRequest,
    published: bool,
    groups: list[str] | None,
) -> None:
    config = {**echo["config"], "publish_as_model": configured, "model_visibility_group_ids": ["grp_cfg"]}
    flow = await keep({**echo, "config": config})

    answer = await deploys.deploy(bob, flow.id, order)

    assert (answer.published_slug is not None) == published
    assert ("publish" in grid.steps) == published
    if published:
        sent = grid.requests[grid.steps.index("publish")].content
        assert httpx.Response(200, content=sent).json() == {"group_ids": groups}


async def test_a_publication_that_the_core_did_not_mention_is_synced(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    await deploys.deploy(bob, flow.id, ASK)
    bare = httpx.Response(200, json={"data": {"id": "core_1", "status": "running"}})
    grid.faults["replace"] = [bare]
    grid.steps.clear()

    answer = await deploys.deploy(bob, flow.id, ASK)

    assert grid.steps == ["replace", "publish", "get", "sync", "get"]
    assert answer.published_model_id == "mdl_core_1"


@pytest.mark.parametrize("status", [404, 405])
async def test_where_there_is_no_sync_publishing_again_brings_the_model_up_to_date(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any], status: int
) -> None:
    flow = await keep(echo)
    await deploys.deploy(bob, flow.id, ASK)
    grid.faults |= {"sync": [refusal(status)], "publish": [httpx.Response(200, json={"data": {}})]}
    grid.steps.clear()

    answer = await deploys.deploy(bob, flow.id, DeployRequest(group_ids=["grp_a"]))

    assert grid.steps == ["replace", "sync", "publish", "get"]
    assert json.loads(grid.requests[-2].content) == {"group_ids": ["grp_a"]}
    assert answer.published_model_id == "mdl_core_1"


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


async def test_the_row_is_there_before_scaigrid_is_called_and_follows_the_deploy(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    seen = []

    async def look(_: httpx.Request) -> None:
        seen.extend((row.status, row.core_id) for row in await rows(db))

    grid.faults = {"create": [look], "start": [look], "publish": [look]}
    await deploys.deploy(bob, flow.id, ASK)

    assert seen == [("pending", None), ("running", "core_1"), ("running", "core_1")]


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


async def test_a_core_that_needs_time_to_start_is_waited_for(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)
    grid.starts_as = "starting"

    async def ready(_: httpx.Request) -> None:
        grid.cores["core_1"]["status"] = "running"

    grid.faults["get"] = [None, ready]
    await deploys.deploy(bob, flow.id, QUIETLY)
    assert grid.steps == ["create", "start", "get", "get"]


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


async def test_a_core_that_somebody_else_started_is_fine(
    deploys: DeployFlow, grid: PlayedGrid, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)

    async def overtaken(_: httpx.Request) -> httpx.Response:
        grid.cores["core_1"]["status"] = "running"
        return refusal(409, "CORE_STATE_CONFLICT")

    grid.faults["start"] = [overtaken]
    assert (await deploys.deploy(bob, flow.id, QUIETLY)).core_id == "core_1"


async def test_an_older_version_can_be_deployed(
    deploys: DeployFlow,
    writer: FlowWriter,
    grid: PlayedGrid,
    db: Database,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
) -> None:
    flow = await keep(echo)
    nodes = [echo["nodes"][0], {**echo["nodes"][1], "label": "Changed"}]
    await writer.update(bob, flow, FlowUpdate(content={**echo, "nodes": nodes}), None)

    current = await deploys.deploy(bob, flow.id, QUIETLY)
    rollback = await deploys.deploy(bob, flow.id, DeployRequest(publish_as_model=False, version="1.0.0"))

    assert (current.flow_version, rollback.flow_version) == ("1.0.1", "1.0.0")
    assert grid.manifests["core_1"]["scaiflow_meta"]["source_version"] == "1.0.0"
    with pytest.raises(VersionNotFound):
        await deploys.deploy(bob, flow.id, DeployRequest(version="9.9.9"))
    assert len(await rows(db)) == 2


async def test_two_deploys_of_one_flow_run_one_after_the_other(
    deploys: DeployFlow, grid: PlayedGrid, db: Database, keep: Keep, bob: Caller, echo: dict[str, Any]
) -> None:
    flow = await keep(echo)

    async def take_a_moment(_: httpx.Request) -> None:
        await asyncio.sleep(0.05)

    grid.faults = {"create": [take_a_moment], "start": [take_a_moment]}
    answers = await asyncio.gather(deploys.deploy(bob, flow.id, ASK), deploys.deploy(bob, flow.id, ASK))

    assert {answer.core_id for answer in answers} == {"core_1"}
    assert grid.steps == ["create", "start", "get", "publish", "get", "replace", "sync", "get"]
    assert [row.status for row in await rows(db)] == ["deployed", "deployed"]


async def test_a_deploy_that_waited_too_long_gives_up(
    deploys: DeployFlow,
    grid: PlayedGrid,
    db: Database,
    flows: FlowService,
    credentials: Credentials,
    keep: Keep,
    bob: Caller,
    echo: dict[str, Any],
) -> None:
    flow = await keep(echo)
    impatient = DeployFlow(
        db=db,
        flows=flows,
        credentials=credentials,
        clock=SystemClock(),
        limits=limits(1, 0.05),
    )
    async with Leases(db).hold(f"deploy:{flow.id}", ttl_s=60, wait_s=0):
        with pytest.raises(DeployInProgress) as caught:
            await impatient.deploy(bob, flow.id, ASK)
    assert caught.value.status == 409
    assert (await rows(db), grid.steps) == ([], [])


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
