"""`POST /v1/dev/deploy`: deprecated, off unless its token is set, and keeping nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import yaml
from api_apps import shared_app
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal
from pydantic import SecretStr
from sqlalchemy import func, select

from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.resources import Resources
from scaiflow_api.settings import DeployAuth, Environment, Settings

Json = dict[str, Any]
TOKEN, KEY = "shared-token", "sgk_environment"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


Serving = Any


@pytest.fixture
def serving(settings: Settings, resources: Resources) -> Serving:
    """Serve with other settings of the API and of ScaiGrid."""

    @asynccontextmanager
    async def serve(api: Json | None = None, **scaigrid: Any) -> AsyncIterator[httpx.AsyncClient]:
        changed = settings.model_copy(
            update={
                "api": settings.api.model_copy(update={"dev_token": SecretStr(TOKEN), **(api or {})}),
                "scaigrid": settings.scaigrid.model_copy(update={"api_key": SecretStr(KEY), **scaigrid}),
            }
        )
        app = shared_app(changed, replace(resources, settings=changed))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
            yield client

    return serve


async def kept(resources: Resources) -> list[int | None]:
    async with resources.db.read() as session:
        tables = (Flow, Deployment, AuditEvent)
        return [await session.scalar(select(func.count()).select_from(table)) for table in tables]


async def test_it_deploys_what_it_is_sent_and_keeps_nothing(
    serving: Serving, resources: Resources, grid: PlayedGrid, echo: Json
) -> None:
    before = await kept(resources)
    async with serving() as api:
        answer = await api.post("/dev/deploy", json={"content": echo}, headers=BEARER)

    assert (answer.status_code, answer.json()) == (200, {"core_id": "core_1", "published_slug": None})
    assert answer.headers["Deprecation"] == "@1779062400"
    assert answer.headers["Link"] == '</docs>; rel="deprecation"; type="text/html"'
    assert {request.headers["Authorization"] for request in grid.requests} == {f"Bearer {KEY}"}
    assert grid.manifests["core_1"]["scaiflow_meta"]["source_id"] == echo["id"]
    assert await kept(resources) == before


async def test_it_publishes_only_when_asked_and_finds_its_core_again(
    serving: Serving, grid: PlayedGrid, echo: Json
) -> None:
    async with serving() as api:
        await api.post("/dev/deploy", json={"content": echo}, headers=BEARER)
        body = {"content": {**echo, "name": "Another Name"}, "publish_as_model": True}
        answer = await api.post("/dev/deploy", json=body, headers=BEARER)

    assert answer.json() == {"core_id": "core_1", "published_slug": "scaicore/acme/echo-agent"}


async def test_queues_are_set_up_too(serving: Serving, grid: PlayedGrid, echo: Json) -> None:
    config = {**echo["config"], "scaiqueue": {"scope": "support", "queues": [{"slug": "review"}]}}
    async with serving() as api:
        answer = await api.post("/dev/deploy", json={"content": {**echo, "config": config}}, headers=BEARER)

    assert answer.status_code == 200
    assert list(grid.queues.scopes) == ["support"]


@pytest.mark.parametrize("token", [None, SecretStr("")])
async def test_it_is_off_unless_its_token_is_set(
    serving: Serving, grid: PlayedGrid, echo: Json, token: SecretStr | None
) -> None:
    async with serving(api={"dev_token": token}) as api:
        for headers in (BEARER, {"Authorization": "Bearer "}, {}):
            answer = await api.post("/dev/deploy", json={"content": echo}, headers=headers)
            assert refused(answer) == (404, "dev_deploy_off")
            assert answer.headers["Deprecation"] == "@1779062400"
    assert grid.steps == []


async def test_no_other_token_will_do_and_the_shared_one_nowhere_else(
    serving: Serving, grid: PlayedGrid, people: People, echo: Json
) -> None:
    async with serving() as api:
        for headers, error in (
            ({}, "not_authenticated"),
            ({"Authorization": f"Basic {TOKEN}"}, "not_authenticated"),
            ({"Authorization": f"Bearer {TOKEN}x"}, "invalid_token"),
            (people.alice.headers, "invalid_token"),
            ([*BEARER.items(), *people.alice.headers.items()], "not_authenticated"),
        ):
            answer = await api.post("/dev/deploy", json={"content": echo}, headers=headers)
            assert refused(answer) == (401, error)
            assert TOKEN not in answer.text
            fix = answer.json()["detail"]["fix"]
            assert ("SCAIFLOW_API_TOKEN" in fix, "ign in" in fix) == (True, False)
        assert (await api.get("/flows", headers=BEARER)).status_code == 401
    assert grid.steps == []


@pytest.mark.parametrize(
    ("api_settings", "scaigrid"),
    [
        ({}, {"api_key": None}),
        ({}, {"deploy_auth": DeployAuth.USER_JWT}),
        ({"env": Environment.PRODUCTION}, {}),
    ],
)
async def test_without_a_key_for_it_nothing_happens(
    serving: Serving, grid: PlayedGrid, echo: Json, api_settings: Json, scaigrid: Json
) -> None:
    async with serving(api=api_settings, **scaigrid) as api:
        answer = await api.post("/dev/deploy", json={"content": echo}, headers=BEARER)

    assert refused(answer) == (412, "missing_scaigrid_credentials")
    assert "SCAIGRID_API_KEY" in answer.json()["detail"]["fix"]
    assert grid.steps == []


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"content": {"nodes": []}}, 400, "compile_error"),
        ({"content": None}, 422, "invalid_request"),
        ({"publish_as_model": "yes"}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
)
async def test_bad_input_is_refused(
    serving: Serving, grid: PlayedGrid, echo: Json, change: Json, status: int, error: str
) -> None:
    async with serving() as api:
        answer = await api.post("/dev/deploy", json={"content": echo, **change}, headers=BEARER)

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (status, error)
    assert (status != 400) or detail["diagnostics"]
    assert answer.headers["Deprecation"] == "@1779062400"
    assert grid.steps == []


async def test_a_failure_of_scaigrid_has_the_names_that_it_has_elsewhere(
    serving: Serving, grid: PlayedGrid, echo: Json
) -> None:
    grid.faults["start"] = [refusal(422, "INVALID_SOURCE_IR", "no")]
    async with serving() as api:
        answer = await api.post("/dev/deploy", json={"content": echo}, headers=BEARER)

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"], detail["core_id"], detail["reached"]) == (
        502,
        "scaicore_start_failed",
        "core_1",
        ["core"],
    )
    assert answer.headers["Deprecation"] == "@1779062400"


async def test_the_manifest_is_that_of_the_document(serving: Serving, grid: PlayedGrid, echo: Json) -> None:
    async with serving() as api:
        await api.post("/dev/deploy", json={"content": echo}, headers=BEARER)

    sent = next(r for s, r in zip(grid.steps, grid.requests, strict=True) if s == "create")
    assert yaml.safe_load(sent.content)["core"]["name"] == "echo-agent"
