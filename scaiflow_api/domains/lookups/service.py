"""Asking ScaiGrid on a caller's behalf."""

from scaiflow_api.auth.caller import Caller
from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.scaigrid_answers import GridModel


class Lookups:
    """Read-only views of the tenant's ScaiGrid."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def models(self, caller: Caller) -> list[GridModel]:
        """Return the models that the caller's tenant may use. Raises MissingCredentials, UpstreamError."""
        access = await self._credentials.of(caller)
        if access is None:
            raise MissingCredentials(tenant_id=caller.tenant_id)
        return await access.grid.models(access.credential)
