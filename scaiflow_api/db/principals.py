"""The standing of a principal: the question that every request asks the mirror."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.audit import Entry, record, state_hash
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.session import Database

ACTIVE = "ACTIVE"
FROM_GROUP = "group"

_GROUPS = (
    select(Membership.group_id)
    .join(Group, (Group.tenant_id == Membership.tenant_id) & (Group.id == Membership.group_id))
    .where(
        Membership.tenant_id == bindparam("tenant_id"),
        Membership.user_id == bindparam("user_id"),
        Membership.deleted_at.is_(None),
        Group.deleted_at.is_(None),
    )
)
_GROUPS_OF_ALL = (
    select(Membership.user_id, Membership.group_id)
    .join(Group, (Group.tenant_id == Membership.tenant_id) & (Group.id == Membership.group_id))
    .where(Membership.deleted_at.is_(None), Group.deleted_at.is_(None))
)
_LEFT = (
    select(Membership.user_id, Membership.group_id)
    .outerjoin(Group, (Group.tenant_id == Membership.tenant_id) & (Group.id == Membership.group_id))
    .where(or_(Membership.deleted_at.is_not(None), Group.deleted_at.is_not(None)))
)
_NONE: frozenset[str] = frozenset()
_AT_ONCE = 500
"""Values of one question."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the mirror says of a principal at this moment."""

    status: str
    deleted: bool
    email: str | None
    display_name: str | None
    admin_role: AdminRole | None
    admin_role_source: str | None
    groups: frozenset[str]
    left: frozenset[str] | None
    """Groups that the principal is known to have left. None: of all others as well, because a sync told of it."""

    def groups_with(self, claimed: frozenset[str]) -> frozenset[str]:
        """Return the groups, given those that the token names: they count for who was never synced.

        What webhooks told of such a one counts more than the token, which may be older.
        """
        return self.groups if self.left is None else self.groups | (claimed - self.left)


class Principals:
    """Reads standing, and adds a valid principal that the mirror has not met."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, tenant_id: str, user_id: str) -> Standing | None:
        async with self._db.read() as session:
            user = await session.scalar(select(User).where(User.tenant_id == tenant_id, User.id == user_id))
            if user is None:
                return None
            found = await session.scalars(_GROUPS, {"tenant_id": tenant_id, "user_id": user_id})
            groups, left = frozenset(found), None
            if user.last_synced_at is None:
                of_user = (Membership.tenant_id == tenant_id, Membership.user_id == user_id)
                left = frozenset(group_id for _, group_id in await session.execute(_LEFT.where(*of_user)))
        return _standing(user, groups, left)

    async def find_all(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
        """Return the standing of those of some principals, by tenant and id, whom the mirror knows."""
        found: dict[tuple[str, str], Standing] = {}
        async with self._db.read() as session:
            for tenant_id in sorted({tenant_id for tenant_id, _ in keys}):
                ids = sorted(user_id for tenant, user_id in keys if tenant == tenant_id)
                for start in range(0, len(ids), _AT_ONCE):
                    some = ids[start : start + _AT_ONCE]
                    users = select(User).where(User.tenant_id == tenant_id, User.id.in_(some))
                    theirs = (Membership.tenant_id == tenant_id, Membership.user_id.in_(some))
                    groups = await _by_user(session, _GROUPS_OF_ALL.where(*theirs))
                    left = await _by_user(session, _LEFT.where(*theirs))
                    for user in await session.scalars(users.execution_options(populate_existing=True)):
                        unsynced = user.last_synced_at is None
                        found[tenant_id, user.id] = _standing(
                            user, groups.get(user.id, _NONE), left.get(user.id, _NONE) if unsynced else None
                        )
        return found

    async def add(
        self, tenant_id: str, user_id: str, *, email: str | None, name: str | None, now: datetime
    ) -> Standing:
        """Add a principal seen for the first time; a concurrent first request may have added it already."""
        user = User(
            tenant_id=tenant_id,
            id=user_id,
            email=_short(email),
            display_name=_short(name),
            status=ACTIVE,
            created_at=now,
        )
        try:
            async with self._db.write() as session:
                session.add(user)
        except IntegrityError:
            found = await self.find(tenant_id, user_id)
            if found is None:
                raise
            return found
        return _standing(user, _NONE, _NONE)

    async def grant(
        self, tenant_id: str, user_id: str, role: AdminRole, *, source: str, now: datetime
    ) -> None:
        """Give a role to a principal, known or not yet, on the host's word. A higher one that it has stays."""
        try:
            await self._grant(tenant_id, user_id, role, source, now)
        except IntegrityError:  # another process added the principal at this moment; now it is there
            await self._grant(tenant_id, user_id, role, source, now)

    async def _grant(self, tenant_id: str, user_id: str, role: AdminRole, source: str, now: datetime) -> None:
        async with self._db.write() as session:
            user = await session.get(User, (tenant_id, user_id))
            if user is None:
                user = User(tenant_id=tenant_id, id=user_id, status=ACTIVE, created_at=now)
                session.add(user)
            before, held = role_state(user), user.manual_role
            if held is None or role.implies(AdminRole(held)):
                user.manual_role, user.manual_role_source = role.value, source
            if role_state(user) != before:
                await record(session, None, role_entry(user, before), now)


