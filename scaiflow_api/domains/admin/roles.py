"""Who is an administrator. Nobody changes a role higher than its own, and the last super admin stays."""

from dataclasses import replace

from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.auth.errors import InsufficientRole
from scaiflow_api.auth.tenancy import TenantScope
from scaiflow_api.db.audit import record
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import ACTIVE, effective_role, lock_super_admins, role_entry, role_state
from scaiflow_api.db.session import Database
from scaiflow_api.domains.admin.errors import (
    AmbiguousUser,
    HigherRole,
    LastSuperAdmin,
    RoleFromGroup,
    UserNotFound,
)
from scaiflow_api.domains.admin.repository import AdminRepository
from scaiflow_api.kit.clock import Clock

MANUAL = "manual"


class AdminRoles:
    """Reads, grants and revokes roles of users within `tenants`.

    Every method raises UserNotFound, and AmbiguousUser where several of the tenants have such a user.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of(self, user_id: str, tenants: TenantScope) -> User:
        async with self._db.read() as session:
            found = await AdminRepository(session).named(user_id, tenants)
        if not found:
            raise UserNotFound(user_id=user_id)
        if len(found) > 1:
            raise AmbiguousUser(user_id=user_id, tenant_ids=[user.tenant_id for user in found])
        return found[0]

    async def grant(self, caller: Caller, user_id: str, tenants: TenantScope, role: AdminRole) -> None:
        """Set the role granted by hand. Raises InsufficientRole, HigherRole, LastSuperAdmin for a demotion."""
        await self._set(caller, await self.of(user_id, tenants), role)

    async def revoke(self, caller: Caller, user_id: str, tenants: TenantScope) -> None:
        """Take the role granted by hand away. Raises InsufficientRole, HigherRole, RoleFromGroup, LastSuperAdmin."""
        await self._set(caller, await self.of(user_id, tenants), None)

    async def _set(self, caller: Caller, seen: User, role: AdminRole | None) -> None:
        async with self._db.write() as session:
            people = AdminRepository(session)
            super_admins = await lock_super_admins(session)
            caller = await _as_it_stands(people, caller)
            if not caller.holds(needed := role or AdminRole.TENANT_ADMIN):
                raise InsufficientRole(needed=needed.value)
            user = await people.lock(seen)
            if user is None or (role is not None and user.deleted_at is not None):
                raise UserNotFound(user_id=seen.id)
            held, _ = effective_role(user)
            if held is not None and not caller.holds(held):
                raise HigherRole(user_id=user.id, held=held.value)
            if role is None and user.manual_role is None and held is not None:
                raise RoleFromGroup(user_id=user.id, held=held.value)
            before = role_state(user)
            user.manual_role, user.manual_role_source = (role.value, MANUAL) if role else (None, None)
            left, _ = effective_role(user)
            others = (one for one in super_admins if one is not user and _can_act(one))
            if held is AdminRole.SUPER_ADMIN and left is not held and not any(others):
                raise LastSuperAdmin(user_id=user.id)
            if role_state(user) != before:
                await record(session, caller, role_entry(user, before), self._clock.now())


async def _as_it_stands(people: AdminRepository, caller: Caller) -> Caller:
    """Return the caller with the role that it holds at this moment.

    What it was let in with may be seconds old: enough to give a role back to oneself that was just revoked.
    """
    for user in await people.named(caller.subject, caller.tenant_id):
        role, source = effective_role(user)
        return replace(caller, admin_role=role, admin_role_source=source)
    return caller  # not of the mirror: a developer without sign-in


def _can_act(user: User) -> bool:
    return user.status == ACTIVE and user.deleted_at is None
