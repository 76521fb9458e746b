"""Tenants' own credentials at ScaiGrid: kept, remembered for a moment, and brought to the ScaiGrid they are for.

A key and its address are one secret: a key never goes to an address that it was not set with. The address is written
to its documented place as well, for others; from there it is read where somebody else wrote the key.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx
from cachetools import TTLCache
from pydantic import SecretStr

from scaiflow_api.kit.secrets import VALUE, TenantSecrets
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of, public_addresses
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.connections import CONNECT_TIMEOUT_S
from scaiflow_api.upstreams.failures import AddressRefused
from scaiflow_api.upstreams.scaigrid import ScaiGrid

API_KEY: Final = "scaigrid_api_key"
BASE_URL: Final = "scaigrid_base_url"
REMEMBERED_S: Final = 15.0
"""How long another process may go on with a key that was replaced here."""
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant's key, and where it goes: None means the operator's ScaiGrid."""

    api_key: SecretStr
    base_url: str | None


class TenantKeys:
    """Reads and sets keys. Every method raises what the keeper of secrets raises."""

    def __init__(self, secrets: TenantSecrets | None, *, remembered_s: float = REMEMBERED_S) -> None:
        self._secrets = secrets
        self._known: TTLCache[str, TenantKey | None] = TTLCache(_REMEMBERED, remembered_s)
        self._changes = 0

    @property
    def can_keep(self) -> bool:
        """Tell whether there is a place to keep keys."""
        return self._secrets is not None

    async def of(self, tenant_id: str) -> TenantKey | None:
        """Return a tenant's key, which may be a moment old; None where it has none."""
        if tenant_id in self._known:
            return self._known[tenant_id]
        changes = self._changes
        found = await self.newest(tenant_id)
        if changes == self._changes:  # else it may be older than what was set meanwhile
            self._known[tenant_id] = found
        return found

    async def set(self, tenant_id: str, key: TenantKey) -> int | None:
        """Keep a key in place of an earlier one; return its version, if it is told."""
        assert self._secrets is not None
        data = {VALUE: key.api_key.get_secret_value(), "base_url": key.base_url}
        try:
            version = await self._secrets.write(tenant_id, API_KEY, data)
        finally:
            # Also after a failure: it may have been written all the same.
            self._changes += 1
            self._known.pop(tenant_id, None)
        await self._secrets.write(tenant_id, BASE_URL, {VALUE: key.base_url})
        return version

    async def newest(self, tenant_id: str) -> TenantKey | None:
        """Return a tenant's key as it is kept at the moment."""
        secrets = self._secrets
        stored = await secrets.read(tenant_id, API_KEY) if secrets else None
        if secrets is None or stored is None or not stored.value:
            return None
        if "base_url" in stored.data:
            return TenantKey(SecretStr(stored.value), stored.data["base_url"])
        address = await secrets.read(tenant_id, BASE_URL)
        return TenantKey(SecretStr(stored.value), (address.value or None) if address else None)


class TenantGrids:
    """Clients of the ScaiGrids that tenants name: never with a user's token.

    With `public_only` the HTTP client must be one that holds to it; here it is only told earlier.
    """

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        settings: ScaiGridSettings,
        *,
        public_only: bool,
        breakers: Breakers | None = None,
    ) -> None:
        self._http = http
        self._breakers = breakers or Breakers()
        self._settings = settings
        self._public_only = public_only

    def at(self, base_url: str) -> ScaiGrid:
        """Return the client of the ScaiGrid at an address. Raises AddressRefused."""
        try:
            base_url = base_url_of(base_url, allow_http=self._settings.allow_http)
        except UnusableAddress as reason:
            raise AddressRefused("scaigrid", str(reason)) from None
        settings = self._settings.model_copy(update={"base_url": base_url})
        return ScaiGrid(self._http, settings, breakers=self._breakers)

    async def admitted(self, base_url: str, *, party: str) -> ScaiGrid:
        """Return the client of a tenant as `at`, having looked where the name leads at the moment, if it is known."""
        grid = self.at(base_url).on_behalf_of(party)
        if self._public_only:
            url = httpx.URL(base_url)
            with suppress(OSError, UnicodeError):  # too late is an OSError as well
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await public_addresses("scaigrid", url.host, url.port, party)
        return grid
