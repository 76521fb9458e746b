"""ScaiKey: discovery, keys, and the two grants."""

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.discovery import read_discovery
from scaiflow_api.upstreams.errors import (
    ScaiKeyNotConfigured,
    ScaiKeyRefused,
    ScaiKeyUnavailable,
    as_app_error,
)
from scaiflow_api.upstreams.failures import (
    UpstreamBusy,
    UpstreamError,
    UpstreamNonsense,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from scaiflow_api.upstreams.scaikey import DISCOVERY_PATH, ScaiKey

KEY = "https://key.test/scaikey"
DOCUMENT: dict[str, Any] = {
    "issuer": KEY,
    "authorization_endpoint": f"{KEY}/api/v1/platform/oauth/authorize",
    "token_endpoint": f"{KEY}/api/v1/platform/oauth/token",
    "jwks_uri": f"{KEY}/api/v1/platform/.well-known/jwks.json",
    "userinfo_endpoint": None,
    "op_tos_uri": "https://www.example.org/terms",
    "response_types_supported": ["code"],
}
TOKENS = {
    "access_token": "at",
    "refresh_token": "rt",
    "id_token": "it",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "openid",
}
JWKS = {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": "u" * 342, "e": "AQAB"}]}


@pytest.fixture
def discovered(respx_mock: respx.MockRouter) -> respx.Route:
    return respx_mock.get(KEY + DISCOVERY_PATH).respond(json=DOCUMENT)


async def trade(scaikey: ScaiKey) -> object:
    return await scaikey.exchange(
        code="c0de", code_verifier="v", redirect_uri="http://localhost:5173/auth/callback"
    )


def test_discovery_is_read() -> None:
    found = read_discovery(DOCUMENT, KEY)
    assert (found.issuer, found.jwks_uri, found.token_endpoint) == (
        KEY,
        DOCUMENT["jwks_uri"],
        DOCUMENT["token_endpoint"],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"jwks_uri": "https://evil.test/jwks.json"},
        {"jwks_uri": "http://key.test/scaikey/jwks.json"},
        {"jwks_uri": "https://key.test:8443/jwks.json"},
        {"jwks_uri": "https://key.test@evil.test/jwks.json"},
        {"jwks_uri": "https://user@key.test/jwks.json"},
        {"jwks_uri": "/api/v1/platform/.well-known/jwks.json"},
        {"jwks_uri": "https://key.test:port/"},
        {"jwks_uri": ["https://key.test/"]},
        {"jwks_uri": None},
        {"token_endpoint": "https://key.test.evil.test/token"},
        {"token_endpoint": None},
        {"authorization_endpoint": "https://evil.test/authorize"},
        {"end_session_endpoint": "file:///etc/passwd"},
        {"issuer": "https://evil.test"},
    ],
)
def test_discovery_with_a_foreign_or_missing_address_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UpstreamNonsense):
        read_discovery({**DOCUMENT, **change}, KEY)


def test_default_ports_and_case_are_the_same_origin() -> None:
    document = {**DOCUMENT, "jwks_uri": "https://KEY.test:443/keys"}
    assert read_discovery(document, KEY).jwks_uri == "https://KEY.test:443/keys"


async def test_a_key_is_found_through_discovery(
    respx_mock: respx.MockRouter, discovered: respx.Route, scaikey: ScaiKey
) -> None:
    respx_mock.get(DOCUMENT["jwks_uri"]).respond(json=JWKS)
    key = await scaikey.find("k1")
    assert key is not None
    assert key.algorithm == "RS256"
    assert await scaikey.find("k2") is None
    assert discovered.call_count == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.Response(500),
        httpx.Response(404, text="not here"),
        httpx.Response(200, html="<html></html>"),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(302, headers={"Location": "https://evil.test/jwks.json"}),
    ],
    ids=["refused", "500", "404", "html", "no keys", "redirect"],
)
async def test_keys_that_cannot_be_had_are_a_503(
    respx_mock: respx.MockRouter,
    discovered: respx.Route,
    scaikey: ScaiKey,
    answer: httpx.Response | httpx.ConnectError,
) -> None:
    respx_mock.get(DOCUMENT["jwks_uri"]).mock(side_effect=[answer] * 3)
    with pytest.raises(ScaiKeyUnavailable) as caught:
        await scaikey.find("k1")
    assert caught.value.status == 503
    assert discovered.called


async def test_an_address_of_the_keys_that_is_no_url_is_a_503(
    respx_mock: respx.MockRouter, scaikey: ScaiKey
) -> None:
    respx_mock.get(KEY + DISCOVERY_PATH).respond(json={**DOCUMENT, "jwks_uri": f"{KEY}/\x01"})
    with pytest.raises(ScaiKeyUnavailable):
        await scaikey.find("k1")


async def test_old_discovery_serves_while_scaikey_is_away(
    respx_mock: respx.MockRouter, discovered: respx.Route, scaikey: ScaiKey, clock: Any
) -> None:
    first = await scaikey.discovery()
    clock.advance(3601)
    discovered.respond(503)
    assert await scaikey.discovery() == first
    discovered.respond(json={**DOCUMENT, "token_endpoint": f"{KEY}/moved"})
    assert (await scaikey.discovery()).token_endpoint == f"{KEY}/moved"
    assert (await scaikey.discovery()).token_endpoint == f"{KEY}/moved"
    assert discovered.call_count == 5  # one, three attempts, one; the last was remembered


