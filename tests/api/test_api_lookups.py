"""The lists of the canvas's pickers: scopes, queues, bunkers and models."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_apps import shared_app
from api_refusals import refused
from fastapi import FastAPI
from people import People
from played_grid import PlayedGrid, refusal
from pydantic import SecretStr

from scaiflow_api.kit.recent_answers import RecentAnswers
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Api, DeployAuth, Environment, Settings
from scaiflow_api.upstreams.scaigrid import ScaiGrid

GRID = "http://scaigrid.test"
GPT = {"slug": "openai/gpt-4o", "display_name": "GPT-4o", "modality": "chat", "context_window": 128000}
SCOPE = {"id": "sc_1", "slug": "support", "display_name": "Support workflows", "description": "..."}
QUEUE = {
    "id": "q_1",
    "scope_id": "sc_1",
    "slug": "review",
    "display_name": "Review queue",
    "consumer_mode": "fifo",
    "max_retries": 5,
}
BUNKER = {
    "bunker_id": "bnk_1",
    "image_ref": "python-3.12",
    "lifecycle": "ephemeral",
    "status": "ready",
}

LOOKUPS = [
    ("/scaigrid/models", "models", "scaigrid", "ScaiGrid", "models:list"),
    ("/scaiqueue/scopes", "scopes", "scaiqueue", "ScaiQueue", "scaiqueue:view"),
    ("/scaiqueue/scopes/sc_1/queues", "queues", "scaiqueue", "ScaiQueue", "scaiqueue:view"),
    ("/scaibunker/bunkers", "bunkers", "scaibunker", "ScaiBunker", "scaibunker:admin"),
]
STEPS = [lookup[1] for lookup in LOOKUPS]


async def ask(
    api: httpx.AsyncClient, people: People, path: str = "/scaigrid/models", **headers: str
) -> httpx.Response:
    return await api.get(path, headers={**people.carol.headers, **headers})


def ids(answer: httpx.Response) -> list[Any]:
    """What the first field of each row says."""
    return [next(iter(row.values())) for row in answer.json()["data"]]


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test/api/v1")


@pytest.mark.parametrize(
    ("path", "row", "shown"),
    [
        ("/scaiqueue/scopes", SCOPE, SCOPE),
        (
            "/scaiqueue/scopes",
            {"id": "sc_1", "slug": "s", "description": None, "state": "paused"},
            {"id": "sc_1", "slug": "s", "display_name": "s", "state": "paused"},
        ),
        (
            "/scaiqueue/scopes",
            {"scope_id": "sc_1", "slug": "s"},
            {"id": "sc_1", "slug": "s", "display_name": "s"},
        ),
        ("/scaiqueue/scopes/sc_1/queues", QUEUE, QUEUE),
        (
            "/scaiqueue/scopes/sc_1/queues",
            {
                "id": "q_1",
                "slug": "review",
                "ordering": "priority",
                "consumer_mode": "competing",
                "max_retries": "five",
                "depth_pending": 3,
            },
            {
                "id": "q_1",
                "scope_id": "sc_1",
                "slug": "review",
                "display_name": "review",
                "consumer_mode": "priority",
                "depth_pending": 3,
            },
        ),
        ("/scaibunker/bunkers", BUNKER, BUNKER),
        (
            "/scaibunker/bunkers",
            {
                "id": "bnk_1",
                "image": "python-3.12",
                "lifecycle_mode": "ephemeral",
                "status": "running",
                "network_profile": "registry",
                "label_set": {"team": "support"},
                "env_vars": {"DB_PASSWORD": "hunter2"},
            },
            {**BUNKER, "network_profile": "registry", "label_set": {"team": "support"}},
        ),
        (
            "/scaigrid/models",
            {**GPT, "max_output_tokens": 16384, "status": "active", "health_status": "healthy"},
            {**GPT, "max_output_tokens": 16384, "status": "active", "health_status": "healthy"},
        ),
        (
            "/scaigrid/models",
            {"id": "openai/gpt-4o", "object": "model", "owned_by": "openai", "context_window": None},
            {"slug": "openai/gpt-4o", "display_name": "openai/gpt-4o", "owned_by": "openai"},
        ),
        (
            "/scaigrid/models",
            {"id": "mdl_1", "slug": "tenant/acme/a", "display_name": 7},
            {"slug": "tenant/acme/a", "display_name": "tenant/acme/a", "id": "mdl_1"},
        ),
    ],
)
async def test_a_row_has_the_documented_fields_and_what_else_came(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    path: str,
    row: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    grid.lists = {step: {"data": [row]} for step in STEPS}
    answer = await ask(api, people, path)
    assert (answer.status_code, answer.json()) == (200, {"data": [shown]})


@pytest.mark.parametrize("envelope", ["bare", "items", "openai", "named"])
async def test_every_envelope_is_read(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, envelope: str
) -> None:
    rows = [{"id": "one", "status": "ready"}, {"id": "two", "status": "ready"}]
    for path, step, *_ in LOOKUPS:
        body = {
            "bare": {"status": "ok", "data": rows},
            "items": {"data": {"items": rows}},
            "openai": {"object": "list", "data": rows},
            "named": {"data": {step: rows}},
        }
        grid.lists[step] = body[envelope]
        answer = await ask(api, people, path)
        assert answer.status_code == 200
        assert ids(answer) == ["one", "two"]


async def test_all_pages_are_read_with_the_callers_own_token(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    headers = people.carol.headers
    for path, step, *_ in LOOKUPS:
        grid.requests.clear()
        grid.faults[step] = [
            httpx.Response(200, json={"data": [{"id": at, "status": "ready"}], "next_cursor": following})
            for at, following in (("a", "b"), ("b", "c"), ("c", None))
        ]
        assert ids(await api.get(path, headers=headers)) == ["a", "b", "c"]
        assert [request.url.params.get("cursor") for request in grid.requests] == [None, "b", "c"]
        assert {request.headers["Authorization"] for request in grid.requests} == {headers["Authorization"]}


async def test_only_bunkers_that_run_or_persist_are_listed(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    kinds = [
        ("running", "ephemeral"),
        ("ready", "session"),
        ("pending", "ephemeral"),
        ("paused", "persistent"),
        ("terminated", "persistent"),
        ("failed", "ephemeral"),
        (None, "persistent"),
    ]
    rows = [
        {"id": f"bnk_{number}", "status": status, "lifecycle_mode": lifecycle}
        for number, (status, lifecycle) in enumerate(kinds)
    ]
    grid.lists["bunkers"] = {"data": rows}
    answer = await ask(api, people, "/scaibunker/bunkers")
    assert [row["bunker_id"] for row in answer.json()["data"]] == ["bnk_0", "bnk_1", "bnk_3", "bnk_6"]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "detail"),
    [
        (
            refusal(403, "AUTHZ_PERMISSION_DENIED", "permission_denied: need {needs}"),
            502,
            "auth",
            {
                "message": "permission_denied: need {needs}",
                "fix": "Caller needs the `{needs}` permission on this tenant.",
                "status": 403,
                "code": "AUTHZ_PERMISSION_DENIED",
            },
        ),
        (
            refusal(401, "AUTH_TOKEN_INVALID", "bad token"),
            502,
            "auth",
            {
                "message": "bad token",
                "fix": "{title} does not accept the credential: sign in again, or replace the API key.",
                "status": 401,
                "code": "AUTH_TOKEN_INVALID",
            },
        ),
        (
            refusal(404, "NOT_FOUND", "no such scope"),
            502,
            "api",
            {"message": "no such scope", "status": 404, "code": "NOT_FOUND"},
        ),
        (
            refusal(500, "INTERNAL", "oops"),
            502,
            "api",
            {"message": "oops", "status": 500, "code": "INTERNAL"},
        ),
        (
            httpx.Response(200, html="<html>sign in</html>"),
            502,
            "api",
            {"message": "{title} gave an answer that cannot be understood.", "status": 200, "code": None},
        ),
        (
            httpx.ConnectError("refused"),
            502,
            "api",
            {"message": "{title} cannot be reached.", "status": None, "code": None},
        ),
        (
            httpx.ReadTimeout("slow"),
            504,
            "timeout",
            {"message": "{title} did not answer within 2 s.", "seconds": 2.0},
        ),
    ],
    ids=["403", "401", "404", "500", "html", "unreachable", "slow"],
)
async def test_failures_have_documented_shapes(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    fault: httpx.Response | Exception,
    status: int,
    kind: str,
    detail: dict[str, Any],
) -> None:
    for path, step, system, title, needs in LOOKUPS:
        met = fault
        if isinstance(met, httpx.Response):
            met = httpx.Response(met.status_code, text=met.text.replace("{needs}", needs))
        grid.faults[step] = [met] * 3
        answer = await ask(api, people, path)
        found = answer.json()["detail"]
        assert found.pop("trace_id")
        expected = {
            name: value.format(title=title, needs=needs) if isinstance(value, str) else value
            for name, value in detail.items()
        }
        assert (answer.status_code, found) == (status, {"error": f"{system}_{kind}", **expected})


async def test_a_rate_limit_is_handed_on_with_detail_added(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    body = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "slow down", "retry_after": 15}}
    headers = {"Retry-After": "15", "X-Scaigrid-Ratelimit-Limit": "60", "X-Scaigrid-Ratelimit-Remaining": "0"}
    for path, step, system, *_ in LOOKUPS:
        grid.faults[step] = [httpx.Response(429, json=body, headers=headers)]
        answer = await ask(api, people, path, Origin="http://localhost:5173")
        assert answer.status_code == 429
        assert {name: answer.headers[name] for name in headers} == headers
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert set(headers) <= set(exposed)
        found = answer.json()
        detail = found.pop("detail")
        assert found == body
        assert (detail["error"], detail["message"]) == (f"{system}_busy", "slow down")


async def test_without_permission_nobody_is_asked(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    for path, *_ in LOOKUPS:
        answer = await api.get(path, headers=people.nobody.headers)
        assert refused(answer) == (403, "permission_denied")
    assert grid.steps == []


async def test_what_is_no_id_of_a_scope_is_refused(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    for scope_id in ("%2E%2E", "..%2F..%2Fauth", "a%20b", "sc_1%3Fx", "s" * 129):
        answer = await ask(api, people, f"/scaiqueue/scopes/{scope_id}/queues")
        assert answer.status_code in {404, 422}
    assert grid.steps == []


def pinned_to_keys(settings: Settings, resources: Resources, **api: Any) -> FastAPI:
    """The application of an operator who lets only keys pay, and has one in the environment."""
    scaigrid = settings.scaigrid.model_copy(
        update={"deploy_auth": DeployAuth.API_KEY, "api_key": SecretStr("sgk_environment")}
    )
    changed = settings.model_copy(update={"scaigrid": scaigrid, "api": Api(**api)})
    return shared_app(changed, replace(resources, settings=changed))


async def test_in_production_the_environments_key_does_not_count(
    settings: Settings, resources: Resources, people: People, grid: PlayedGrid
) -> None:
    async with client_of(pinned_to_keys(settings, resources, env=Environment.PRODUCTION)) as api:
        for path, *_ in LOOKUPS:
            answer = await ask(api, people, path)
            detail = answer.json()["detail"]
            assert answer.status_code == 412
            assert detail["error"] == "missing_credentials"
            assert detail["message"] == "no ScaiGrid credentials for tenant 'tnt_acme'"
            assert detail["fix"].endswith(
                "set this tenant's API key via POST /v1/tenants/me/scaigrid_credentials."
            )
    assert grid.steps == []


async def test_in_development_the_environments_key_pays(
    settings: Settings, resources: Resources, people: People, grid: PlayedGrid
) -> None:
    async with client_of(pinned_to_keys(settings, resources, env=Environment.DEVELOPMENT)) as api:
        assert (await ask(api, people)).status_code == 200
    assert grid.requests[0].headers["Authorization"] == "Bearer sgk_environment"


async def test_without_a_scaigrid_the_operator_is_told(
    settings: Settings, resources: Resources, people: People, grid: PlayedGrid
) -> None:
    bare = settings.scaigrid.model_copy(update={"base_url": None})
    without = ScaiGrid(httpx.AsyncHTTPTransport(), bare)
    async with client_of(shared_app(settings, replace(resources, scaigrid=without))) as api:
        for path, *_ in LOOKUPS:
            answer = await ask(api, people, path)
            assert refused(answer) == (503, "scaigrid_not_configured")


class TestKept:
    """Lists that are asked for again at once."""

    @pytest.fixture
    async def api(
        self, settings: Settings, resources: Resources, grid: PlayedGrid
    ) -> AsyncIterator[httpx.AsyncClient]:
        kept: RecentAnswers[bytes] = RecentAnswers(seconds=60, max_bytes=1_000_000)
        async with client_of(shared_app(settings, replace(resources, lookups=kept))) as client:
            yield client

    async def test_a_list_is_asked_for_once(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        headers = people.carol.headers
        for path, *_ in LOOKUPS * 2:
            assert (await api.get(path, headers=headers)).content == b'{"data":[]}'
        assert grid.steps == STEPS

    async def test_a_crowd_shares_one_call(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        async def slow(_: httpx.Request) -> None:
            await asyncio.sleep(0.02)

        grid.faults["models"] = [slow]  # type: ignore[list-item]
        headers = people.carol.headers
        answers = await asyncio.gather(*(api.get("/scaigrid/models", headers=headers) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert grid.steps == ["models"]

    async def test_nobody_gets_what_another_tenant_or_person_was_answered(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        for person in (people.carol, people.bob, people.dave):
            await api.get("/scaigrid/models", headers=person.headers)
        assert grid.steps == ["models"] * 3

    async def test_scopes_are_told_apart(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        headers = people.carol.headers
        for scope in ("sc_1", "sc_2", "sc_1"):
            await api.get(f"/scaiqueue/scopes/{scope}/queues", headers=headers)
        assert grid.steps == ["queues"] * 2

    async def test_a_failure_is_not_kept(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        grid.faults["models"] = [refusal(403)]
        headers = people.carol.headers
        statuses = [(await api.get("/scaigrid/models", headers=headers)).status_code for _ in range(2)]
        assert statuses == [502, 200]

    async def test_whoever_has_the_list_is_told_that_it_holds(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid
    ) -> None:
        first = await ask(api, people)
        assert first.headers["Cache-Control"] == "private, no-cache"
        again = await ask(api, people, **{"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        other = await ask(api, people, **{"If-None-Match": '"something-else"'})
        assert other.status_code == 200
        grid.lists["models"] = {"data": [GPT]}
        changed = await api.get(
            "/scaigrid/models", headers={**people.bob.headers, "If-None-Match": first.headers["ETag"]}
        )
        assert changed.status_code == 200
        assert changed.headers["ETag"] != first.headers["ETag"]
