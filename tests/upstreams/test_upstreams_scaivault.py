"""ScaiVault: a secret's path, its versions, our token there, and what goes wrong; against the local grid's."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import respx
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from scaiflow_api.localgrid import GridConfig, create_grid
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.errors import ScaiKeyRefused, as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamNonsense, UpstreamRejected
from scaiflow_api.upstreams.scaikey import ScaiKey
from scaiflow_api.upstreams.scaivault import ScaiVault, path_part

VAULT = "https://vault.test"
SECRET = f"{VAULT}/v1/secrets/tenants/tnt_acme/scaigrid_api_key"
BASE = "http://127.0.0.1:8002"


class Tokens(ScaiKey):
    """Hands out a new token whenever the last one was forgotten."""

    def __init__(self) -> None:
        self.number = 1

    async def service_token(self) -> SecretStr:
        return SecretStr(f"service-{self.number}")

    def forget_service_token(self) -> None:
        self.number += 1


@pytest.fixture
def vault(http: httpx.AsyncBaseTransport, impatient: Policy) -> ScaiVault:
    return ScaiVault(http, VAULT, Tokens(), policy=impatient)


def refused(status: int, code: str) -> httpx.Response:
    error = {"code": code, "message": "some message", "details": {}, "request_id": "req_1"}
    return httpx.Response(status, json={"error": error})


async def test_a_secret_is_read_by_its_documented_path(
    vault: ScaiVault, respx_mock: respx.MockRouter
) -> None:
    body = {
        "path": "x",
        "secret_type": "kv",
        "version": 3,
        "data": {"value": "sgk_x", "number": 1},
        "metadata": {},
    }
    route = respx_mock.get(SECRET).respond(json=body)

    found = await vault.read("tnt_acme", "scaigrid_api_key")

    assert found is not None
    assert (found.value, found.version, dict(found.data)) == ("sgk_x", 3, {"value": "sgk_x"})
    assert route.calls.last.request.headers["authorization"] == "Bearer service-1"
    assert "sgk_x" not in repr(found)


async def test_what_is_not_there_is_none_but_another_404_is_a_failure(
    vault: ScaiVault, respx_mock: respx.MockRouter
) -> None:
    respx_mock.get(SECRET).mock(
        side_effect=[refused(404, "secret_not_found"), httpx.Response(404, html="<p>")]
    )

    assert await vault.read("tnt_acme", "scaigrid_api_key") is None
    with pytest.raises(UpstreamRejected):
        await vault.read("tnt_acme", "scaigrid_api_key")


async def test_a_refused_token_is_renewed_once(vault: ScaiVault, respx_mock: respx.MockRouter) -> None:
    good = httpx.Response(200, json={"version": 1, "data": {"value": "x"}})
    route = respx_mock.get(SECRET).mock(side_effect=[refused(401, "token_expired"), good])
    await vault.read("tnt_acme", "scaigrid_api_key")
    assert [call.request.headers["authorization"][-1] for call in route.calls] == ["1", "2"]

    route.mock(side_effect=[refused(401, "token_revoked")] * 2)
    with pytest.raises(UpstreamRejected):
        await vault.read("tnt_acme", "scaigrid_api_key")


async def test_a_refused_client_of_ours_is_not_told_as_the_callers_sign_in(
    http: httpx.AsyncBaseTransport, impatient: Policy, respx_mock: respx.MockRouter
) -> None:
    class Refused(ScaiKey):
        async def service_token(self) -> SecretStr:
            raise ScaiKeyRefused(scaikey_error="invalid_client", error_description="no such client")

    settings = ScaiKeySettings(_env_file=None, base_url="https://key.test")
    vault = ScaiVault(http, VAULT, Refused(http, settings), policy=impatient)
    with pytest.raises(UpstreamError) as caught:
        await vault.read("tnt_acme", "scaigrid_api_key")

    error = as_app_error(caught.value)
    assert (error.status, error.error, error.fields["code"]) == (502, "scaikey_api", "invalid_client")


@pytest.mark.parametrize("answer", [{}, {"version": 1}, {"data": {}}, {"version": True, "data": {}}, [], "x"])
async def test_an_answer_without_a_secret_is_nonsense(
    vault: ScaiVault, respx_mock: respx.MockRouter, answer: Any
) -> None:
    respx_mock.get(SECRET).respond(json=answer)
    with pytest.raises(UpstreamNonsense):
        await vault.read("tnt_acme", "scaigrid_api_key")


async def test_a_write_need_not_say_which_version_it_made(
    vault: ScaiVault, respx_mock: respx.MockRouter
) -> None:
    respx_mock.put(SECRET).mock(side_effect=[httpx.Response(204), httpx.Response(201, json={"version": 4})])

    assert await vault.write("tnt_acme", "scaigrid_api_key", {"value": "x"}) is None
    assert await vault.write("tnt_acme", "scaigrid_api_key", {"value": "x"}) == 4


@pytest.mark.parametrize(
    ("answer", "status", "error", "words"),
    [
        (
            refused(403, "insufficient_scope"),
            502,
            "scaivault_api",
            "scopes `secrets:read` and `secrets:write`",
        ),
        (refused(409, "secret_exists"), 502, "scaivault_api", "some message"),
        (refused(503, "service_unavailable"), 502, "scaivault_api", "some message"),
        (refused(429, "rate_limited"), 429, "scaivault_busy", "some message"),
        (httpx.Response(307, headers={"Location": "https://evil.test/"}), 502, "scaivault_api", "understood"),
    ],
)
async def test_what_the_caller_is_told_of_failures(
    vault: ScaiVault,
    respx_mock: respx.MockRouter,
    answer: httpx.Response,
    status: int,
    error: str,
    words: str,
) -> None:
    respx_mock.put(SECRET).mock(return_value=answer)
    with pytest.raises(UpstreamError) as caught:
        await vault.write("tnt_acme", "scaigrid_api_key", {"value": "sgk_precious"})

    told = as_app_error(caught.value)
    assert (told.status, told.error) == (status, error)
    assert words in str(told.detail())
    assert "precious" not in str(told.detail()) + repr(caught.value)


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
@example("tnt_acme")
@example("a-b--c-")
@example("--2d")
@example("A-A--A")
def test_an_id_becomes_a_part_of_a_path_and_can_be_told_again(id_: str) -> None:
    part = path_part(id_)

    assert re.fullmatch(r"[a-z0-9_-]+", part)
    assert unquote(re.sub("--(..)", r"%\1", part)) == id_
    if re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)*", id_):
        assert part == id_


@dataclass
class Played:
    """The local grid, our clients of it, and a clock for both."""

    app: FastAPI
    vault: ScaiVault
    scaikey: ScaiKey
    clock: Any


@pytest.fixture
async def played(tmp_path: Path, clock: Any, impatient: Policy) -> AsyncIterator[Played]:
    config = GridConfig(
        database=tmp_path / "grid.db",
        base_url=BASE,
        api_client_id="scaiflow",
        api_client_secret="s3cret",
        redirect_uris=("http://127.0.0.1:8001/auth/callback",),
        faults=True,
    )
    app = create_grid(config, clock=clock)
    settings = ScaiKeySettings(
        _env_file=None, base_url=f"{BASE}/scaikey", client_id="scaiflow", client_secret=SecretStr("s3cret")
    )
    async with (
        app.router.lifespan_context(app),
        open_transport(ScaiGridSettings(_env_file=None), httpx.ASGITransport(app)) as http,
    ):
        scaikey = ScaiKey(http, settings, clock, policy=Policy())
        yield Played(app, ScaiVault(http, f"{BASE}/scaivault", scaikey, policy=Policy()), scaikey, clock)
        await scaikey.close()


async def test_a_secret_is_read_in_its_newest_version_and_by_its_tenant_to_the_letter(played: Played) -> None:
    assert await played.vault.read("TNT-Acme", "scaigrid_api_key") is None
    assert [await played.vault.write("TNT-Acme", "scaigrid_api_key", {"value": v}) for v in ("a", "b")] == [
        1,
        2,
    ]

    found = await played.vault.read("TNT-Acme", "scaigrid_api_key")
    assert found is not None
    assert (found.value, found.version) == ("b", 2)
    assert await played.vault.read("tnt-acme", "scaigrid_api_key") is None


async def test_our_token_is_kept_and_renewed_before_it_ends(played: Played) -> None:
    first = await played.scaikey.service_token()
    played.clock.advance(3600 - 61)
    assert await played.scaikey.service_token() == first
    played.clock.advance(2)

    assert await played.scaikey.service_token() != first
    assert await played.vault.write("tnt_acme", "x", {"value": "x"}) == 1


async def test_a_token_whose_key_is_forgotten_is_replaced_and_the_secret_is_read(played: Played) -> None:
    before = await played.scaikey.service_token()
    await played.vault.write("tnt_acme", "x", {"value": "x"})
    await played.app.state.grid.keys.rotate(forget_old=True)

    found = await played.vault.read("tnt_acme", "x")

    assert found is not None
    assert found.value == "x"
    assert await played.scaikey.service_token() != before
