"""What is repeated and what is not, whose words are kept, and when it ends. The table of faults is in `faults`."""

import asyncio

import httpx
import pytest
import respx
from pydantic import SecretStr
from structlog.testing import capture_logs

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.calls import segment
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.errors import ScaiGridNotConfigured
from scaiflow_api.upstreams.failures import (
    UpstreamBusy,
    UpstreamRejected,
    UpstreamTimedOut,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from scaiflow_api.upstreams.scaigrid import ScaiGrid

ME = "https://grid.test/v1/auth/me"
CORES = "https://grid.test/v1/modules/scaicore/cores"
PROFILE = {
    "data": {"id": "usr_alice", "tenant_id": "tnt_acme", "roles": [], "permissions": ["scaicore:view"]}
}


def envelope(code: str, message: str) -> dict[str, object]:
    return {"status": "error", "error": {"code": code, "message": message}, "meta": {"request_id": "req_1"}}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_a_refusal_carries_the_upstreams_words_and_is_not_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, status: int
) -> None:
    route = respx_mock.get(ME).respond(status, json=envelope("SOME_CODE", "some message"))
    with pytest.raises(UpstreamRejected) as caught:
        await scaigrid.me(token)
    assert (caught.value.status, caught.value.code, caught.value.message) == (
        status,
        "SOME_CODE",
        "some message",
    )
    assert caught.value.no_access == (status in (401, 403))
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ([{"field": "slug", "message": "has a space"}], "Not valid. slug: has a space"),
        (
            [{"field": "slug", "message": "X"}, {"message": "Y"}, {"field": "", "message": "Z"}],
            "Not valid. slug: X; Y; Z",
        ),
        ([{"field": "slug", "message": "Not valid."}], "Not valid."),
        ([{"field": "key", "message": "sgk_0123456789 is odd"}], "Not valid. key: [scrubbed] is odd"),
        ([{"field": f"f{n}", "message": "x"} for n in range(5)], "Not valid. f0: x; f1: x; f2: x"),
        ([None, "x", {"field": "slug"}, {"field": 1, "message": 2}], "Not valid."),
        ({"fields": []}, "Not valid."),
    ],
)
async def test_a_refusal_says_which_fields_are_wrong(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, details: object, told: str
) -> None:
    error = {"code": "VALIDATION_ERROR", "message": "Not valid.", "details": details}
    respx_mock.get(ME).respond(422, json={"status": "error", "error": error})
    with pytest.raises(UpstreamRejected) as caught:
        await scaigrid.me(token)
    assert caught.value.message == told