def role_state(user: User) -> str | None:
    """Return the hash of the role that a user was granted; None: no role was."""
    if user.manual_role is None:
        return None
    return state_hash(user_id=user.id, role=user.manual_role, source=user.manual_role_source)


def group_role_entry(tenant_id: str, user_id: str, role: AdminRole, *, group_id: str | None) -> Entry:
    """Tell the audit log that a group gives a role to a user; without `group_id`, that none does any more."""
    given = state_hash(user_id=user_id, role=role.value, source=FROM_GROUP)
    return Entry(
        tenant_id=tenant_id,
        action="role.granted" if group_id else "role.revoked",
        target_type="user",
        target_id=user_id,
        before=None if group_id else given,
        after=given if group_id else None,
        details={"role": role.value, "source": FROM_GROUP, **({"group": group_id} if group_id else {})},
    )


def role_entry(user: User, before: str | None) -> Entry:
    """Tell the audit log that a user was granted a role, or that it was taken away; `before` is a `role_state`."""
    return Entry(
        tenant_id=user.tenant_id,
        action="role.granted" if user.manual_role else "role.revoked",
        target_type="user",
        target_id=user.id,
        before=before,
        after=role_state(user),
        details={"role": user.manual_role, "source": user.manual_role_source},
    )


async def lock_super_admins(session: AsyncSession) -> Sequence[User]:
    """Return all super admins, by hand or by group. Until the transaction ends nobody else changes them.

    Everything that takes a role away begins with this, so that two such changes wait for each other.
    """
    role = AdminRole.SUPER_ADMIN.value
    rows = (
        select(User)
        .where(or_(User.manual_role == role, User.group_role == role))
        .order_by(User.tenant_id, User.id)
        .with_for_update()
    )
    return (await session.scalars(rows)).all()


def effective_role(user: User) -> tuple[AdminRole | None, str | None]:
    """Return the higher of the roles granted to a user and given by a group, and where it comes from."""
    by_hand = AdminRole(user.manual_role) if user.manual_role else None
    by_group = AdminRole(user.group_role) if user.group_role else None
    if by_group is None or (by_hand is not None and by_hand.implies(by_group)):
        return by_hand, user.manual_role_source if by_hand else None
    return by_group, FROM_GROUP


def _short(text: str | None) -> str | None:
    return text[:200] if text else None


async def _by_user(session: AsyncSession, memberships: Select[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for user_id, group_id in await session.execute(memberships):
        found.setdefault(user_id, set()).add(group_id)
    return {user_id: frozenset(groups) for user_id, groups in found.items()}


def _standing(user: User, groups: frozenset[str], left: frozenset[str] | None) -> Standing:
    role, source = effective_role(user)
    return Standing(
        status=user.status,
        deleted=user.deleted_at is not None,
        email=user.email,
        display_name=user.display_name,
        admin_role=role,
        admin_role_source=source,
        groups=groups,
        left=left,
    )
