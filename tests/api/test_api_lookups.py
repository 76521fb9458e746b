"""The model picker's list."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from fastapi import FastAPI
from people import People
from played_grid import PlayedGrid, refusal
from pydantic import SecretStr

from scaiflow_api.app import create_app
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Api, DeployAuth, Environment, Settings

GRID = "http://scaigrid.test"
GPT = {"slug": "openai/gpt-4o", "display_name": "GPT-4o", "modality": "chat", "context_window": 128000}


@pytest.fixture
def grid() -> Iterator[PlayedGrid]:
    with respx.mock(assert_all_called=False) as router:
        yield PlayedGrid(router, GRID)


async def models(api: httpx.AsyncClient, people: People) -> httpx.Response:
    return await api.get("/scaigrid/models", headers=people.carol.headers)


async def test_models_have_one_shape_whatever_the_envelope(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    row = {**GPT, "max_output_tokens": 16384, "status": "active", "health_status": "healthy"}
    grid.models = {"status": "ok", "data": {"items": [row, GPT]}}
    answer = await models(api, people)
    assert answer.status_code == 200
    assert answer.json() == {"data": [{**GPT, "max_output_tokens": 16384}, GPT]}

    grid.models = {"object": "list", "data": [{"id": "openai/gpt-4o", "object": "model"}]}
    assert (await models(api, people)).json() == {
        "data": [{"slug": "openai/gpt-4o", "display_name": "openai/gpt-4o"}]
    }


async def test_the_callers_token_is_forwarded(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    headers = people.carol.headers
    await api.get("/scaigrid/models", headers=headers)
    assert grid.requests[0].headers["Authorization"] == headers["Authorization"]


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        (
            refusal(403, "AUTHZ_PERMISSION_DENIED", "permission_denied: need models:list"),
            502,
            {
                "error": "scaigrid_auth",
                "message": "permission_denied: need models:list",
                "fix": "Caller needs the `models:list` permission on this tenant.",
                "status": 403,
                "code": "AUTHZ_PERMISSION_DENIED",
            },
        ),
        (
            refusal(401, "AUTH_TOKEN_INVALID", "bad token"),
            502,
            {
                "error": "scaigrid_auth",
                "message": "bad token",
                "fix": "Sign in again: ScaiGrid does not accept the credential.",
                "status": 401,
                "code": "AUTH_TOKEN_INVALID",
            },
        ),
        (
            refusal(404, "NOT_FOUND", "no such route"),
            502,
            {"error": "scaigrid_api", "message": "no such route", "status": 404, "code": "NOT_FOUND"},
        ),
        (
            refusal(500, "INTERNAL", "oops"),
            502,
            {"error": "scaigrid_api", "message": "oops", "status": 500, "code": "INTERNAL"},
        ),
        (
            httpx.Response(200, html="<html>sign in</html>"),
            502,
            {
                "error": "scaigrid_api",
                "message": "ScaiGrid gave an answer that cannot be understood.",
                "status": 200,
                "code": None,
            },
        ),
        (
            httpx.ConnectError("refused"),
            502,
            {"error": "scaigrid_api", "message": "ScaiGrid cannot be reached.", "status": None, "code": None},
        ),
        (
            httpx.ReadTimeout("slow"),
            504,
            {"error": "scaigrid_timeout", "message": "ScaiGrid did not answer within 2 s.", "seconds": 2.0},
        ),
    ],
)
async def test_scaigrids_failures_have_documented_shapes(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    fault: httpx.Response | Exception,
    status: int,
    detail: dict[str, Any],
) -> None:
    grid.faults["models"] = [fault] * 3
    answer = await models(api, people)
    found = answer.json()["detail"]
    assert found.pop("trace_id")
    assert (answer.status_code, found) == (status, detail)


async def test_a_rate_limit_is_handed_on_with_detail_added(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    body = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "slow down", "retry_after": 15}}
    headers = {"Retry-After": "15", "X-Scaigrid-Ratelimit-Limit": "60", "X-Scaigrid-Ratelimit-Remaining": "0"}
    grid.faults["models"] = [httpx.Response(429, json=body, headers=headers)]
    answer = await models(api, people)
    assert answer.status_code == 429
    assert {name: answer.headers[name] for name in headers} == headers
    found = answer.json()
    detail = found.pop("detail")
    assert found == body
    assert (detail["error"], detail["message"]) == ("scaigrid_busy", "slow down")


async def test_without_permission_scaigrid_is_not_asked(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    answer = await api.get("/scaigrid/models", headers=people.nobody.headers)
    assert (answer.status_code, answer.json()["detail"]["error"]) == (403, "permission_denied")
    assert grid.steps == []


def pinned_to_keys(settings: Settings, resources: Resources, **api: Any) -> FastAPI:
    """The application of an operator who lets only keys pay, and has one in the environment."""
    scaigrid = settings.scaigrid.model_copy(
        update={"deploy_auth": DeployAuth.API_KEY, "api_key": SecretStr("sgk_environment")}
    )
    changed = settings.model_copy(update={"scaigrid": scaigrid, "api": Api(**api)})
    return create_app(changed, replace(resources, settings=changed))


async def test_in_production_the_environments_key_does_not_count(
    settings: Settings, resources: Resources, people: People, grid: PlayedGrid
) -> None:
    app = pinned_to_keys(settings, resources, env=Environment.PRODUCTION)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api.test/api/v1"
    ) as api:
        answer = await models(api, people)
    detail = answer.json()["detail"]
    assert answer.status_code == 412
    assert detail["error"] == "missing_credentials"
    assert detail["message"] == "no ScaiGrid credentials for tenant 'tnt_acme'"
    assert detail["fix"].endswith("set this tenant's API key via POST /v1/tenants/me/scaigrid_credentials.")
    assert grid.steps == []


async def test_in_development_the_environments_key_pays(
    settings: Settings, resources: Resources, people: People, grid: PlayedGrid
) -> None:
    app = pinned_to_keys(settings, resources, env=Environment.DEVELOPMENT)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api.test/api/v1"
    ) as api:
        assert (await models(api, people)).status_code == 200
    assert grid.requests[0].headers["Authorization"] == "Bearer sgk_environment"