async def test_fastapis_error_shapes_are_read_too(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.get(ME).mock(
        side_effect=[
            httpx.Response(403, json={"detail": "permission_denied: need scaicore:view"}),
            httpx.Response(403, json={"detail": {"error": "denied", "message": "no"}}),
            httpx.Response(
                422,
                json={
                    "detail": [
                        {"loc": ["body", "paths", 0], "msg": "bad", "type": "t"},
                        {"loc": 5, "msg": "sgk_0123456789 is odd"},
                        {"loc": ["query"]},
                        None,
                    ]
                },
            ),
            httpx.Response(422, json={"detail": [{"loc": ["body"]}]}),
        ]
    )
    found = []
    for _ in range(4):
        with pytest.raises(UpstreamRejected) as caught:
            await scaigrid.me(token)
        found.append((caught.value.code, caught.value.message))
    assert found == [
        (None, "permission_denied: need scaicore:view"),
        ("denied", "no"),
        (None, "body.paths.0: bad; [scrubbed] is odd"),
        (None, None),
    ]


async def test_a_rate_limit_keeps_body_and_headers(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    body = envelope("RATE_LIMITED", "slow down")
    headers = {
        "Retry-After": "15",
        "X-Scaigrid-Ratelimit-Limit": "60",
        "X-Scaigrid-Ratelimit-Remaining": "0",
        "X-Scaigrid-Ratelimit-Reset": "1713888715",
        "Set-Cookie": "a=b",
    }
    route = respx_mock.get(ME).respond(429, json=body, headers=headers)
    with pytest.raises(UpstreamBusy) as caught:
        await scaigrid.me(token)
    assert caught.value.body == body
    assert caught.value.headers == {name: value for name, value in headers.items() if name != "Set-Cookie"}
    assert route.call_count == 1


async def test_a_rate_limit_is_handed_on_without_keys_that_it_quotes(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    body = {
        "error": {"code": "RATE_LIMITED", "message": "key sgk_of-somebody-else is busy"},
        "tokens_left": 0,
    }
    respx_mock.get(ME).respond(429, json=body)
    with pytest.raises(UpstreamBusy) as caught:
        await scaigrid.me(token)
    assert caught.value.body == {
        "error": {"code": "RATE_LIMITED", "message": "key [scrubbed] is busy"},
        "tokens_left": 0,
    }


async def test_a_rate_limit_without_json_has_an_empty_body(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.get(ME).respond(429, text="slow down")
    with pytest.raises(UpstreamBusy) as caught:
        await scaigrid.me(token)
    assert (caught.value.body, caught.value.headers) == ({}, {})


async def test_a_refusal_of_megabytes_is_not_read(http: httpx.AsyncBaseTransport, token: SecretStr) -> None:
    body = {**envelope("RATE_LIMITED", "slow down"), "more": [1] * 200_000}
    grid = ScaiGrid(http, ScaiGridSettings(_env_file=None, base_url="https://grid.test"))
    with respx.mock() as router:
        router.get(ME).respond(429, json=body, headers={"Retry-After": "15"})
        with pytest.raises(UpstreamBusy) as caught:
            await grid.me(token)
    assert (caught.value.body, caught.value.headers) == ({}, {"Retry-After": "15"})


@pytest.mark.parametrize("passing", [502, 503, 504])
async def test_a_passing_fault_of_a_read_is_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, passing: int
) -> None:
    route = respx_mock.get(ME)
    route.side_effect = [httpx.Response(passing), httpx.Response(200, json=PROFILE)]
    assert (await scaigrid.me(token)).id == "usr_alice"
    assert route.call_count == 2


async def test_repetition_ends(respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr) -> None:
    route = respx_mock.get(ME).respond(503, json=envelope("MODEL_UNAVAILABLE", "all backends unhealthy"))
    with pytest.raises(UpstreamUnavailable) as caught:
        await scaigrid.me(token)
    assert (caught.value.status, caught.value.code) == (503, "MODEL_UNAVAILABLE")
    assert route.call_count == 3


async def test_an_error_that_is_its_own_context_ends(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    fault, cause = httpx.ConnectError("no"), RuntimeError("why")
    fault.__cause__, cause.__cause__ = cause, fault
    respx_mock.get(ME).side_effect = fault
    with pytest.raises(UpstreamUnreachable) as caught:
        await scaigrid.me(token)
    assert caught.value.cause == "ConnectError"


async def test_a_500_is_not_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    route = respx_mock.get(ME).respond(500, text="<h1>oops</h1>")
    with pytest.raises(UpstreamUnavailable) as caught:
        await scaigrid.me(token)
    assert (caught.value.status, caught.value.code, caught.value.message) == (500, None, None)
    assert route.call_count == 1


@pytest.mark.parametrize("fault", [httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
async def test_a_create_is_not_repeated_once_it_may_have_been_sent(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, fault: type[httpx.TransportError]
) -> None:
    route = respx_mock.post(CORES).mock(side_effect=fault("cut"))
    with pytest.raises(UpstreamUnavailable) as caught:
        await scaigrid.create_core(token, b"core: {}")
    assert caught.value.status is None
    assert route.call_count == 1


async def test_a_create_that_times_out_is_not_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    route = respx_mock.post(CORES).mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(UpstreamTimedOut):
        await scaigrid.create_core(token, b"core: {}")
    assert route.call_count == 1


async def test_a_create_answered_503_is_not_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    route = respx_mock.post(CORES).respond(503)
    with pytest.raises(UpstreamUnavailable):
        await scaigrid.create_core(token, b"core: {}")
    assert route.call_count == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_create_that_never_left_is_repeated(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr, fault: type[httpx.TransportError]
) -> None:
    route = respx_mock.post(CORES)
    route.side_effect = [fault("refused"), httpx.Response(201, json={"data": {"id": "core_1"}})]
    assert (await scaigrid.create_core(token, b"core: {}")).id == "core_1"
    assert route.call_count == 2


async def test_the_deadline_holds_for_all_attempts_together(
    respx_mock: respx.MockRouter, http: httpx.AsyncBaseTransport, token: SecretStr
) -> None:
    async def dawdle(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.06)
        return httpx.Response(503)

    route = respx_mock.get(ME).mock(side_effect=dawdle)
    policy = Policy(deadline_s=0.15, attempts=100, base_delay_s=0.001, max_delay_s=0.001)
    grid = ScaiGrid(http, ScaiGridSettings(_env_file=None, base_url="https://grid.test"), policy=policy)
    with pytest.raises(UpstreamTimedOut) as caught:
        await grid.me(token)
    assert caught.value.after_s == 0.15
    assert 1 < route.call_count < 10


async def test_an_upstream_that_quotes_the_token_does_not_spread_it(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid
) -> None:
    secret = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    respx_mock.get(ME).respond(401, json=envelope("AUTH_TOKEN_INVALID", f"bad token {secret}"))
    with pytest.raises(UpstreamRejected) as caught, capture_logs() as logged:
        await scaigrid.me(SecretStr(secret))
    assert respx_mock.calls.last.request.headers["Authorization"] == f"Bearer {secret}"
    assert logged[0]["event"] == "upstream call failed"
    assert secret not in f"{caught.value!r} {caught.value} {caught.value.message} {logged}"
    assert caught.value.message is not None
    assert caught.value.message.startswith("bad token")


async def test_without_a_base_url_nothing_is_called(http: httpx.AsyncBaseTransport, token: SecretStr) -> None:
    grid = ScaiGrid(http, ScaiGridSettings(_env_file=None, base_url=None))
    with pytest.raises(ScaiGridNotConfigured):
        await grid.me(token)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_what_cannot_be_a_segment_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        segment(value)


async def test_an_id_stays_inside_its_segment(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.route().respond(200, json={"data": {"id": "core_1"}})
    await scaigrid.get_core(token, "../../auth/me?x=1#y")
    assert respx_mock.calls.last.request.url.raw_path == (
        b"/v1/modules/scaicore/cores/..%2F..%2Fauth%2Fme%3Fx%3D1%23y"
    )


async def test_a_refused_connection_is_unavailable(unused_tcp_port: int, token: SecretStr) -> None:
    policy = Policy(deadline_s=1, attempts=2, base_delay_s=0.001, max_delay_s=0.002)
    async with open_transport(ScaiGridSettings(_env_file=None)) as http:
        settings = ScaiGridSettings(_env_file=None, base_url=f"http://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(UpstreamUnavailable) as caught:
            await ScaiGrid(http, settings, policy=policy).me(token)
    assert caught.value.status is None


async def test_a_cookie_of_one_callers_answer_goes_with_nobodys_request(
    respx_mock: respx.MockRouter, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    respx_mock.route().respond(
        200, json={"data": {"id": "usr_alice"}}, headers={"Set-Cookie": "session=of-alice; Path=/"}
    )
    await scaigrid.on_behalf_of("tnt_acme").me(token)
    await scaigrid.on_behalf_of("tnt_globex").me(SecretStr("tok-dave"))

    assert "Cookie" not in respx_mock.calls.last.request.headers
