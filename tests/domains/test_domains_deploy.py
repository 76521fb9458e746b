"""Deploying a flow: what is made, what is found again, and whose turn it is."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from domains_deploys import ASK, QUIETLY, Keep, limits, rows
from played_grid import PlayedGrid, refusal

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.errors import DeployInProgress
from scaiflow_api.domains.deploy.schemas import DeployRequest
from scaiflow_api.domains.deploy.service import DeployFlow
from scaiflow_api.domains.flows.errors import VersionNotFound
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowUpdate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.credentials import Credentials


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
