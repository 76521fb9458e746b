"""Running fixtures over the API."""

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import respx
from api_audit_calls import log_of
from api_refusals import refused
from fastapi import FastAPI
from people import People
from played_grid import refusal
from played_runs import Enter, PlayedRuns, Step, Wait

Json = dict[str, Any]


@pytest.fixture
def grid() -> Iterator[PlayedRuns]:
    with respx.mock(assert_all_called=False) as router:
        yield PlayedRuns(router, "http://scaigrid.test")


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, grid: PlayedRuns, echo: Json) -> str:
    """A flow of bob's with two fixtures, deployed as core_1."""
    refund = {"name": "Refund request", "input": {"message": "refund"}, "expect": {"message": "refund"}}
    greeting = {"name": "Greeting", "input": {"message": "hello"}, "expect": {"message": {"$regex": "^bye"}}}
    content = {**echo, "tests": [refund, greeting]}
    made = await api.post("/flows", json={"content": content}, headers=people.bob.headers)
    assert made.status_code == 201, made.text
    flow_id = str(made.json()["id"])
    deployed = await api.post(f"/flows/{flow_id}/deploy", json={}, headers=people.bob.headers)
    assert deployed.status_code == 200, deployed.text
    grid.steps.clear()
    return flow_id


async def run(api: httpx.AsyncClient, headers: dict[str, str], flow: str, **body: Any) -> httpx.Response:
    return await api.post(f"/flows/{flow}/run-tests", json={"core_id": "core_1", **body}, headers=headers)


async def test_results_have_the_documented_shape(api: httpx.AsyncClient, people: People, flow: str) -> None:
    answer = await run(api, people.bob.headers, flow)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert all(result.pop("duration_ms") >= 0 for result in body["results"])
    entry = {"nodes": ["node_entry"], "edges_taken": [], "node_pct": 50.0}
    assert body == {
        "results": [
            {
                "name": "Refund request",
                "ok": True,
                "expect": {"message": "refund"},
                "output": {"message": "refund"},
                "error": None,
                "mismatches": [],
                "coverage": entry,
            },
            {
                "name": "Greeting",
                "ok": False,
                "expect": {"message": {"$regex": "^bye"}},
                "output": {"message": "hello"},
                "error": None,
                "mismatches": [
                    {
                        "path": "$.message",
                        "expected": {"$regex": "^bye"},
                        "got": "hello",
                        "reason": "does not match the pattern",
                    }
                ],
                "coverage": entry,
            },
        ],
        "passed": 1,
        "failed": 1,
        "message": None,
        "coverage": entry,
    }


async def test_a_filter_limits_the_run(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str
) -> None:
    answer = await run(api, people.bob.headers, flow, name_filter="Refund")
    assert [result["name"] for result in answer.json()["results"]] == ["Refund request"]
    assert grid.steps == ["events", "invoke", "events"]


async def test_a_core_of_another_flow_is_not_found(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str, echo: Json
) -> None:
    other = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    answer = await run(api, people.bob.headers, other.json()["id"])
    assert refused(answer) == (404, "core_not_found")
    assert grid.steps == []


@pytest.mark.parametrize(
    ("who", "status", "error"),
    [
        ("alice", 200, None),
        ("erin", 404, "flow_not_found"),
        ("carol", 403, "permission_denied"),
        ("dave", 404, "flow_not_found"),
        ("root", 403, "foreign_tenant"),
    ],
)
async def test_who_may_run_tests(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedRuns,
    flow: str,
    who: str,
    status: int,
    error: str | None,
) -> None:
    answer = await run(api, getattr(people, who).headers, flow)
    assert answer.status_code == status, answer.text
    assert answer.json().get("detail", {}).get("error") == error
    assert bool(grid.steps) == (status == 200)


async def test_a_malformed_body_is_refused(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str
) -> None:
    headers = people.bob.headers
    for body in (
        {},
        {"core_id": ""},
        {"core_id": 1},
        {"core_id": "c" * 129},
        {"core_id": "c", "more": 1},
        [],
    ):
        answer = await api.post(f"/flows/{flow}/run-tests", json=body, headers=headers)
        assert refused(answer) == (422, "invalid_request"), body
    assert grid.steps == []


async def test_a_core_that_is_gone_ends_the_run(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str
) -> None:
    grid.cores.clear()
    answer = await run(api, people.bob.headers, flow)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"], detail["status"]) == (502, "scaigrid_api", 404)


async def test_a_rate_limit_ends_the_run_and_is_handed_on(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str
) -> None:
    grid.faults["invoke"] = [refusal(429, "RATE_LIMITED"), refusal(429, "RATE_LIMITED")]
    answer = await run(api, people.bob.headers, flow)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "RATE_LIMITED"


async def test_checkpoints_are_answered_and_what_ran_is_told(
    api: httpx.AsyncClient, people: People, grid: PlayedRuns, echo: Json
) -> None:
    def script(_: Json) -> Generator[Step, Any, Any]:
        yield Enter("node_echo")
        answer = yield Wait("node_echo")
        return {"reply": answer["decision"]}

    case = {
        "name": "asks",
        "input": {},
        "expect": {"reply": "yes"},
        "resolutions": {"node_echo": "yes"},
    }
    made = await api.post("/flows", json={"content": {**echo, "tests": [case]}}, headers=people.bob.headers)
    flow_id = made.json()["id"]
    await api.post(f"/flows/{flow_id}/deploy", json={}, headers=people.bob.headers)
    grid.script = script
    body = (await run(api, people.bob.headers, flow_id)).json()
    assert (body["passed"], body["failed"], body["message"]) == (1, 0, None)
    assert body["coverage"] == {"nodes": ["node_entry", "node_echo"], "edges_taken": [], "node_pct": 100.0}


class LeavingClient:
    """Sends a request over ASGI and goes away when it is told to."""

    def __init__(self, path: str, headers: dict[str, str], body: Json) -> None:
        self.leave = asyncio.Event()
        self.status = 0
        self._body = orjson.dumps(body)
        self._sent = False
        sent = {**headers, "content-type": "application/json", "content-length": str(len(self._body))}
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("api.test", 80),
        }

    async def call(self, app: FastAPI) -> None:
        await app(self._scope, self._receive, self._send)

    async def _receive(self) -> Json:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k1"}], ids=["without a key", "with one"])
async def test_a_client_that_goes_away_ends_its_test_run_unless_it_may_come_again(
    app: FastAPI, api: httpx.AsyncClient, people: People, grid: PlayedRuns, flow: str, key: dict[str, str]
) -> None:
    client = LeavingClient(
        f"/api/v1/flows/{flow}/run-tests", {**people.bob.headers, **key}, {"core_id": "core_1"}
    )

    async def take_long(body: Json) -> Json:
        client.leave.set()
        await asyncio.sleep(0.1)
        return {"output": body["input"]}

    grid.on_invoke = take_long
    await client.call(app)
    last = (await log_of(api, people.alice.headers, action="flow.tested"))[-1]
    if key:
        assert (client.status, grid.cancelled) == (200, [])
        assert last["outcome"] == "succeeded"
        again = await api.post(
            f"/flows/{flow}/run-tests", json={"core_id": "core_1"}, headers={**people.bob.headers, **key}
        )
        assert (again.headers["Idempotency-Replayed"], again.json()["passed"]) == ("true", 1)
    else:
        assert (client.status, sorted(grid.cancelled)) == (499, ["exec_1", "exec_2"])
        assert (last["outcome"], last["details"]["error"]) == ("failed", "cancelled")
