"""Reading and setting a tenant's key at ScaiGrid."""

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit import Entry
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.domains.audit.effects import recording
from scaiflow_api.domains.tenants.errors import BaseUrlNotAllowed, ScaiGridKeyRefused, SecretsNotConfigured
from scaiflow_api.domains.tenants.schemas import GridCredentials, GridCredentialsSet
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of
from scaiflow_api.upstreams.failures import AddressRefused, UpstreamRejected
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKey, TenantKeys

_SHOWN = 4


class TenantCredentials:
    """The key of the caller's own tenant."""

    def __init__(
        self,
        *,
        audit: AuditTrail,
        keys: TenantKeys,
        scaigrid: ScaiGrid,
        grids: TenantGrids,
        settings: ScaiGridSettings,
    ) -> None:
        self._audit = audit
        self._keys = keys
        self._scaigrid = scaigrid
        self._grids = grids
        self._settings = settings

    async def show(self, caller: Caller) -> GridCredentials:
        """Say whether the tenant has a key, and where it goes. Raises what keeps the key from being had."""
        key = await self._keys.of(caller.tenant_id)
        if key is None:
            return GridCredentials(configured=False, base_url=None, masked_key=None)
        return GridCredentials(
            configured=True,
            base_url=key.base_url or self._settings.base_url,
            masked_key=_masked(key.api_key.get_secret_value()),
        )

    async def set(self, caller: Caller, order: GridCredentialsSet, *, verify: bool) -> None:
        """Keep a key, having asked its ScaiGrid whether it is one.

        Raises SecretsNotConfigured, BaseUrlNotAllowed, ScaiGridKeyRefused, UpstreamError, SecretUnreadable.
        """
        if not self._keys.can_keep:
            raise SecretsNotConfigured
        key = TenantKey(order.api_key, await self._address(caller, order))
        try:
            grid = (
                await self._grids.admitted(key.base_url, party=caller.tenant_id)
                if key.base_url
                else self._scaigrid.on_behalf_of(caller.tenant_id)
            )
            if verify:
                await _verify(grid, key)
        except AddressRefused as refusal:
            raise BaseUrlNotAllowed(reason=refusal.reason) from None
        entry = Entry(
            tenant_id=caller.tenant_id,
            action="tenant.credentials_set",
            target_type="tenant",
            target_id=caller.tenant_id,
            details={"verified": "yes" if verify else "no", "grid": "own" if key.base_url else "operator"},
        )
        async with recording(self._audit, caller, entry) as details:
            details["version"] = await self._keys.set(caller.tenant_id, key)

    async def _address(self, caller: Caller, order: GridCredentialsSet) -> str | None:
        """Return where the key is to go; None: to the operator's ScaiGrid, be it named or not."""
        if order.keeps_address:
            known = await self._keys.newest(caller.tenant_id)
            return known.base_url if known else None
        if order.base_url is None or self._is_the_operators(order.base_url):
            return None
        try:
            return base_url_of(order.base_url, allow_http=self._settings.allow_http)
        except UnusableAddress as reason:
            raise BaseUrlNotAllowed(reason=str(reason)) from None

    def _is_the_operators(self, base_url: str) -> bool:
        return base_url.rstrip("/") == (self._settings.base_url or "").rstrip("/")


async def _verify(grid: ScaiGrid, key: TenantKey) -> None:
    try:
        await grid.me(key.api_key)
    except UpstreamRejected as refusal:
        if refusal.no_access:
            raise ScaiGridKeyRefused from None
        raise


def _masked(key: str) -> str:
    """Return the ends of a key; of a short one, which somebody else kept, nothing."""
    return f"{key[:_SHOWN]}…{key[-_SHOWN:]}" if len(key) > 4 * _SHOWN else "…"
