"""`dry_run`: what a deploy would do is told, and nothing is done."""

from typing import Any

import httpx
import pytest
import yaml
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal
from sqlalchemy import func, select

from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.resources import Resources

Json = dict[str, Any]
DRY = {"dry_run": True}
QUEUES = {"scope": "support", "queues": [{"slug": "review"}, {"slug": "urgent", "consumer_mode": "priority"}]}


class Deploying:
    """Bob, and one flow of his."""

    def __init__(self, api: httpx.AsyncClient, headers: dict[str, str], flow: str) -> None:
        self._api, self._headers, self.flow = api, headers, flow

    async def ask(self, body: Json) -> httpx.Response:
        return await self._api.post(f"/flows/{self.flow}/deploy", json=body, headers=self._headers)

    async def __call__(self, **body: Any) -> Json:
        answer = await self.ask(body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def save(self, **change: Any) -> None:
        answer = await self._api.put(f"/flows/{self.flow}", json=change, headers=self._headers)
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def deploy(api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json) -> Deploying:
    made = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    return Deploying(api, people.bob.headers, made.json()["id"])


async def count(resources: Resources) -> list[int | None]:
    async with resources.db.read() as session:
        return [
            await session.scalar(select(func.count()).select_from(table))
            for table in (Deployment, AuditEvent, Lease)
        ]


async def test_the_first_deploy_would_create_everything(
    deploy: Deploying, grid: PlayedGrid, resources: Resources, echo: Json
) -> None:
    await deploy.save(content={**echo, "config": {**echo["config"], "scaiqueue": QUEUES}})
    before = await count(resources)

    plan = await deploy(dry_run=True, group_ids=["grp_a"])

    manifest = yaml.safe_load(plan.pop("manifest"))["core"]
    assert (manifest["name"], manifest["scaiflow_meta"]["source_id"]) == ("echo-agent", deploy.flow)
    assert plan == {
        "dry_run": True,
        "flow_version": "1.0.1",
        "diagnostics": [],
        "core": {"action": "create", "core_id": None, "status": None},
        "scaiqueue": {
            "scope_slug": "support",
            "scope_id": None,
            "queue_ids": {},
            "create": ["review", "urgent"],
            "differences": [],
        },
        "publication": {"action": "publish", "published_slug": None, "group_ids": ["grp_a"]},
        "last_deployment": None,
        "changes": None,
    }
    assert grid.steps == ["list", "scopes"]
    assert {request.method for request in grid.requests} == {"GET"}
    assert await count(resources) == before


async def test_a_later_one_tells_what_would_change(
    deploy: Deploying, grid: PlayedGrid, resources: Resources, echo: Json
) -> None:
    done = await deploy()
    scope = grid.queues.add_scope("support")["id"]
    queue = grid.queues.add_queue(scope, "review", ordering="fifo", max_retries=1)["id"]
    nodes = [echo["nodes"][0], {**echo["nodes"][1], "label": "Changed"}]
    config = {**echo["config"], "scaiqueue": QUEUES, "publish_as_model": False}
    await deploy.save(content={**echo, "nodes": nodes, "config": config}, name="Renamed")
    before, manifest = await count(resources), grid.manifests[done["core_id"]]
    grid.steps.clear()

    plan = await deploy(dry_run=True)

    assert plan["core"] == {"action": "replace", "core_id": done["core_id"], "status": "running"}
    assert plan["publication"] == {
        "action": "keep",
        "published_slug": "scaicore/acme/echo-agent",
        "group_ids": [],
    }
    assert plan["scaiqueue"] == {
        "scope_slug": "support",
        "scope_id": scope,
        "queue_ids": {"review": queue},
        "create": ["urgent"],
        "differences": [{"queue": "review", "field": "max_retries", "wanted": 5, "found": 1}],
    }
    assert (plan["last_deployment"]["id"], plan["last_deployment"]["status"]) == (
        done["deployment_id"],
        "deployed",
    )
    changes = plan["changes"]
    assert not changes["equal"]
    assert [node["name"] for node in changes["layout"]["nodes"]["changed"]] == [echo["nodes"][1]["id"]]
    assert {change["path"] for change in changes["behaviour"]["document"]} >= {"name"}
    assert changes["callers"]["breaking"]
    assert grid.steps == ["get", "scopes", "queues"]
    assert grid.manifests[done["core_id"]] is manifest
    assert await count(resources) == before


async def test_the_same_again_would_change_nothing(deploy: Deploying, grid: PlayedGrid) -> None:
    await deploy()

    plan = await deploy(dry_run=True)

    assert plan["changes"]["equal"]
    assert (plan["core"]["action"], plan["publication"]["action"]) == ("replace", "sync")


async def test_an_older_version_is_planned_as_it_would_be_deployed(deploy: Deploying, echo: Json) -> None:
    await deploy.save(content={**echo, "metadata": {"description": "newer"}})
    await deploy()

    plan = await deploy(dry_run=True, version="1.0.0")

    assert plan["flow_version"] == "1.0.0"
    assert yaml.safe_load(plan["manifest"])["core"]["scaiflow_meta"]["source_version"] == "1.0.0"
    assert not plan["changes"]["equal"]
    assert (await deploy.ask({"dry_run": True, "version": "9.9.9"})).json()["detail"]["error"] == (
        "version_not_found"
    )


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(
    ("ours", "slug", "action"),
    [
        (False, "echo-agent", "conflict"),
        (False, "other", "create"),
        (True, "echo-agent", "adopt"),
        (True, "other", None),
    ],
)
async def test_what_becomes_of_the_core_is_seen_before_it_happens(
    deploy: Deploying, grid: PlayedGrid, ours: bool, slug: str, action: str | None, lost: bool
) -> None:
    """One of an earlier name is looked for only after a deploy whose answer was lost."""
    if lost:
        grid.faults["create"] = [httpx.ReadError("cut")]
        assert (await deploy.ask({})).status_code == 502
    core = grid.add_core(source_id=deploy.flow if ours else "flow_other", slug=slug)
    expected = action or ("adopt" if lost else "create")

    plan = await deploy(dry_run=True)
    done = await deploy.ask({})

    assert plan["core"]["action"] == expected
    assert plan["core"]["core_id"] == (core["id"] if expected == "adopt" else None)
    assert done.status_code == (502 if expected == "conflict" else 200)
    if expected != "conflict":
        assert (done.json()["core_id"] == core["id"]) == (expected == "adopt")


async def test_a_core_that_is_gone_would_be_created_anew(deploy: Deploying, grid: PlayedGrid) -> None:
    await deploy()
    grid.cores.clear()

    plan = await deploy(dry_run=True)

    assert (plan["core"]["action"], plan["publication"]["action"]) == ("create", "publish")


@pytest.mark.parametrize(
    ("step", "fault", "status", "error"),
    [
        ("list", refusal(403), 502, "scaigrid_auth"),
        ("list", httpx.Response(500), 502, "scaigrid_api"),
        ("list", refusal(429), 429, "scaigrid_busy"),
        ("scopes", refusal(403), 502, "scaiqueue_auth"),
        ("scopes", httpx.Response(200, html="<p>"), 502, "scaiqueue_provision_failed"),
    ],
)
async def test_what_keeps_it_from_looking_is_told(
    deploy: Deploying, grid: PlayedGrid, echo: Json, step: str, fault: Any, status: int, error: str
) -> None:
    await deploy.save(content={**echo, "config": {**echo["config"], "scaiqueue": QUEUES}})
    grid.faults[step] = [fault]

    answer = await deploy.ask(DRY)

    assert refused(answer) == (status, error)


async def test_a_flow_with_errors_is_told_as_by_a_deploy(
    deploy: Deploying, grid: PlayedGrid, echo: Json
) -> None:
    await deploy.save(content={**echo, "nodes": echo["nodes"][1:], "edges": []})

    answer = await deploy.ask(DRY)

    assert refused(answer) == (502, "scaicore_compile_failed")
    assert grid.steps == []


async def test_who_may_not_deploy_may_not_plan(
    api: httpx.AsyncClient, people: People, deploy: Deploying
) -> None:
    told = [
        (await api.post(f"/flows/{deploy.flow}/deploy", json=DRY, headers=person.headers)).status_code
        for person in (people.carol, people.erin, people.dave, people.root)
    ]
    assert told == [403, 404, 404, 403]
