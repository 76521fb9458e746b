"""Who pays for a call to ScaiGrid, and at which ScaiGrid."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.kit.secrets import Secret
from scaiflow_api.settings import Api, DeployAuth, Environment, ScaiGrid, Settings
from scaiflow_api.upstreams.credentials import Access, Credentials
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import AddressRefused
from scaiflow_api.upstreams.scaigrid import ScaiGrid as Client
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKey, TenantKeys

GRID, OWN = "https://grid.test", "https://grid.acme.test/base"
JWT, KEY, ENV = "jwt", "sgk_tenant", "sgk_environment"


class PlayedSecrets:
    """A `TenantSecrets` in memory that counts what it is asked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, str | None]] = {}
        self.reads = 0

    async def read(self, tenant_id: str, name: str) -> Secret | None:
        self.reads += 1
        data = self.kept.get((tenant_id, name))
        return Secret(dict(data), 1) if data is not None else None

    async def write(self, tenant_id: str, name: str, data: Any) -> int:
        self.kept[tenant_id, name] = dict(data)
        return 1


@pytest.fixture
def secrets() -> PlayedSecrets:
    return PlayedSecrets()


@pytest.fixture
def keys(secrets: PlayedSecrets) -> TenantKeys:
    return TenantKeys(secrets)


@pytest.fixture
def paying(http: httpx.AsyncBaseTransport, scaigrid: Client, keys: TenantKeys) -> Callable[..., Credentials]:
    def make(environment: Environment = Environment.DEVELOPMENT, **changed: Any) -> Credentials:
        settings = ScaiGrid(_env_file=None, base_url=GRID, **changed)
        grids = TenantGrids(http, settings, public_only=False)
        whole = Settings(api=Api(_env_file=None, env=environment), scaigrid=settings)
        return Credentials(whole, scaigrid, keys, grids)

    return make


def a_caller(token: str = "", tenant_id: str = "tnt_a") -> Caller:
    return Caller(subject="usr_a", tenant_id=tenant_id, token=SecretStr(token))


def credential(access: Access | None) -> str | None:
    return access.credential.get_secret_value() if access else None


@pytest.mark.parametrize(
    ("mode", "token", "tenant", "environment", "chosen"),
    [
        (None, JWT, KEY, ENV, JWT),
        (None, JWT, None, None, JWT),
        (None, "", KEY, ENV, KEY),
        (None, "", None, ENV, ENV),
        (None, "", None, "", None),
        (None, "", None, None, None),
        (DeployAuth.USER_JWT, JWT, KEY, ENV, JWT),
        (DeployAuth.USER_JWT, "", KEY, ENV, None),
        (DeployAuth.API_KEY, JWT, KEY, ENV, KEY),
        (DeployAuth.API_KEY, JWT, None, ENV, ENV),
        (DeployAuth.API_KEY, JWT, None, None, None),
    ],
)
async def test_the_order_of_credentials(
    paying: Callable[..., Credentials],
    keys: TenantKeys,
    mode: DeployAuth | None,
    token: str,
    tenant: str | None,
    environment: str | None,
    chosen: str | None,
) -> None:
    if tenant is not None:
        await keys.set("tnt_a", TenantKey(SecretStr(tenant), None))
    credentials = paying(
        deploy_auth=mode, api_key=SecretStr(environment) if environment is not None else None
    )

    assert credential(await credentials.of(a_caller(token))) == chosen


async def test_the_environments_key_serves_development_only(paying: Callable[..., Credentials]) -> None:
    api_key = SecretStr(ENV)
    assert credential(await paying(Environment.DEVELOPMENT, api_key=api_key).of(a_caller())) == ENV
    assert await paying(Environment.PRODUCTION, api_key=api_key).of(a_caller()) is None


