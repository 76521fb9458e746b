"""Deploying over the API, and the history of deploys."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_apps import shared_app
from api_flow_calls import grant
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal
from pydantic import SecretStr
from sqlalchemy import update

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.resources import Resources
from scaiflow_api.settings import DeployAuth, Settings
from scaiflow_api.upstreams.tenant_grids import TenantKey

Json = dict[str, Any]


async def test_a_deploy_answers_as_documented(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    answer = await api.post(f"/flows/{flow}/deploy", json={}, headers=people.bob.headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.pop("deployment_id").startswith("dep_")
    assert body == {
        "core_id": "core_1",
        "published_slug": "scaicore/acme/echo-agent",
        "published_model_id": "mdl_core_1",
        "scaiqueue_provisioning": None,
        "flow_version": "1.0.0",
    }


async def test_the_body_may_be_left_out(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    answer = await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)
    assert answer.status_code == 200, answer.text


MALFORMED: list[object] = [
    {"publish_as_model": "yes"},
    {"publish_as_model": 1},
    {"group_ids": "grp_a"},
    {"group_ids": [""]},
    {"group_ids": [7]},
    {"group_ids": ["g"] * 501},
    {"version": 1},
    {"surprise": True},
    [],
    "deploy",
]


async def test_a_malformed_body_changes_nothing(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    headers = people.bob.headers
    for body in MALFORMED:
        answer = await api.post(f"/flows/{flow}/deploy", json=body, headers=headers)
        assert refused(answer) == (422, "invalid_request"), body
    assert grid.steps == []
    assert (await api.get(f"/flows/{flow}/deployments?include=failed", headers=headers)).json() == []


@pytest.mark.parametrize(
    ("who", "level", "status", "error"),
    [
        ("alice", None, 200, None),
        ("bob", None, 200, None),
        ("erin", None, 404, "flow_not_found"),
        ("erin", "view", 403, "insufficient_acl"),
        ("erin", "edit", 403, "insufficient_acl"),
        ("erin", "deploy", 200, None),
        ("erin", "admin", 200, None),
        ("carol", "deploy", 403, "permission_denied"),
        ("dave", None, 404, "flow_not_found"),
        ("root", None, 403, "foreign_tenant"),
        ("nobody", None, 403, "permission_denied"),
    ],
)
async def test_who_may_deploy(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    grid: PlayedGrid,
    flow: str,
    who: str,
    level: str | None,
    status: int,
    error: str | None,
) -> None:
    person = getattr(people, who)
    if level is not None:
        await grant(resources, flow, person.id, level)
    answer = await api.post(f"/flows/{flow}/deploy", json={}, headers=person.headers)
    assert answer.status_code == status, answer.text
    assert answer.json().get("detail", {}).get("error") == error
    assert bool(grid.steps) == (status == 200)


async def test_the_flows_errors_come_with_their_places(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json
) -> None:
    content = {**echo, "edges": [{**echo["edges"][0], "source": {"node": "node_entry", "port": "out_typo"}}]}
    made = await api.post("/flows", json={"content": content}, headers=people.bob.headers)
    answer = await api.post(f"/flows/{made.json()['id']}/deploy", json={}, headers=people.bob.headers)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (502, "scaicore_compile_failed")
    found = {entry["message"]: entry for entry in detail["diagnostics"]}
    wrong = found["edge 'edge_1': source node 'node_entry' has no output port 'out_typo'"]
    assert (wrong["severity"], wrong["edge_id"], wrong["path"]) == ("error", "edge_1", "edges[0]")
    assert grid.steps == []


async def test_history_is_newest_first_and_keeps_its_counsel_about_failures(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    headers = people.bob.headers
    grid.faults["create"] = [refusal(422, "VALIDATION_ERROR", "verifier error: no")]
    refused = await api.post(f"/flows/{flow}/deploy", json={}, headers=headers)
    assert (refused.status_code, refused.json()["detail"]["message"]) == (502, "verifier error: no")
    await api.post(f"/flows/{flow}/deploy", json={"publish_as_model": False}, headers=headers)
    await api.post(f"/flows/{flow}/deploy", json={}, headers=headers)

    listed = (await api.get(f"/flows/{flow}/deployments", headers=headers)).json()
    with_failed = (await api.get(f"/flows/{flow}/deployments?include=failed", headers=headers)).json()
    newest = (await api.get(f"/flows/{flow}/deployments?limit=1", headers=headers)).json()

    assert [(row["status"], row["core_id"], row["published_slug"]) for row in listed] == [
        ("deployed", "core_1", "scaicore/acme/echo-agent"),
        ("deployed", "core_1", None),
    ]
    assert with_failed[:2] == listed
    failed = with_failed[2]
    assert (failed["status"], failed["core_id"], failed["error"]) == (
        "failed",
        None,
        "scaicore_create_failed",
    )
    assert newest == listed[:1]
    assert {"deployed_by": "usr_bob", "flow_version": "1.0.0"}.items() <= listed[0].items()
    assert listed[0]["deployed_at"].endswith("Z")


async def test_a_malformed_query_is_refused(api: httpx.AsyncClient, people: People, flow: str) -> None:
    headers = people.bob.headers
    for query in ("include=all", "limit=0", "limit=501", "limit=x"):
        answer = await api.get(f"/flows/{flow}/deployments?{query}", headers=headers)
        assert refused(answer) == (422, "invalid_request"), query


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("root", 200), ("erin", 404), ("dave", 404)])
async def test_who_may_see_the_history(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str, who: str, status: int
) -> None:
    await api.post(f"/flows/{flow}/deploy", json={}, headers=people.bob.headers)
    answer = await api.get(f"/flows/{flow}/deployments", headers=getattr(people, who).headers)
    assert answer.status_code == status
    assert status == 404 or len(answer.json()) == 1


async def test_a_rate_limit_on_the_way_is_handed_on(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    body = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "slow down"}}
    grid.faults["start"] = [httpx.Response(429, json=body, headers={"Retry-After": "7"})]
    answer = await api.post(f"/flows/{flow}/deploy", json={}, headers=people.bob.headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error"] == body["error"]
    assert answer.json()["detail"]["error"] == "scaigrid_busy"
    (row,) = (await api.get(f"/flows/{flow}/deployments", headers=people.bob.headers)).json()
    assert (row["status"], row["core_id"], row["error"]) == ("failed", "core_1", "scaigrid_busy")


async def test_no_error_of_a_deploy_repeats_the_token(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    headers = people.bob.headers
    token = headers["Authorization"].removeprefix("Bearer ")
    grid.faults["create"] = [refusal(401, "AUTH_TOKEN_INVALID", f"token {token} is not valid")]
    answer = await api.post(f"/flows/{flow}/deploy", json={}, headers=headers)
    assert answer.json()["detail"]["error"] == "scaigrid_auth"
    assert token not in answer.text


async def test_history_comes_in_pages(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    headers = people.bob.headers
    grid.faults["create"] = [refusal(422)]
    for _ in range(5):
        await api.post(f"/flows/{flow}/deploy", json={"publish_as_model": False}, headers=headers)
    for query, size in (("", 4), ("&include=failed", 5)):
        whole = (await api.get(f"/flows/{flow}/deployments?limit=500{query}", headers=headers)).json()
        assert len(whole) == size
        found, url = [], f"/api/v1/flows/{flow}/deployments?limit=2{query}"
        while True:
            answer = await api.get(f"http://api.test{url}", headers=headers)
            found += answer.json()
            if "next" not in answer.links:
                break
            assert len(answer.json()) == 2
            url = answer.links["next"]["url"]
        assert found == whole


async def test_a_cursor_of_somebody_elses_making_is_refused(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    for cursor in ("x", "WyJ4Il0", "WyJ4IiwieSJd"):
        answer = await api.get(f"/flows/{flow}/deployments?cursor={cursor}", headers=people.bob.headers)
        assert refused(answer) == (400, "invalid_cursor")


async def test_a_deploy_whose_process_died_is_listed_as_interrupted(
    api: httpx.AsyncClient, people: People, resources: Resources, grid: PlayedGrid, flow: str
) -> None:
    async def unfinished() -> list[tuple[str, str | None]]:
        listed = await api.get(f"/flows/{flow}/deployments?include=failed", headers=people.bob.headers)
        return [(row["status"], row["error"]) for row in listed.json()]

    seen = []

    async def look(_: httpx.Request) -> None:
        seen.append(await unfinished())

    grid.faults = {"create": [look], "start": [look]}
    await api.post(f"/flows/{flow}/deploy", json={}, headers=people.bob.headers)
    assert seen == [[("pending", None)], [("running", None)]]

    async with resources.db.write() as session:
        await session.execute(update(Deployment).values(status="running", finished_at=None))
    assert await unfinished() == [("failed", "interrupted")]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("pinned", [DeployAuth.API_KEY, DeployAuth.USER_JWT])
async def test_the_operators_pin_decides_what_pays(
    settings: Settings,
    resources: Resources,
    people: People,
    grid: PlayedGrid,
    echo: Json,
    dry_run: bool,
    pinned: DeployAuth,
) -> None:
    scaigrid = settings.scaigrid.model_copy(update={"deploy_auth": pinned})
    pinning = replace(resources, settings=settings.model_copy(update={"scaigrid": scaigrid}))
    transport = httpx.ASGITransport(shared_app(settings, pinning), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
        headers = people.alice.headers
        flow = (await api.post("/flows", json={"content": echo}, headers=headers)).json()["id"]
        body = {"dry_run": dry_run}

        answer = await api.post(f"/flows/{flow}/deploy", json=body, headers=headers)

        if pinned is DeployAuth.USER_JWT:
            assert answer.status_code == 200, answer.text
            assert {request.headers["Authorization"] for request in grid.requests} == {
                headers["Authorization"]
            }
            return
        detail = answer.json()["detail"]
        detail.pop("trace_id")
        assert (answer.status_code, detail) == (
            412,
            {
                "error": "missing_scaigrid_credentials",
                "message": "no ScaiGrid credentials for tenant 'tnt_acme'",
                "fix": "Sign in with ScaiKey, or set this tenant's API key via "
                "POST /v1/tenants/me/scaigrid_credentials.",
                "tenant_id": "tnt_acme",
            },
        )
        assert grid.steps == []
        assert (await api.get(f"/flows/{flow}/deployments?include=failed", headers=headers)).json() == []

        await resources.tenant_keys.set("tnt_acme", TenantKey(SecretStr("sgk_acme"), None))
        answer = await api.post(f"/flows/{flow}/deploy", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert {request.headers["Authorization"] for request in grid.requests} == {"Bearer sgk_acme"}
