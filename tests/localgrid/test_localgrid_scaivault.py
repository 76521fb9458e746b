"""ScaiVault: secrets in versions, for services with a token of their own."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from localgrid_support import Caller, FakeClock, RunningGrid, running_grid

from scaiflow_api.localgrid import GridConfig

SECRETS = "/scaivault/v1/secrets"
KEY = f"{SECRETS}/tenants/tnt_acme/scaigrid_api_key"
DAY_S = 24 * 3600


@pytest.fixture
async def service(grid: RunningGrid) -> Caller:
    """The API, with its own token."""
    return await a_service(grid)


async def a_service(grid: RunningGrid, **asked: str) -> Caller:
    tokens = (await grid.token(grant_type="client_credentials", **asked)).json()
    return Caller(grid.http, tokens["access_token"])


async def put(caller: Caller, value: str, path: str = KEY, **body: Any) -> httpx.Response:
    return await caller("PUT", path, json={"data": {"value": value}, **body})


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error, having checked its shape."""
    error: Mapping[str, Any] = response.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return response.status_code, error["code"]


async def test_writing_makes_the_next_version_and_says_nothing_of_the_data(service: Caller) -> None:
    first = await put(service, "one", metadata={"owner": "ops"}, secret_type="api_key")
    second = await put(service, "two")
    newest = (await service("GET", KEY)).json()
    oldest = (await service("GET", KEY, params={"version": 1})).json()

    assert (first.status_code, second.status_code) == (201, 200)
    assert "data" not in first.json()
    assert second.json()["version"] == newest["version"] == 2
    assert newest["data"] == {"value": "two"}
    assert (oldest["version"], oldest["data"], oldest["metadata"]) == (1, {"value": "one"}, {"owner": "ops"})
    assert (oldest["path"], oldest["secret_type"]) == ("tenants/tnt_acme/scaigrid_api_key", "api_key")


async def test_only_so_many_versions_are_kept(service: Caller) -> None:
    for value in ("one", "two", "three"):
        await put(service, value, options={"max_versions": 2})

    assert refusal(await service("GET", KEY, params={"version": 1})) == (404, "version_not_found")
    assert (await service("GET", KEY, params={"version": 2})).json()["data"] == {"value": "two"}


async def test_unknown_secrets_and_versions_are_not_found(service: Caller) -> None:
    await put(service, "one")

    assert refusal(await service("GET", KEY, params={"version": 2})) == (404, "version_not_found")
    for method in ("GET", "DELETE"):
        assert refusal(await service(method, f"{SECRETS}/tenants/tnt_b/x")) == (404, "secret_not_found")


async def test_a_deleted_secret_keeps_its_path_for_thirty_days(service: Caller, clock: FakeClock) -> None:
    await put(service, "one")
    assert (await service("DELETE", KEY)).status_code == 204

    assert refusal(await service("GET", KEY)) == (404, "secret_not_found")
    assert refusal(await service("DELETE", KEY)) == (404, "secret_not_found")
    assert refusal(await put(service, "two")) == (409, "secret_exists")


async def test_after_thirty_days_the_path_is_free(grid: RunningGrid) -> None:
    await put(await a_service(grid), "one")
    await (await a_service(grid))("DELETE", KEY)
    grid.clock.forward(30 * DAY_S)

    written = await put(await a_service(grid), "two")
    assert (written.status_code, written.json()["version"]) == (201, 1)


async def test_what_is_deleted_for_good_can_be_written_at_once(service: Caller) -> None:
    await put(service, "one")
    assert (await service("DELETE", KEY, params={"permanent": "true"})).status_code == 204

    assert (await put(service, "two")).json()["version"] == 1


@pytest.mark.parametrize(
    "path",
    ["tenants/TNT/x", "a//b", "a/", "a.b", "a b", "/".join("abcdefghijk"), "a" * 513, "%C3%A9", "a%7Cb"],
)
async def test_a_path_that_breaks_the_rules_is_refused(service: Caller, path: str) -> None:
    assert refusal(await service("GET", f"{SECRETS}/{path}")) == (400, "invalid_path")


async def test_a_bad_body_is_refused_without_being_repeated(service: Caller) -> None:
    for body in (
        {"data": "sgk_precious"},
        {"data": {}, "options": {"max_versions": 0}},
        {"value": "sgk_precious"},
    ):
        response = await service("PUT", KEY, json=body)
        assert refusal(response) == (422, "validation_error")
        assert response.json()["error"]["details"]["fields"]
        assert "precious" not in response.text


@pytest.mark.parametrize(
    "data",
    ['{"value": NaN}', '{"value": "\\ud800"}', '{"\\ud800": 1}', '{"value": ' + "[" * 300 + "]" * 300 + "}"],
)
@pytest.mark.parametrize("member", ["data", "metadata"])
async def test_what_cannot_be_read_again_is_not_kept(service: Caller, member: str, data: str) -> None:
    members = {"data": "{}"} | {member: data}
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"
    response = await service("PUT", KEY, content=body, headers={"Content-Type": "application/json"})

    assert refusal(response) == (422, "validation_error")
    assert list(response.json()["error"]["details"]["fields"]) == [member]
    assert refusal(await service("GET", KEY)) == (404, "secret_not_found")


async def test_a_version_has_a_number_that_can_be_counted(service: Caller) -> None:
    await put(service, "one")

    for number in (0, 2**63):
        response = await service("GET", KEY, params={"version": number})
        assert refusal(response) == (422, "validation_error")


async def test_every_call_takes_a_token_with_its_scope(grid: RunningGrid) -> None:
    person = await grid.caller("usr_alice")
    reader = await a_service(grid, scope="secrets:read")
    writer = await a_service(grid, scope="secrets:write")

    assert refusal(await grid.http.get(KEY)) == (401, "authentication_required")
    assert refusal(await grid.http.get(KEY, headers={"Authorization": "Basic x"}))[0] == 401
    assert refusal(await Caller(grid.http, "a.b.c")("GET", KEY)) == (401, "token_invalid")
    assert refusal(await person("GET", KEY)) == (403, "insufficient_scope")
    assert refusal(await put(reader, "one")) == (403, "insufficient_scope")
    assert refusal(await reader("DELETE", KEY)) == (403, "insufficient_scope")
    assert refusal(await writer("GET", KEY)) == (403, "insufficient_scope")
    grid.clock.forward(2 * 3600)
    assert refusal(await reader("GET", KEY)) == (401, "token_expired")


async def test_secrets_survive_a_restart(config: GridConfig) -> None:
    async with running_grid(config) as grid:
        await put(await a_service(grid), "one")
    async with running_grid(config) as grid:
        assert (await (await a_service(grid))("GET", KEY)).json()["data"] == {"value": "one"}


async def test_anybody_may_ask_whether_it_works(grid: RunningGrid) -> None:
    assert (await grid.http.get("/scaivault/v1/health")).json()["status"] == "healthy"
    ready = await grid.http.get("/scaivault/v1/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"database": "ok"})
