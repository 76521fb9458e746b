"""ScaiKey changes its keys, or is away, while requests run: nobody who is signed in notices."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_apps import shared_app
from api_refusals import refused
from jose import jwt

from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.auth.tokens import TokenVerifier
from scaiflow_api.localgrid import GridConfig, create_grid
from scaiflow_api.localgrid.scaikey.people import SERVICE, SERVICE_SECRET
from scaiflow_api.resources import Resources
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.settings import Settings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaikey import ScaiKey

GRID = "http://127.0.0.1:8002"
TOKEN = "/scaikey/api/v1/platform/oauth/token"


@dataclass
class Stage:
    """The API, and the local ScaiKey that it asks."""

    api: httpx.AsyncClient
    grid: httpx.AsyncClient
    scaikey: ScaiKey

    async def token(self) -> str:
        form = {"grant_type": "client_credentials"}
        answer = await self.grid.post(TOKEN, data=form, auth=(SERVICE.id, SERVICE_SECRET))
        return str(answer.json()["access_token"])

    async def ask(self, token: str) -> httpx.Response:
        return await self.api.get("/me", headers={"Authorization": f"Bearer {token}"})

    async def rotate(self) -> None:
        (await self.grid.post("/_faults/rotate-keys")).raise_for_status()

    async def fail(self, **fault: Any) -> None:
        (await self.grid.put("/_faults", json={"prefix": "/scaikey", **fault})).raise_for_status()


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.fixture(scope="module")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: making a first key takes longer than anything else here."""
    return tmp_path_factory.mktemp("grid") / "grid.db"


@pytest.fixture
async def stage(settings: Settings, resources: Resources, grid_file: Path) -> AsyncIterator[Stage]:
    config = GridConfig(
        database=grid_file,
        base_url=GRID,
        api_client_id="scaiflow-local",
        api_client_secret="only-here",
        redirect_uris=(),
        faults=True,
    )
    grid = create_grid(config)
    wire = httpx.ASGITransport(grid)
    async with (
        grid.router.lifespan_context(grid),
        httpx.AsyncClient(transport=wire, base_url=GRID) as client,
    ):
        of_the_grid = ScaiKeySettings(base_url=f"{GRID}/scaikey", client_id="scaiflow-local")
        scaikey = ScaiKey(
            wire,
            of_the_grid,
            resources.clock,
            policy=Policy(deadline_s=1, base_delay_s=0.001, max_delay_s=0.002),
        )
        verifier = TokenVerifier(
            base_url=of_the_grid.base_url or "",
            audiences=of_the_grid.audiences,
            keys=scaikey,
            clock=resources.clock,
        )
        scaigrid = ScaiGrid(wire, settings.scaigrid.model_copy(update={"base_url": f"{GRID}/scaigrid"}))
        opened = replace(resources, scaikey=scaikey, tokens=verifier, scaigrid=scaigrid)
        app = shared_app(settings, opened)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
            yield Stage(api, client, scaikey)
        await scaikey.close()


async def test_no_request_fails_while_keys_are_rotated(stage: Stage) -> None:
    """Half of the requests carry a token of before, half the newest, from six callers at once."""
    seen: list[tuple[str, int]] = []

    async def work(*, rotates: bool) -> None:
        first = await stage.token()
        for number in range(6):
            if rotates and number == 2:
                await stage.rotate()
            for token in (first, await stage.token()):
                answer = await stage.ask(token)
                seen.append((kid_of(token), answer.status_code))

    await asyncio.gather(*(work(rotates=number == 0) for number in range(6)))

    assert {status for _, status in seen} == {200}
    assert len({kid for kid, _ in seen}) == 2


async def test_while_scaikey_is_away_known_keys_go_on_and_others_are_not_judged(stage: Stage) -> None:
    old = await stage.token()
    assert (await stage.ask(old)).status_code == 200
    await stage.rotate()
    new = await stage.token()
    await stage.fail(status=503)

    denied = await stage.ask(new)
    assert refused(denied) == (503, "scaikey_unavailable")
    assert "keys" in denied.json()["detail"]["message"]
    assert (await stage.ask(old)).status_code == 200


async def test_a_forgotten_key_ends_its_tokens_once_that_is_known(stage: Stage, resources: Resources) -> None:
    old = await stage.token()
    assert (await stage.ask(old)).status_code == 200
    (await stage.grid.post("/_faults/rotate-keys", params={"forget_old": "true"})).raise_for_status()
    assert (await stage.ask(await stage.token())).status_code == 200  # which fetches the keys

    fresh = TokenVerifier(  # whatever was verified before is forgotten
        base_url=f"{GRID}/scaikey", audiences=["scaiflow-local"], keys=stage.scaikey, clock=resources.clock
    )
    with pytest.raises(InvalidToken, match="does not publish"):
        await fresh.verify(old)