async def test_exchange_adds_the_clients_secret(
    respx_mock: respx.MockRouter, discovered: respx.Route, scaikey: ScaiKey
) -> None:
    route = respx_mock.post(DOCUMENT["token_endpoint"]).respond(json=TOKENS)
    tokens = await scaikey.exchange(
        code="c0de+/=", code_verifier="v", redirect_uri="http://localhost:5173/cb?x=1"
    )
    assert (
        tokens.access_token,
        tokens.refresh_token,
        tokens.id_token,
        tokens.token_type,
        tokens.expires_in,
    ) == (
        "at",
        "rt",
        "it",
        "Bearer",
        3600,
    )
    sent = route.calls.last.request
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(sent.content.decode()) == {
        "grant_type": ["authorization_code"],
        "client_id": ["scaiflow"],
        "client_secret": ["s3cret&"],
        "code": ["c0de+/="],
        "code_verifier": ["v"],
        "redirect_uri": ["http://localhost:5173/cb?x=1"],
    }
    assert "at" not in repr(tokens).replace("TokenSet", "")


async def test_refresh_sends_the_refresh_token(
    respx_mock: respx.MockRouter, discovered: respx.Route, scaikey: ScaiKey
) -> None:
    minimal = {"access_token": "at2"}
    route = respx_mock.post(DOCUMENT["token_endpoint"]).respond(json=minimal)
    tokens = await scaikey.refresh("rt1")
    assert parse_qs(route.calls.last.request.content.decode())["refresh_token"] == ["rt1"]
    assert (tokens.refresh_token, tokens.id_token, tokens.token_type, tokens.expires_in) == (
        None,
        None,
        "Bearer",
        3600,
    )


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_code_is_a_400_with_both_of_scaikeys_words(
    respx_mock: respx.MockRouter, discovered: respx.Route, scaikey: ScaiKey, status: int
) -> None:
    words = {"error": "invalid_grant", "error_description": "code already used"}
    route = respx_mock.post(DOCUMENT["token_endpoint"]).respond(status, json=words)
    with pytest.raises(ScaiKeyRefused) as caught:
        await trade(scaikey)
    detail = caught.value.detail()
    assert caught.value.status == 400
    assert caught.value.error == "scaikey_refused"
    assert (detail["error"], detail["error_description"]) == ("invalid_grant", "code already used")
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("answer", "kind", "status", "code"),
    [
        (httpx.Response(500, text="oops"), UpstreamUnavailable, 502, "scaikey_api"),
        (
            httpx.Response(503, json={"error": "temporarily_unavailable"}),
            UpstreamUnavailable,
            502,
            "scaikey_api",
        ),
        (httpx.Response(404, html="<h1>Not Found</h1>"), UpstreamUnavailable, 502, "scaikey_api"),
        (httpx.Response(422, json={"detail": [{"msg": "m"}]}), UpstreamUnavailable, 502, "scaikey_api"),
        (httpx.Response(200, html="<h1>Hello</h1>"), UpstreamNonsense, 502, "scaikey_api"),
        (httpx.Response(200, json={"token_type": "Bearer"}), UpstreamNonsense, 502, "scaikey_api"),
        (httpx.Response(200, json={"access_token": 7}), UpstreamNonsense, 502, "scaikey_api"),
        (
            httpx.Response(302, headers={"Location": "https://evil.test"}),
            UpstreamNonsense,
            502,
            "scaikey_api",
        ),
        (httpx.Response(429, json={"error": "slow_down"}), UpstreamBusy, 429, "scaikey_busy"),
        (httpx.ReadTimeout("slow"), UpstreamTimedOut, 504, "scaikey_timeout"),
        (httpx.ReadError("cut"), UpstreamUnavailable, 502, "scaikey_api"),
    ],
)
async def test_a_token_endpoint_that_does_not_work(
    respx_mock: respx.MockRouter,
    discovered: respx.Route,
    scaikey: ScaiKey,
    answer: httpx.Response | httpx.TransportError,
    kind: type[UpstreamError],
    status: int,
    code: str,
) -> None:
    route = respx_mock.post(DOCUMENT["token_endpoint"]).mock(side_effect=[answer])
    with pytest.raises(kind) as caught:
        await trade(scaikey)
    error = as_app_error(caught.value)
    assert (error.status, error.error) == (status, code)
    assert route.call_count == 1  # a code is good once


@pytest.mark.parametrize(
    "missing",
    [{"base_url": None}, {"client_id": None}, {"client_secret": None}, {"client_secret": SecretStr("")}],
)
async def test_without_configuration_it_says_so(
    http: httpx.AsyncBaseTransport, clock: Any, missing: dict[str, object]
) -> None:
    full = {"base_url": KEY, "client_id": "scaiflow", "client_secret": SecretStr("s")}
    scaikey = ScaiKey(http, ScaiKeySettings(_env_file=None, **{**full, **missing}), clock)
    with pytest.raises(ScaiKeyNotConfigured) as caught:
        await trade(scaikey)
    assert caught.value.status == 503
    assert str(caught.value) == "ScaiKey OIDC not configured on the server"


async def test_keys_are_not_asked_for_without_a_base_url(http: httpx.AsyncBaseTransport, clock: Any) -> None:
    with pytest.raises(ScaiKeyNotConfigured):
        await ScaiKey(http, ScaiKeySettings(_env_file=None, base_url=None), clock).find("k1")
