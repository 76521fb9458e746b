"""Who pays, and where: which credential goes to which ScaiGrid.

A user's token goes only to the operator's own ScaiGrid, the one that `SCAIGRID_BASE_URL` names; one that a tenant
names gets that tenant's key and nothing else. A credential that was refused is never replaced by the next one: the
caller would act with rights that are not his.
"""

from dataclasses import dataclass

from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.settings import DeployAuth, Settings
from scaiflow_api.upstreams.scaibunker import ScaiBunker
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaigrid_checkpoints import ScaiGridCheckpoints
from scaiflow_api.upstreams.scaiqueue import ScaiQueue
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKeys


@dataclass(frozen=True, slots=True)
class Access:
    """A ScaiGrid and the credential that goes there, also to its modules."""

    grid: ScaiGrid
    credential: SecretStr

    @property
    def checkpoints(self) -> ScaiGridCheckpoints:
        """The checkpoints of that ScaiGrid's Cores."""
        return ScaiGridCheckpoints.beside(self.grid)

    @property
    def queues(self) -> ScaiQueue:
        """The ScaiQueue of that ScaiGrid."""
        return ScaiQueue.beside(self.grid)

    @property
    def bunkers(self) -> ScaiBunker:
        """The ScaiBunker of that ScaiGrid."""
        return ScaiBunker.beside(self.grid)


class Credentials:
    """Chooses by this process's settings: the caller's token, else the tenant's key, else the environment's.

    `SCAIFLOW_DEPLOY_AUTH` pins one kind: `user_jwt` admits no key, `api_key` no token. The environment's key
    serves development only.
    """

    def __init__(self, settings: Settings, scaigrid: ScaiGrid, keys: TenantKeys, grids: TenantGrids) -> None:
        self._mode = settings.scaigrid.deploy_auth
        self._environment_key = None if settings.is_production else settings.scaigrid.api_key
        self._scaigrid = scaigrid
        self._keys = keys
        self._grids = grids

    async def of(self, caller: Caller) -> Access | None:
        """Return what pays for a call that `caller` makes; None: nothing does.

        Raises UpstreamError, or SecretUnreadable, where the tenant's key is asked for and cannot be had.
        """
        operators = self._scaigrid.on_behalf_of(caller.tenant_id)
        if self._mode is not DeployAuth.API_KEY and caller.token.get_secret_value():
            return Access(operators, caller.token)
        if self._mode is DeployAuth.USER_JWT:
            return None
        key = await self._keys.of(caller.tenant_id)
        if key is not None:
            own = self._grids.at(key.base_url).on_behalf_of(caller.tenant_id) if key.base_url else None
            return Access(own or operators, key.api_key)
        return self._environments(operators)

    def of_nobody(self) -> Access | None:
        """Return what pays for a call that is made for no person and no tenant: the environment's key, if any."""
        return None if self._mode is DeployAuth.USER_JWT else self._environments(self._scaigrid)

    def _environments(self, grid: ScaiGrid) -> Access | None:
        if self._environment_key is None or not self._environment_key.get_secret_value():
            return None
        return Access(grid, self._environment_key)
