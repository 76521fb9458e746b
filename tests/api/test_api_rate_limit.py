"""How often one address may sign in: as often as it likes, unless the operator sets a limit."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from api_apps import shared_app
from tokens import ISSUER

from scaiflow_api.live.rate import ProcessRate
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Api, Environment, Settings

From = Callable[..., httpx.AsyncClient]
REFRESH = "/auth/refresh"
BODY = {"refresh_token": "rt"}


@pytest.fixture(autouse=True)
def scaikey() -> Any:
    """A ScaiKey that refuses every token."""
    oauth = f"{ISSUER}/api/v1/platform/oauth"
    with respx.mock(assert_all_called=False) as router:
        document = {"jwks_uri": f"{oauth}/jwks", "token_endpoint": f"{oauth}/token", "issuer": ISSUER}
        router.get(f"{oauth}/.well-known/openid-configuration").respond(json=document)
        router.post(f"{oauth}/token").respond(400, json={"error": "invalid_grant"})
        yield router


@pytest.fixture
def served(settings: Settings, resources: Resources) -> Callable[..., From]:
    """Serve with a limit, and proxies; the result makes clients at an address."""

    def serve(per_minute: int, *proxies: str) -> From:
        api = Api(env=Environment.DEVELOPMENT, sign_ins_per_minute=per_minute, trusted_proxies=tuple(proxies))
        rate = ProcessRate(per_minute, lambda: 1000.0) if per_minute else None
        app = shared_app(settings.model_copy(update={"api": api}), replace(resources, sign_in_rate=rate))

        def client(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(address, 40_000))
            return httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1")

        return client

    return serve


async def statuses(client: httpx.AsyncClient, times: int, **headers: str) -> list[int]:
    return [(await client.post(REFRESH, json=BODY, headers=headers)).status_code for _ in range(times)]


async def test_it_is_off_unless_it_is_set(served: Callable[..., From]) -> None:
    assert Settings().api.sign_ins_per_minute == 0
    assert set(await statuses(served(0)("203.0.113.7"), 50)) == {400}


async def test_one_address_too_many_is_told_when_to_come_again(served: Callable[..., From]) -> None:
    client = served(3)("203.0.113.7")

    assert await statuses(client, 4) == [400, 400, 400, 429]
    answer = await client.post(REFRESH, json=BODY)
    detail = answer.json()["detail"]
    assert (detail["error"], detail["retry_after_s"]) == ("too_many_requests", 20)
    assert answer.headers["Retry-After"] == "20"
    assert detail["fix"] == "Try again in 20 seconds."


async def test_both_ways_of_signing_in_are_counted_together_and_nothing_else(
    served: Callable[..., From],
) -> None:
    client = served(2)("203.0.113.7")
    code = {"code": "c", "code_verifier": "v", "redirect_uri": "http://localhost/back"}

    assert (await client.post("/auth/exchange", json=code)).status_code == 400
    assert await statuses(client, 2) == [400, 429]
    assert (await client.post("/auth/exchange", json=code)).status_code == 429
    assert (await client.get("/auth/config")).status_code == 200
    assert (await client.get("/me")).status_code == 401


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
async def test_a_site_is_counted_as_one(
    served: Callable[..., From], first: str, second: str, together: bool
) -> None:
    client = served(1)

    assert await statuses(client(first), 2) == [400, 429]
    assert await statuses(client(second), 1) == ([429] if together else [400])


class TestBehindAProxy:
    async def test_nobody_is_believed_unless_the_operator_says_so(self, served: Callable[..., From]) -> None:
        client = served(1)("127.0.0.1")

        assert await statuses(client, 1, **{"X-Forwarded-For": "203.0.113.7"}) == [400]
        assert await statuses(client, 1, **{"X-Forwarded-For": "203.0.113.8"}) == [429]

    async def test_a_trusted_one_tells_who_came(self, served: Callable[..., From]) -> None:
        client = served(1, "10.0.0.0/8")("10.1.2.3")

        assert await statuses(client, 2, **{"X-Forwarded-For": "203.0.113.7"}) == [400, 429]
        assert await statuses(client, 1, **{"X-Forwarded-For": "203.0.113.8"}) == [400]

    async def test_what_the_caller_put_in_front_counts_for_nothing(self, served: Callable[..., From]) -> None:
        client = served(1, "10.0.0.0/8")("10.1.2.3")

        assert await statuses(client, 1, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}) == [400]
        assert await statuses(client, 1, **{"X-Forwarded-For": "198.51.100.2, 203.0.113.7"}) == [429]

    async def test_another_is_not_believed(self, served: Callable[..., From]) -> None:
        client = served(1, "10.0.0.0/8")("192.0.2.1")

        assert await statuses(client, 1, **{"X-Forwarded-For": "203.0.113.7"}) == [400]
        assert await statuses(client, 1, **{"X-Forwarded-For": "203.0.113.8"}) == [429]

    @pytest.mark.parametrize("wrong", ["*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33"])
    def test_only_addresses_and_networks_are_trusted(self, wrong: str) -> None:
        with pytest.raises(ValueError, match="SCAIFLOW_TRUSTED_PROXIES"):
            Api(trusted_proxies=(wrong,))
