"""The switch that makes the grid fail."""

from dataclasses import replace
from typing import Any

import pytest
from localgrid_support import OAUTH, SCAICORE, RunningGrid, running_grid

from scaiflow_api.localgrid import GridConfig

JWKS = "/scaikey/api/v1/platform/.well-known/jwks.json"


async def switch_on(grid: RunningGrid, **fault: Any) -> None:
    response = await grid.http.put("/_faults", json=fault)
    assert response.status_code == 204, response.text


async def status(grid: RunningGrid, path: str, method: str = "GET") -> int:
    return (await grid.http.request(method, path)).status_code


async def test_a_route_fails_as_often_as_told(grid: RunningGrid) -> None:
    await switch_on(grid, prefix="/scaikey", status=503, times=2)

    assert [await status(grid, JWKS) for _ in range(3)] == [503, 503, 200]


async def test_a_route_answers_html_with_headers(grid: RunningGrid) -> None:
    await switch_on(grid, prefix="/scaikey", body="<html>gateway</html>", headers={"Retry-After": "7"})
    response = await grid.http.get(JWKS)

    assert (response.status_code, response.text) == (200, "<html>gateway</html>")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["retry-after"] == "7"


async def test_a_broken_body_is_said_to_be_json(grid: RunningGrid) -> None:
    await switch_on(grid, prefix="/scaikey", status=429, body='{"keys": ')
    response = await grid.http.get(JWKS)

    assert (response.status_code, response.text) == (429, '{"keys": ')
    assert response.headers["content-type"] == "application/json"


async def test_a_late_route_still_answers_properly(grid: RunningGrid) -> None:
    await switch_on(grid, prefix=JWKS, delay_s=0.01)

    assert (await grid.http.get(JWKS)).json()["keys"]


async def test_only_the_route_that_is_meant_fails(grid: RunningGrid) -> None:
    await switch_on(grid, prefix=f"{SCAICORE}/cores/*/start", method="POST", status=500)

    assert await status(grid, f"{SCAICORE}/cores/core_x/start", "POST") == 500
    assert await status(grid, f"{SCAICORE}/cores/core_x/stop", "POST") == 401
    assert await status(grid, f"{SCAICORE}/cores/core_x/y/start", "POST") == 404
    assert await status(grid, f"{SCAICORE}/cores", "GET") == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/checkpoints"),
        ("GET", "/checkpoints/x"),
        ("POST", "/checkpoints/x/resolve"),
        ("POST", "/checkpoints/x/cancel"),
        ("GET", "/executions/x"),
        ("POST", "/executions/x/cancel"),
    ],
)
async def test_the_calls_about_waiting_runs_fail_as_well(grid: RunningGrid, method: str, path: str) -> None:
    assert await status(grid, f"{SCAICORE}{path}", method) == 401
    await switch_on(grid, prefix=f"{SCAICORE}{path.replace('/x', '/*')}", method=method, status=503)

    assert await status(grid, f"{SCAICORE}{path}", method) == 503


async def test_the_newest_fault_wins_and_replaces_its_like(grid: RunningGrid) -> None:
    await switch_on(grid, prefix="/scaikey", status=500)
    await switch_on(grid, prefix=JWKS, status=501, times=1)
    await switch_on(grid, prefix="/scaikey", status=502)

    assert [await status(grid, JWKS) for _ in range(2)] == [502, 502]


async def test_everything_is_well_again_after_switching_off(grid: RunningGrid) -> None:
    await switch_on(grid, prefix="/", status=500)
    assert await status(grid, JWKS) == 500
    assert (await grid.http.delete("/_faults")).status_code == 204

    assert await status(grid, JWKS) == 200


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"prefix": "no-slash"},
        {"prefix": "/", "status": 99},
        {"prefix": "/", "delay_s": -1},
        {"prefix": "/", "x": 1},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(grid: RunningGrid, fault: dict[str, Any]) -> None:
    assert (await grid.http.put("/_faults", json=fault)).status_code == 422


async def test_without_the_flag_there_is_no_switch(config: GridConfig) -> None:
    async with running_grid(replace(config, faults=False)) as grid:
        answers = [
            await grid.http.put("/_faults", json={"prefix": "/", "status": 500}),
            await grid.http.delete("/_faults"),
            await grid.http.post("/_faults/rotate-keys"),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert await status(grid, f"{OAUTH}/.well-known/openid-configuration") == 200