async def test_a_token_never_goes_to_the_tenants_own_scaigrid_and_its_key_goes_nowhere_else(
    paying: Callable[..., Credentials], keys: TenantKeys, respx_mock: respx.MockRouter
) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers["authorization"]))
        return httpx.Response(200, json={"data": {}})

    respx_mock.route().mock(side_effect=answer)
    await keys.set("tnt_a", TenantKey(SecretStr(KEY), OWN))
    for mode in (None, DeployAuth.USER_JWT, DeployAuth.API_KEY):
        for token in (JWT, ""):
            access = await paying(deploy_auth=mode, api_key=SecretStr(ENV)).of(a_caller(token))
            if access is not None:
                await access.grid.me(access.credential)

    assert set(seen) == {
        (f"{GRID}/v1/auth/me", f"Bearer {JWT}"),
        (f"{OWN}/v1/auth/me", f"Bearer {KEY}"),
    }


async def test_another_tenants_key_is_not_used(paying: Callable[..., Credentials], keys: TenantKeys) -> None:
    await keys.set("tnt_b", TenantKey(SecretStr(KEY), None))

    assert await paying().of(a_caller()) is None


async def test_whoever_has_a_token_costs_no_look_at_the_secrets(
    paying: Callable[..., Credentials], secrets: PlayedSecrets
) -> None:
    await paying().of(a_caller(JWT))

    assert secrets.reads == 0


async def test_a_key_is_remembered_for_a_moment_and_forgotten_when_it_is_rotated(
    paying: Callable[..., Credentials], keys: TenantKeys, secrets: PlayedSecrets
) -> None:
    await keys.set("tnt_a", TenantKey(SecretStr(KEY), None))
    credentials = paying()
    assert [credential(await credentials.of(a_caller())) for _ in range(3)] == [KEY] * 3
    assert secrets.reads == 1

    await keys.set("tnt_a", TenantKey(SecretStr("sgk_next"), None))
    assert credential(await credentials.of(a_caller())) == "sgk_next"


async def test_a_key_that_was_being_read_while_it_was_rotated_is_not_remembered(
    keys: TenantKeys, secrets: PlayedSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.set("tnt_a", TenantKey(SecretStr(KEY), None))
    honest = secrets.read

    async def slow(tenant_id: str, name: str) -> Secret | None:
        found = await honest(tenant_id, name)
        monkeypatch.setattr(secrets, "read", honest)
        await keys.set("tnt_a", TenantKey(SecretStr("sgk_next"), None))
        return found

    monkeypatch.setattr(secrets, "read", slow)
    await keys.of("tnt_a")

    found = await keys.of("tnt_a")
    assert found is not None
    assert found.api_key.get_secret_value() == "sgk_next"


async def test_what_somebody_else_wrote_into_the_vault_is_understood(
    keys: TenantKeys, secrets: PlayedSecrets
) -> None:
    secrets.kept["tnt_a", "scaigrid_api_key"] = {"value": KEY}
    secrets.kept["tnt_a", "scaigrid_base_url"] = {"value": OWN}
    secrets.kept["tnt_b", "scaigrid_api_key"] = {"value": KEY}
    secrets.kept["tnt_c", "scaigrid_api_key"] = {"something": "else"}

    assert await keys.of("tnt_a") == TenantKey(SecretStr(KEY), OWN)
    assert await keys.of("tnt_b") == TenantKey(SecretStr(KEY), None)
    assert await keys.of("tnt_c") is None


async def test_a_key_counts_with_the_address_it_was_set_with(
    keys: TenantKeys, secrets: PlayedSecrets
) -> None:
    await keys.set("tnt_a", TenantKey(SecretStr(KEY), OWN))
    assert secrets.kept["tnt_a", "scaigrid_base_url"] == {"value": OWN}

    secrets.kept["tnt_a", "scaigrid_base_url"] = {"value": "https://elsewhere.test"}
    assert await keys.of("tnt_a") == TenantKey(SecretStr(KEY), OWN)


async def test_an_address_that_must_not_be_called_is_not(
    paying: Callable[..., Credentials], secrets: PlayedSecrets
) -> None:
    secrets.kept["tnt_a", "scaigrid_api_key"] = {"value": KEY}
    secrets.kept["tnt_a", "scaigrid_base_url"] = {"value": "http://grid.acme.test"}

    with pytest.raises(AddressRefused) as caught:
        await paying().of(a_caller())
    told = as_app_error(caught.value)
    assert (told.error, str(told)) == ("scaigrid_api", "The address of ScaiGrid must begin with https://.")
