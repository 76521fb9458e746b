"""Slow calls of one tenant leave room for the others."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.failures import UpstreamCrowded
from scaiflow_api.upstreams.fair_transport import PARTY, FairTransport
from scaiflow_api.upstreams.scaigrid import ScaiGrid

MOST = 3


class Body(httpx.AsyncByteStream):
    """An answer that was not read yet."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"data": {"id": "usr_alice"}}'


class Slow(httpx.AsyncBaseTransport):
    """Answers when it is told to go on; fails when it has a failure."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.full = asyncio.Event()
        self.failure: Exception | None = None
        self.asked = 0
        self.hold: set[str | None] = {"tnt_slow"}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked == MOST:
            self.full.set()
        if self.failure is not None:
            raise self.failure
        if request.extensions.get(PARTY) in self.hold:
            await self.go.wait()
        return httpx.Response(200, stream=Body())


@pytest.fixture
def inner() -> Slow:
    return Slow()


@pytest.fixture
def http(inner: Slow) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=FairTransport(inner, most=2 * MOST + 1, most_of_one=MOST, patience_s=0.03)
    )


def ask(http: httpx.AsyncClient, party: str | None) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(
        http.send(http.build_request("GET", "https://up.test", extensions={PARTY: party}))
    )


async def fill(http: httpx.AsyncClient, inner: Slow) -> "list[asyncio.Task[httpx.Response]]":
    tasks = [ask(http, "tnt_slow") for _ in range(MOST)]
    await inner.full.wait()
    return tasks


async def test_who_has_used_up_its_share_waits_and_is_turned_away(
    http: httpx.AsyncClient, inner: Slow
) -> None:
    under_way = await fill(http, inner)
    with pytest.raises(httpx.PoolTimeout):
        await ask(http, "tnt_slow")
    assert inner.asked == MOST
    for party in ("tnt_other", None):
        found = await asyncio.gather(*(ask(http, party) for _ in range(MOST + 1)))
        assert {answer.status_code for answer in found} == {200}
    inner.go.set()
    await asyncio.gather(*under_way)


async def test_a_place_that_comes_free_is_taken(http: httpx.AsyncClient, inner: Slow) -> None:
    under_way = await fill(http, inner)
    waiting = ask(http, "tnt_slow")
    await asyncio.sleep(0.005)
    under_way[0].cancel()
    inner.go.set()
    assert (await waiting).status_code == 200
    await asyncio.gather(*under_way, return_exceptions=True)


async def test_all_together_have_a_bound_too(http: httpx.AsyncClient, inner: Slow) -> None:
    inner.hold.update({"tnt_slow", "tnt_other", None})
    under_way = [ask(http, party) for party in ("tnt_slow", "tnt_other") for _ in range(MOST)]
    under_way.append(ask(http, None))
    await asyncio.sleep(0)
    for party in ("tnt_third", None):
        with pytest.raises(httpx.PoolTimeout):
            await ask(http, party)
    assert inner.asked == 2 * MOST + 1
    inner.go.set()
    await asyncio.gather(*under_way, ask(http, "tnt_third"))


async def test_failures_give_their_place_back(http: httpx.AsyncClient, inner: Slow) -> None:
    inner.failure = httpx.ConnectError("refused")
    for _ in range(3 * MOST):
        with pytest.raises(httpx.ConnectError):
            await ask(http, "tnt_slow")


async def test_an_answer_that_is_left_unread_gives_its_place_back(http: httpx.AsyncClient) -> None:
    for _ in range(3 * MOST):
        async with http.stream("GET", "https://up.test", extensions={PARTY: "tnt_a"}):
            pass


async def test_clients_say_whose_calls_they_make(inner: Slow, token: SecretStr) -> None:
    settings = ScaiGridSettings(_env_file=None, base_url="https://up.test", connections_per_tenant=MOST)
    policy = Policy(deadline_s=5, attempts=1)
    async with open_transport(settings, inner) as http:
        http._patience_s = 0.03  # type: ignore[attr-defined]
        grid = ScaiGrid(http, settings, policy=policy)
        theirs = grid.on_behalf_of("tnt_slow")
        under_way = [asyncio.create_task(theirs.me(token)) for _ in range(MOST)]
        await inner.full.wait()
        with pytest.raises(UpstreamCrowded):
            await theirs.me(token)
        assert (await grid.on_behalf_of("tnt_other").me(token)).id == "usr_alice"
        assert (await grid.me(token)).id == "usr_alice"
        inner.go.set()
        await asyncio.gather(*under_way)
