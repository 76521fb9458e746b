"""Who pays for a call to ScaiGrid."""

import itertools

import pytest
from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.settings import Api, DeployAuth, Environment, ScaiGrid, Settings
from scaiflow_api.upstreams.credentials import Credentials, choose_credential

JWT, KEY, ENV = SecretStr("jwt"), SecretStr("sgk_tenant"), SecretStr("sgk_environment")


@pytest.mark.parametrize(
    ("mode", "caller", "tenant", "environment", "chosen"),
    [
        (None, JWT, KEY, ENV, JWT),
        (None, JWT, None, None, JWT),
        (None, None, KEY, ENV, KEY),
        (None, None, None, ENV, ENV),
        (None, None, None, None, None),
        (None, SecretStr(""), None, ENV, ENV),
        (None, SecretStr(""), SecretStr(""), SecretStr(""), None),
        (DeployAuth.USER_JWT, JWT, KEY, ENV, JWT),
        (DeployAuth.USER_JWT, None, KEY, ENV, None),
        (DeployAuth.USER_JWT, SecretStr(""), KEY, ENV, None),
        (DeployAuth.API_KEY, JWT, KEY, ENV, KEY),
        (DeployAuth.API_KEY, JWT, None, ENV, ENV),
        (DeployAuth.API_KEY, JWT, None, None, None),
    ],
)
def test_the_order_of_credentials(
    mode: DeployAuth | None,
    caller: SecretStr | None,
    tenant: SecretStr | None,
    environment: SecretStr | None,
    chosen: SecretStr | None,
) -> None:
    assert choose_credential(mode, caller, tenant, environment) == chosen


def test_a_pinned_kind_never_falls_back_to_the_other() -> None:
    for caller, tenant, environment in itertools.product([JWT, None], [KEY, None], [ENV, None]):
        assert choose_credential(DeployAuth.USER_JWT, caller, tenant, environment) in (JWT, None)
        assert choose_credential(DeployAuth.API_KEY, caller, tenant, environment) in (KEY, ENV, None)


@pytest.mark.parametrize(
    ("environment", "expected"), [(Environment.PRODUCTION, None), (Environment.DEVELOPMENT, ENV)]
)
def test_the_environments_key_serves_development_only(
    environment: Environment, expected: SecretStr | None
) -> None:
    settings = Settings(
        api=Api(_env_file=None, env=environment), scaigrid=ScaiGrid(_env_file=None, api_key=ENV)
    )
    nobody = Caller(subject="usr_a", tenant_id="tnt_a", token=SecretStr(""))
    assert Credentials(settings).of(nobody) == expected


def test_a_tenants_key_serves_a_caller_without_a_token() -> None:
    settings = Settings(api=Api(_env_file=None), scaigrid=ScaiGrid(_env_file=None))
    nobody = Caller(subject="usr_a", tenant_id="tnt_a", token=SecretStr(""))
    somebody = Caller(subject="usr_a", tenant_id="tnt_a", token=JWT)
    assert Credentials(settings).of(nobody, KEY) == KEY
    assert Credentials(settings).of(somebody, KEY) == JWT
