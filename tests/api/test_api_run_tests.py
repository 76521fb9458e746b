"""Running fixtures over the API."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from people import People
from played_grid import PlayedGrid, refusal

Json = dict[str, Any]


@pytest.fixture
def grid() -> Iterator[PlayedGrid]:
    with respx.mock(assert_all_called=False) as router:
        yield PlayedGrid(router, "http://scaigrid.test")


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json) -> str:
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
    assert body == {
        "results": [
            {
                "name": "Refund request",
                "ok": True,
                "expect": {"message": "refund"},
                "output": {"message": "refund"},
                "error": None,
                "mismatches": [],
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
            },
        ],
        "passed": 1,
        "failed": 1,
        "message": None,
    }


async def test_a_filter_limits_the_run(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    answer = await run(api, people.bob.headers, flow, name_filter="Refund")
    assert [result["name"] for result in answer.json()["results"]] == ["Refund request"]
    assert grid.steps == ["invoke"]


async def test_a_core_of_another_flow_is_not_found(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str, echo: Json
) -> None:
    other = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    answer = await run(api, people.bob.headers, other.json()["id"])
    assert (answer.status_code, answer.json()["detail"]["error"]) == (404, "core_not_found")
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
    grid: PlayedGrid,
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
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
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
        assert (answer.status_code, answer.json()["detail"]["error"]) == (422, "invalid_request"), body
    assert grid.steps == []


async def test_a_core_that_is_gone_ends_the_run(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    grid.cores.clear()
    answer = await run(api, people.bob.headers, flow)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"], detail["status"]) == (502, "scaigrid_api", 404)


async def test_a_rate_limit_ends_the_run_and_is_handed_on(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
) -> None:
    grid.faults["invoke"] = [refusal(429, "RATE_LIMITED"), refusal(429, "RATE_LIMITED")]
    answer = await run(api, people.bob.headers, flow)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "RATE_LIMITED"
