"""The scope of a query: one tenant, or all tenants when a super admin reads."""

from enum import Enum
from typing import Literal, TypeAlias

from scaiflow_api.auth.caller import Caller


class Everywhere(Enum):
    """The explicit permission to read across tenants."""

    ALL = "all"


ALL = Everywhere.ALL
TenantScope: TypeAlias = str | Literal[Everywhere.ALL]


def reads_of(caller: Caller) -> TenantScope:
    """Return what the caller's reads may reach."""
    return ALL if caller.is_super_admin else caller.tenant_id
