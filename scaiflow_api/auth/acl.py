"""The one place that decides what a caller may do with a flow."""

from collections.abc import Iterable
from enum import IntEnum

from scaiflow_api.auth.caller import Caller


class Level(IntEnum):
    """Access levels; each implies those below it."""

    VIEW = 1
    EDIT = 2
    DEPLOY = 3
    ADMIN = 4

    @property
    def label(self) -> str:
        """The name on the wire."""
        return self.name.lower()


def level_of(caller: Caller, *, tenant_id: str, owner_id: str, granted: Iterable[Level] = ()) -> Level | None:
    """Return the caller's highest level on a flow of `tenant_id` owned by `owner_id`; None: invisible.

    `granted` holds the levels of the explicit grants to the caller and the caller's groups. The owner, the
    tenant's admins and super admins hold `admin` without a grant; nobody else reaches into another tenant.
    """
    if caller.is_super_admin:
        return Level.ADMIN
    if caller.tenant_id != tenant_id:
        return None
    if caller.is_tenant_admin or caller.subject == owner_id:
        return Level.ADMIN
    return max(granted, default=None)
