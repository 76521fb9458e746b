"""When an upstream is left alone, for whom, and when it is used again."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
import respx
from pydantic import SecretStr
from structlog.testing import capture_logs

from scaiflow_api.auth.caller import Caller
from scaiflow_api.kit.secrets import Secret
from scaiflow_api.settings import DeployAuth, Settings
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.breaker import Breakers, Passage, Road, State
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import (
    UpstreamBusy,
    UpstreamError,
    UpstreamLeftAlone,
    UpstreamRejected,
    UpstreamUnavailable,
)
from scaiflow_api.upstreams.scaibunker import ScaiBunker
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaikey import DISCOVERY_PATH, ScaiKey
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKeys

GRID = "https://grid.test"
ME = f"{GRID}/v1/auth/me"
PROFILE = {"data": {"id": "usr_alice", "permissions": []}}
ROAD = Road("scaigrid", GRID, "tnt_a")
LIMIT, COOLDOWN_S = 3, 10.0


class Moment:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def breakers(moment: Moment) -> Breakers:
    return Breakers(failures=LIMIT, cooldown_s=COOLDOWN_S, timer=moment)


def state(breakers: Breakers, road: Road = ROAD) -> State:
    return next((found.state for found in breakers.circuits() if found.road == road), State.CLOSED)


def fail(breakers: Breakers, times: int = LIMIT, road: Road = ROAD) -> None:
    for _ in range(times):
        breakers.failed(breakers.enter(road))


def refused(breakers: Breakers, road: Road = ROAD) -> float:
    with pytest.raises(UpstreamLeftAlone) as caught:
        breakers.enter(road)
    return caught.value.retry_after_s


class TestBreakers:
    """The states alone."""

    def test_failures_in_a_row_open_a_road(self, breakers: Breakers, moment: Moment) -> None:
        fail(breakers, LIMIT - 1)
        assert state(breakers) is State.CLOSED
        with capture_logs() as logged:
            fail(breakers, 1)
        assert state(breakers) is State.OPEN
        assert [entry["event"] for entry in logged] == ["upstream is left alone"]
        moment.now += 4
        assert refused(breakers) == COOLDOWN_S - 4
        assert breakers.left_alone() == {"scaigrid": 1}

    def test_a_success_begins_the_count_anew(self, breakers: Breakers) -> None:
        for _ in range(5):
            fail(breakers, LIMIT - 1)
            breakers.succeeded(breakers.enter(ROAD))
        assert breakers.circuits() == []

    def test_what_says_nothing_changes_nothing(self, breakers: Breakers) -> None:
        fail(breakers, LIMIT - 1)
        breakers.left(breakers.enter(ROAD))
        assert state(breakers) is State.CLOSED
        fail(breakers, 1)
        assert state(breakers) is State.OPEN

    def test_after_a_while_one_call_decides(self, breakers: Breakers, moment: Moment) -> None:
        fail(breakers)
        moment.now += COOLDOWN_S
        assert state(breakers) is State.HALF_OPEN
        probe = breakers.enter(ROAD)
        assert [round(refused(breakers)) for _ in range(3)] == [10, 10, 10]
        breakers.succeeded(probe)
        assert breakers.circuits() == []
        breakers.enter(ROAD)

    def test_when_it_fails_the_road_stays_shut_for_as_long_again(
        self, breakers: Breakers, moment: Moment
    ) -> None:
        fail(breakers)
        for _ in range(3):
            moment.now += COOLDOWN_S
            probe = breakers.enter(ROAD)
            moment.now += 2
            breakers.failed(probe)
            assert state(breakers) is State.OPEN
            assert refused(breakers) == COOLDOWN_S

    def test_when_it_says_nothing_the_next_one_decides(self, breakers: Breakers, moment: Moment) -> None:
        fail(breakers)
        moment.now += COOLDOWN_S
        breakers.left(breakers.enter(ROAD))
        breakers.succeeded(breakers.enter(ROAD))
        assert state(breakers) is State.CLOSED

    def test_when_it_does_not_come_back_the_next_one_decides(
        self, breakers: Breakers, moment: Moment
    ) -> None:
        fail(breakers)
        moment.now += COOLDOWN_S
        lost = breakers.enter(ROAD)
        moment.now += COOLDOWN_S
        probe = breakers.enter(ROAD)
        breakers.succeeded(lost)
        breakers.failed(lost)
        assert state(breakers) is State.HALF_OPEN
        breakers.succeeded(probe)
        assert state(breakers) is State.CLOSED

    @pytest.mark.parametrize("end", [Breakers.succeeded, Breakers.failed, Breakers.left])
    def test_calls_from_before_decide_nothing(
        self, breakers: Breakers, end: Callable[[Breakers, Passage], None]
    ) -> None:
        early = breakers.enter(ROAD)
        fail(breakers)
        end(breakers, early)
        assert (state(breakers), refused(breakers)) == (State.OPEN, COOLDOWN_S)

    def test_roads_know_nothing_of_one_another(self, breakers: Breakers) -> None:
        fail(breakers)
        for other in (
            Road("scaigrid", GRID, "tnt_b"),
            Road("scaigrid", "https://own.test", "tnt_a"),
            Road("scaibunker", GRID, "tnt_a"),
            Road("scaigrid", GRID, None),
        ):
            breakers.enter(other)
        refused(breakers)

    def test_zero_never_opens(self) -> None:
        breakers = Breakers(failures=0)
        fail(breakers, 100)
        assert breakers.circuits() == []

    def test_the_number_of_roads_is_bounded(self, breakers: Breakers) -> None:
        for number in range(10_500):
            fail(breakers, 1, Road("scaigrid", GRID, f"tnt_{number}"))
        assert len(breakers.circuits()) == 10_000


@pytest.fixture
def grid(http: httpx.AsyncBaseTransport, breakers: Breakers) -> ScaiGrid:
    policy = Policy(deadline_s=0.05, attempts=1)
    settings = ScaiGridSettings(_env_file=None, base_url=GRID)
    return ScaiGrid(http, settings, policy=policy, breakers=breakers, party="tnt_a")


async def dawdle(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(1)
    return httpx.Response(200)


def answered(status: int) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": "X", "message": "x"}})


class TestClients:
    """What the end of a call says of the upstream."""

    @pytest.mark.parametrize(
        "fault",
        [
            *(answered(status) for status in (500, 502, 503, 504, 599)),
            httpx.ConnectError("refused"),
            httpx.ConnectTimeout("silent"),
            httpx.ReadError("cut"),
            httpx.ReadTimeout("slow"),
            httpx.RemoteProtocolError("no http"),
            dawdle,
        ],
        ids=lambda fault: getattr(fault, "__name__", None) or str(fault),
    )
    async def test_it_is_left_alone_after_repeated_failure(
        self, respx_mock: respx.MockRouter, grid: ScaiGrid, token: SecretStr, fault: httpx.Response
    ) -> None:
        route = respx_mock.get(ME)
        route.side_effect = fault if callable(fault) else [fault] * (LIMIT + 1)
        for _ in range(LIMIT):
            with pytest.raises(UpstreamError) as caught:
                await grid.me(token)
            assert not isinstance(caught.value, UpstreamLeftAlone)
        for _ in range(3):
            with pytest.raises(UpstreamLeftAlone):
                await grid.me(token)
        if not callable(fault):  # a call that is cut off is not counted
            assert route.call_count == LIMIT

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
    async def test_a_refusal_never_counts(
        self,
        respx_mock: respx.MockRouter,
        grid: ScaiGrid,
        breakers: Breakers,
        token: SecretStr,
        status: int,
    ) -> None:
        route = respx_mock.get(ME)
        route.side_effect = [answered(500), *[answered(status)] * 20, *[answered(500)] * (LIMIT - 1)]
        for _ in range(20 + LIMIT):
            with pytest.raises((UpstreamRejected, UpstreamBusy, UpstreamUnavailable)):
                await grid.me(token)
        assert state(breakers) is State.CLOSED

    async def test_our_own_congestion_and_a_caller_who_leaves_do_not_count(
        self, respx_mock: respx.MockRouter, grid: ScaiGrid, breakers: Breakers, token: SecretStr
    ) -> None:
        route = respx_mock.get(ME)
        route.side_effect = httpx.PoolTimeout("full")
        for _ in range(LIMIT):
            with pytest.raises(UpstreamUnavailable) as caught:
                await grid.me(token)
        assert str(as_app_error(caught.value)) == "All connections to ScaiGrid are in use."
        route.side_effect = dawdle
        for _ in range(LIMIT):
            task = asyncio.ensure_future(grid.me(token))
            await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert breakers.circuits() == []

    async def test_a_flow_that_fails_or_takes_too_long_says_nothing_of_scaigrid(
        self, respx_mock: respx.MockRouter, grid: ScaiGrid, breakers: Breakers, token: SecretStr
    ) -> None:
        route = respx_mock.post(f"{GRID}/v1/modules/scaicore/cores/core_1/invoke")
        for fault in (dawdle, [answered(503)] * LIMIT, [httpx.ReadError("cut")] * LIMIT):
            route.side_effect = fault
            for _ in range(LIMIT):
                with pytest.raises(UpstreamError):
                    await grid.invoke(token, "core_1", {}, timeout_s=0.01)
        assert breakers.circuits() == []
        route.side_effect = httpx.ConnectError("refused")
        for _ in range(LIMIT):
            with pytest.raises(UpstreamError):
                await grid.invoke(token, "core_1", {}, timeout_s=0.05)
        assert state(breakers) is State.OPEN

    async def test_a_strange_code_keeps_nobody_from_signing_in(
        self, respx_mock: respx.MockRouter, http: httpx.AsyncBaseTransport, breakers: Breakers
    ) -> None:
        settings = ScaiKeySettings(
            _env_file=None, base_url="https://key.test", client_id="x", client_secret=SecretStr("y")
        )
        scaikey = ScaiKey(http, settings, policy=Policy(attempts=1), breakers=breakers)
        addresses = {"jwks_uri": "https://key.test/jwks", "token_endpoint": "https://key.test/token"}
        respx_mock.get("https://key.test" + DISCOVERY_PATH).respond(json=addresses)
        token = respx_mock.post("https://key.test/token").respond(500)
        for _ in range(LIMIT):
            with pytest.raises(UpstreamUnavailable):
                await scaikey.exchange("strange", "verifier", "https://here.test")
        token.respond(200, json={"access_token": "tok"})
        assert (await scaikey.exchange("good", "verifier", "https://here.test")).access_token == "tok"

        token.respond(500)
        for _ in range(LIMIT):
            with pytest.raises(UpstreamUnavailable):
                await scaikey.service_token()
        with pytest.raises(UpstreamLeftAlone):
            await scaikey.service_token()

    async def test_it_is_used_again_once_it_answers(
        self,
        respx_mock: respx.MockRouter,
        grid: ScaiGrid,
        breakers: Breakers,
        moment: Moment,
        token: SecretStr,
    ) -> None:
        fail(breakers)
        moment.now += COOLDOWN_S

        async def slow(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.01)
            return httpx.Response(200, json=PROFILE)

        route = respx_mock.get(ME).mock(side_effect=slow)
        found = await asyncio.gather(*(grid.me(token) for _ in range(9)), return_exceptions=True)
        assert sum(isinstance(answer, UpstreamLeftAlone) for answer in found) == 8
        assert route.call_count == 1
        assert (await grid.me(token)).id == "usr_alice"

    async def test_a_probe_whose_caller_leaves_is_followed_by_another(
        self,
        respx_mock: respx.MockRouter,
        grid: ScaiGrid,
        breakers: Breakers,
        moment: Moment,
        token: SecretStr,
    ) -> None:
        fail(breakers)
        moment.now += COOLDOWN_S
        route = respx_mock.get(ME).mock(side_effect=dawdle)
        task = asyncio.ensure_future(grid.me(token))
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        route.side_effect = [httpx.Response(200, json=PROFILE)]
        assert (await grid.me(token)).id == "usr_alice"
        assert state(breakers) is State.CLOSED

    async def test_one_module_that_is_away_takes_nothing_from_the_others(
        self, respx_mock: respx.MockRouter, grid: ScaiGrid, token: SecretStr
    ) -> None:
        bunkers = ScaiBunker.beside(grid)
        respx_mock.get(f"{GRID}/v1/modules/scaibunker/bunkers").respond(503)
        respx_mock.get(ME).respond(json=PROFILE)
        for _ in range(LIMIT + 1):
            with pytest.raises(UpstreamUnavailable):
                await bunkers.bunkers(token)
        assert (await grid.me(token)).id == "usr_alice"

    def test_the_caller_is_told_when_to_come_again(self) -> None:
        error = as_app_error(UpstreamLeftAlone("scaigrid", retry_after_s=7.2))
        assert (error.status, error.headers) == (502, {"Retry-After": "8"})
        assert error.detail() == {
            "error": "scaigrid_api",
            "message": "ScaiGrid failed several times in a row; it is asked again in 8 s.",
            "status": None,
            "code": None,
            "retry_after": 8,
            "fix": "Try again after 'retry_after' seconds.",
        }


class Kept:
    """Every tenant has a key; tnt_own has a ScaiGrid as well."""

    async def read(self, tenant_id: str, name: str) -> Secret | None:
        address = "https://own.test" if tenant_id == "tnt_own" else None
        return Secret({"value": f"sgk_{tenant_id}", "base_url": address}, 1)

    async def write(self, tenant_id: str, name: str, data: object) -> int | None:
        raise AssertionError


@pytest.mark.parametrize("troubled", ["tnt_own", "tnt_key"])
async def test_one_tenants_trouble_closes_nobody_elses_road(
    respx_mock: respx.MockRouter,
    http: httpx.AsyncBaseTransport,
    grid: ScaiGrid,
    breakers: Breakers,
    troubled: str,
) -> None:
    """Be it an own ScaiGrid that is away, or an own key that makes the operator's ScaiGrid fail."""

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            answered(503)
            if troubled in request.headers["Authorization"]
            else httpx.Response(200, json=PROFILE)
        )

    respx_mock.route().mock(side_effect=answer)
    settings = ScaiGridSettings(_env_file=None, base_url=GRID, deploy_auth=DeployAuth.API_KEY)
    credentials = Credentials(
        Settings(scaigrid=settings),
        grid,
        TenantKeys(Kept()),  # type: ignore[arg-type]
        TenantGrids(http, settings, public_only=False, breakers=breakers),
    )

    async def asked(tenant_id: str) -> str:
        access = await credentials.of(Caller("usr_a", tenant_id, token=SecretStr("")))
        assert access is not None
        try:
            return str((await access.grid.me(access.credential)).id)
        except UpstreamError as failure:
            return type(failure).__name__

    assert [await asked(troubled) for _ in range(LIMIT + 1)] == [
        *["UpstreamUnavailable"] * LIMIT,
        "UpstreamLeftAlone",
    ]
    for other in {"tnt_own", "tnt_key", "tnt_other"} - {troubled}:
        assert await asked(other) == "usr_alice"
    (found,) = breakers.circuits()
    assert (found.road.party, found.state) == (troubled, State.OPEN)
