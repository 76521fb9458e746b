"""ScaiGrid's rate limit, where somebody asks for one."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from localgrid_support import SCAICORE, Caller, FakeClock, RunningGrid, a_config, error_of, running_grid

from scaiflow_api.localgrid import GridConfig


async def limited(grid: RunningGrid, per_minute: int | None) -> None:
    response = await grid.http.put("/_faults/rate-limit", json={"per_minute": per_minute})
    assert response.status_code == 204, response.text


def standing(response: httpx.Response) -> tuple[int, dict[str, str]]:
    prefix = "x-scaigrid-ratelimit-"
    headers = {k.removeprefix(prefix): v for k, v in response.headers.items() if k.startswith(prefix)}
    return response.status_code, headers


async def cores(caller: Caller) -> httpx.Response:
    return await caller("GET", f"{SCAICORE}/cores")


async def test_above_the_limit_requests_are_refused_until_the_window_has_moved(
    grid: RunningGrid, clock: FakeClock
) -> None:
    bob = await grid.caller("usr_bob")
    start = int(clock.now().timestamp())
    await limited(grid, 2)
    first = await cores(bob)
    clock.forward(20)
    second, third = await cores(bob), await cores(bob)
    clock.forward(40)
    fourth, fifth = await cores(bob), await cores(bob)

    assert standing(first) == (200, {"limit": "2", "remaining": "1", "reset": str(start + 60)})
    assert standing(second) == (200, {"limit": "2", "remaining": "0", "reset": str(start + 60)})
    assert standing(third) == (429, {"limit": "2", "remaining": "0", "reset": str(start + 60)})
    assert third.headers["retry-after"] == "40"
    assert (error_of(third)["code"], error_of(third)["retry_after"]) == ("RATE_LIMITED", 40)
    assert standing(fourth) == (200, {"limit": "2", "remaining": "0", "reset": str(start + 80)})
    assert (fifth.status_code, fifth.headers["retry-after"]) == (429, "20")


async def test_each_credential_has_its_own_and_scaikey_none(grid: RunningGrid) -> None:
    await limited(grid, 1)
    bob, carol = await grid.caller("usr_bob"), await grid.caller("usr_carol")

    assert [(await cores(caller)).status_code for caller in (bob, carol, bob, carol)] == [200, 200, 429, 429]
    assert await grid.sign_in("usr_bob")


async def test_the_limit_ends_when_told_and_goes_back_to_the_configuration(config: GridConfig) -> None:
    async with running_grid(replace(config, rate_limit_per_minute=1)) as grid:
        bob = await grid.caller("usr_bob")
        configured = [(await cores(bob)).status_code for _ in range(2)]
        await limited(grid, None)
        ended = [standing(await cores(bob)) for _ in range(3)]
        await grid.http.delete("/_faults")
        again = [(await cores(bob)).status_code for _ in range(2)]

    assert configured == again == [200, 429]
    assert ended == [(200, {})] * 3


@pytest.mark.parametrize("body", [{}, {"per_minute": 0}, {"per_minute": "5"}, {"per_minute": 5, "x": 1}])
async def test_a_limit_that_makes_no_sense_is_refused(grid: RunningGrid, body: Any) -> None:
    assert (await grid.http.put("/_faults/rate-limit", json=body)).status_code == 422


def test_a_configured_limit_lets_something_through(config: GridConfig) -> None:
    with pytest.raises(ValueError, match="at least one"):
        a_config(config.database, rate_limit_per_minute=0)
