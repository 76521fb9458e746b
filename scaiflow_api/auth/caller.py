"""`Caller`: the user or service that makes a request."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

VIEW = "scaicore:view"
MANAGE = "scaicore:manage"


class AdminRole(StrEnum):
    """Roles kept by ScaiFlow itself; they imply both ScaiCore permissions."""

    TENANT_ADMIN = "tenant_admin"
    SUPER_ADMIN = "super_admin"

    def implies(self, other: "AdminRole") -> bool:
        """Tell whether this role is `other` or a higher one."""
        return self is other or self is AdminRole.SUPER_ADMIN


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal: a person, or a tenant's service client.

    `token` is the bearer as it came, for forwarding to the operator's own ScaiGrid and nowhere else.
    """

    subject: str
    tenant_id: str
    token: SecretStr
    email: str | None = None
    display_name: str | None = None
    groups: frozenset[str] = frozenset()
    admin_role: AdminRole | None = None
    admin_role_source: str | None = None
    token_permissions: frozenset[str] = field(default=frozenset())
    """What the token itself grants; what ScaiGrid grants is asked for when it is needed."""
    request_id: str | None = None
    """The request that it is making, for the audit log."""

    def holds(self, role: AdminRole) -> bool:
        """Tell whether the caller has `role` or a higher one."""
        return self.admin_role is not None and self.admin_role.implies(role)

    @property
    def is_super_admin(self) -> bool:
        return self.admin_role is AdminRole.SUPER_ADMIN

    @property
    def is_tenant_admin(self) -> bool:
        return self.admin_role is AdminRole.TENANT_ADMIN
