"""A ScaiKey and a ScaiGrid that are down, slow, or talk nonsense: over real HTTP, by the grid's fault switch."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from servers import ROOT, Place, running, scaiflow

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
DEADLINE_S = 2.0
TOO_LATE = {"delay_s": DEADLINE_S + 3}
"""No longer: a server that is told to end waits for what it answers."""
CORES = "/scaigrid/v1/modules/scaicore"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("faults") / "data")
    environment = {
        "SCAIFLOW_GRID_FAULTS": "true",
        "SCAIFLOW_UPSTREAM_TIMEOUT_S": str(DEADLINE_S),
        "SCAIFLOW_LOOKUP_CACHE_S": "0",
        "SCAIFLOW_BREAKER_FAILURES": "0",  # each test fails anew
    }
    with running(place, scaiflow("dev"), f"{place.api}/readyz", place.grid, **environment):
        yield place


@pytest.fixture(scope="module")
def headers(place: Place) -> dict[str, str]:
    return place.headers("alice")


@pytest.fixture
def grid(place: Place) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{place.grid_port}") as client:
        yield client
        client.delete("/_faults").raise_for_status()


@pytest.fixture
def api(place: Place, headers: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def flow(api: httpx.Client) -> str:
    name = f"Echo {time.monotonic_ns()}"
    return str(api.post("/flows", json={"content": {**ECHO, "name": name}}).json()["id"])


FAULTS: list[tuple[dict[str, Any], int, str]] = [
    ({"status": 503}, 502, "scaigrid_api"),
    (
        {"status": 200, "body": "<html>welcome</html>", "headers": {"content-type": "text/html"}},
        502,
        "scaigrid_api",
    ),
    ({"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, 502, "scaigrid_api"),
    ({"status": 401, "body": "{}"}, 502, "scaigrid_auth"),
    (TOO_LATE, 504, "scaigrid_timeout"),
]


def break_route(grid: httpx.Client, prefix: str, fault: dict[str, Any]) -> None:
    grid.put("/_faults", json={"prefix": prefix, **fault}).raise_for_status()


@pytest.mark.parametrize(("fault", "status", "error"), FAULTS)
def test_a_lookup_says_what_is_wrong_in_time(
    grid: httpx.Client, api: httpx.Client, fault: dict[str, Any], status: int, error: str
) -> None:
    break_route(grid, "/scaigrid/v1/models", fault)

    started = time.monotonic()
    answer = api.get("/scaigrid/models")

    assert (answer.status_code, answer.json()["detail"]["error"]) == (status, error)
    assert time.monotonic() - started < DEADLINE_S + 3


@pytest.mark.parametrize(("fault", "status", "error"), FAULTS)
def test_a_failed_deploy_leaves_a_trace_and_can_be_repeated(
    grid: httpx.Client, api: httpx.Client, flow: str, fault: dict[str, Any], status: int, error: str
) -> None:
    break_route(grid, f"{CORES}/cores", fault)

    failed = api.post(f"/flows/{flow}/deploy", json={})
    grid.delete("/_faults").raise_for_status()

    assert failed.status_code in {502, 504}, failed.text
    assert failed.json()["detail"]["error"] in {error, "scaicore_create_failed"}
    assert api.get(f"/flows/{flow}/deployments").json() == []
    tried = api.get(f"/flows/{flow}/deployments?include=failed").json()
    assert [row["status"] for row in tried] == ["failed"]
    again = api.post(f"/flows/{flow}/deploy", json={})
    assert again.status_code == 200, again.text
    assert again.json()["core_id"]


def test_a_busy_grid_is_handed_on(grid: httpx.Client, api: httpx.Client) -> None:
    body = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "slow down", "retry_after": 7}}
    fault = {
        "status": 429,
        "body": orjson.dumps(body).decode(),
        "headers": {"retry-after": "7", "x-scaigrid-ratelimit-limit": "60"},
    }
    break_route(grid, "/scaigrid/v1/models", fault)

    answer = api.get("/scaigrid/models")

    assert answer.status_code == 429
    assert answer.json()["error"] == body["error"]
    assert answer.json()["detail"]["message"]
    assert (answer.headers["retry-after"], answer.headers["x-scaigrid-ratelimit-limit"]) == ("7", "60")


def test_known_keys_go_on_working_while_scaikey_is_down(
    place: Place, grid: httpx.Client, api: httpx.Client
) -> None:
    assert api.get("/me").status_code == 200  # from here on its key is known
    break_route(grid, "/scaikey", {"status": 503})

    known = api.get("/me")
    unknown = api.post("/auth/refresh", json={"refresh_token": "x"})

    assert known.status_code == 200
    assert (unknown.status_code, unknown.json()["detail"]["error"]) == (502, "scaikey_api")


def test_a_fresh_process_without_keys_says_so(
    place: Place, headers: dict[str, str], grid: httpx.Client
) -> None:
    break_route(grid, "/scaikey", {"delay_s": 12})
    other = Place(place.folder / "other", grid_port=place.grid_port)
    environment = {
        "SCAIFLOW_ENV": "development",
        "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{other.folder / 'x.db'}",
        "SCAIFLOW_STORE_URL": f"file:{other.folder / 'blobs'}",
        "SCAIKEY_BASE_URL": f"http://127.0.0.1:{place.grid_port}/scaikey",
        "SCAIFLOW_SCAIKEY_CLIENT_ID": "scaiflow-local",
        "SCAIFLOW_UPSTREAM_TIMEOUT_S": str(DEADLINE_S),
    }
    with running(other, scaiflow("serve"), f"{other.api}/healthz", **environment):
        started = time.monotonic()
        answer = httpx.get(f"{other.api}/api/v1/me", headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["detail"]["error"]) == (503, "scaikey_unavailable")
    assert time.monotonic() - started < 15
