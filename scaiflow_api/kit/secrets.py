"""Secrets that tenants trust us with: what keeps them, ScaiVault or our own database, looks the same from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

VALUE = "value"
"""The member of a secret's data that holds the secret itself."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The newest version of a secret."""

    data: Mapping[str, str | None] = field(repr=False)
    version: int

    @property
    def value(self) -> str | None:
        return self.data.get(VALUE)


class TenantSecrets(Protocol):
    """Keeps secrets by tenant and name. Writing makes a new version, whole or not at all."""

    async def read(self, tenant_id: str, name: str) -> Secret | None: ...

    async def write(self, tenant_id: str, name: str, data: Mapping[str, str | None]) -> int | None:
        """Return the number of the version that was written, if it is told."""
        ...
