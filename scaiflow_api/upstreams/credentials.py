"""Who pays: which credential goes to ScaiGrid.

A user's token goes only to the operator's own ScaiGrid, the one that `SCAIGRID_BASE_URL` names; that is the only
ScaiGrid there is a client for. A credential that was refused is never replaced by the next one: the caller would
act with rights that are not his.
"""

from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.settings import DeployAuth, Settings


def choose_credential(
    mode: DeployAuth | None,
    caller_token: SecretStr | None,
    tenant_key: SecretStr | None,
    environment_key: SecretStr | None,
) -> SecretStr | None:
    """Return the caller's token, else the tenant's key, else the environment's; None when there is none.

    `mode` pins one kind: `user_jwt` admits no key, `api_key` no token.
    """
    order = {
        DeployAuth.USER_JWT: (caller_token,),
        DeployAuth.API_KEY: (tenant_key, environment_key),
        None: (caller_token, tenant_key, environment_key),
    }[mode]
    return next((secret for secret in order if secret is not None and secret.get_secret_value()), None)


class Credentials:
    """Chooses by this process's settings. The environment's key serves development only."""

    def __init__(self, settings: Settings) -> None:
        self._mode = settings.scaigrid.deploy_auth
        self._environment_key = None if settings.is_production else settings.scaigrid.api_key

    def of(self, caller: Caller, tenant_key: SecretStr | None = None) -> SecretStr | None:
        """Return what pays for a call that `caller` makes."""
        return choose_credential(self._mode, caller.token, tenant_key, self._environment_key)
