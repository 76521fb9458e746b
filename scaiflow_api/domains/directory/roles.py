"""The role that groups give: members of a group in `SCAIFLOW_SUPER_ADMIN_GROUPS` are super_admin while they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, and_, exists, false, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.audit import record
from scaiflow_api.db.models.directory import DirectoryState
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import ACTIVE, group_role_entry
from scaiflow_api.db.session import Database
from scaiflow_api.settings import Directory as DirectorySettings

log = structlog.get_logger(__name__)

_ROLE = AdminRole.SUPER_ADMIN.value
_TURN = "roles"
_AT_ONCE = 200
"""How many roles one transaction changes. Meanwhile other writers wait, on SQLite all of them."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Who gained and who lost the role."""

    promoted: int
    demoted: int

    @property
    def more(self) -> bool:
        """Tell whether there may be more to change: as many were changed as one transaction may change."""
        return self.promoted + self.demoted >= _AT_ONCE


class GroupRoles:
    """Gives and takes `group_role`. Roles that were granted by hand are in another column and stay as they are."""

    def __init__(self, db: Database, settings: DirectorySettings) -> None:
        self._db = db
        self._groups = settings.super_admin_groups
        self._platform = settings.platform_tenant

    async def ensure_turn(self) -> None:
        """Make sure that there is a row for `take_turn` to lock. Call it outside of any transaction."""
        async with self._db.read() as session:
            if await session.get(DirectoryState, _TURN) is not None:
                return
        try:
            async with self._db.write() as session:
                await session.execute(insert(DirectoryState).values(name=_TURN))
        except IntegrityError:
            pass  # another process made it

    async def take_turn(self, session: AsyncSession) -> None:
        """Wait until no other transaction changes roles by groups, and keep others out until this one ends.

        It must be the first thing in a transaction: memberships that were read before could be outdated.
        """
        await session.execute(
            select(DirectoryState.name).where(DirectoryState.name == _TURN).with_for_update()
        )

    async def reconcile(self, session: AsyncSession, now: datetime) -> Reconciled:
        """Make the roles follow the memberships as this transaction sees them, after `take_turn`.

        It changes at most 200 roles, and takes roles away before it gives any; `settle` makes the rest. Each change
        is written to the audit log, so this must be the last thing before the commit.
        """
        gives_the_role = await self._gives_the_role(session)
        demoted = await _users_to_demote(session, gives_the_role, _AT_ONCE)
        promoted = await _users_to_promote(session, gives_the_role, _AT_ONCE - len(demoted))
        await _lock(session, [*demoted, *promoted])
        for keys, role in ((demoted, None), (list(promoted), _ROLE)):
            if keys:
                change = update(User).where(_is_one_of(keys)).values(group_role=role)
                await session.execute(change, execution_options={"synchronize_session": False})
        # In the order of tenants, so that nobody who writes into several logs waits for another.
        for tenant_id, user_id in sorted([*demoted, *promoted]):
            group_id = promoted.get((tenant_id, user_id))
            entry = group_role_entry(tenant_id, user_id, AdminRole.SUPER_ADMIN, group_id=group_id)
            await record(session, None, entry, now)
            log.info("group role changed", tenant=tenant_id, user=user_id, role=_ROLE if group_id else None)
        return Reconciled(len(promoted), len(demoted))

    async def settle(self, begun: Reconciled, now: datetime) -> Reconciled:
        """Make the changes that `reconcile` left, in short transactions; return all changes, with those before.

        If the process ends before that, the next sync makes the rest.
        """
        promoted, demoted = begun.promoted, begun.demoted
        while begun.more:
            async with self._db.write() as session:
                await self.take_turn(session)
                begun = await self.reconcile(session, now)
            promoted, demoted = promoted + begun.promoted, demoted + begun.demoted
        return Reconciled(promoted, demoted)

    async def count(self) -> int:
        """Return how many super admins there are who can act."""
        async with self._db.read() as session:
            found = await session.scalar(
                select(func.count())
                .select_from(User)
                .where(
                    or_(User.manual_role == _ROLE, User.group_role == _ROLE),
                    User.status == ACTIVE,
                    User.deleted_at.is_(None),
                )
            )
        return found or 0

    async def _super_admin_groups(self, session: AsyncSession) -> Sequence[tuple[str, str]]:
        """Return tenant and id of the groups in the setting: named by id, or by name within the platform's tenant.

        An id that several tenants have means the platform's group, or none: no tenant may give itself the role by
        making a group of that id.
        """
        if not self._groups:
            return []
        named: ColumnElement[bool] = Group.id.in_(self._groups)
        if self._platform is not None:
            named = or_(named, and_(Group.tenant_id == self._platform, Group.name.in_(self._groups)))
        rows = await session.execute(
            select(Group.tenant_id, Group.id)
            .where(named, Group.deleted_at.is_(None))
            .order_by(Group.tenant_id)
        )
        found = [(tenant_id, group_id) for tenant_id, group_id in rows]
        return [one for one in found if one[0] == self._platform or _has_an_id_of_its_own(one, found)]

    async def _gives_the_role(self, session: AsyncSession) -> ColumnElement[bool]:
        """Return the condition for a membership that gives the role."""
        meant = [
            and_(Membership.tenant_id == tenant_id, Membership.group_id == group_id)
            for tenant_id, group_id in await self._super_admin_groups(session)
        ]
        return and_(or_(false(), *meant), Membership.deleted_at.is_(None))


def _is_one_of(keys: Sequence[tuple[str, str]]) -> ColumnElement[bool]:
    return tuple_(User.tenant_id, User.id).in_(keys)


async def _lock(session: AsyncSession, keys: Sequence[tuple[str, str]]) -> None:
    """Lock users in the order in which `lock_super_admins` does: an update takes them in any order."""
    if keys:
        users = select(User.id).where(_is_one_of(keys)).order_by(User.tenant_id, User.id)
        await session.execute(users.with_for_update())


_IS_OF_USER = and_(Membership.tenant_id == User.tenant_id, Membership.user_id == User.id)


async def _users_to_promote(
    session: AsyncSession, gives_the_role: ColumnElement[bool], most: int
) -> Mapping[tuple[str, str], str]:
    """Return the users who are in one of the groups, with its id, and do not hold the role yet."""
    rows = await session.execute(
        select(User.tenant_id, User.id, func.min(Membership.group_id))
        .join(Membership, _IS_OF_USER)
        .where(gives_the_role, User.group_role.is_distinct_from(_ROLE))
        .group_by(User.tenant_id, User.id)
        .limit(most)
    )
    return {(tenant_id, user_id): group_id for tenant_id, user_id, group_id in rows}


async def _users_to_demote(
    session: AsyncSession, gives_the_role: ColumnElement[bool], most: int
) -> Sequence[tuple[str, str]]:
    rows = await session.execute(
        select(User.tenant_id, User.id)
        .where(User.group_role == _ROLE, ~exists().where(_IS_OF_USER, gives_the_role))
        .limit(most)
    )
    return [(tenant_id, user_id) for tenant_id, user_id in rows]


def _has_an_id_of_its_own(group: tuple[str, str], found: Sequence[tuple[str, str]]) -> bool:
    alone = sum(other[1] == group[1] for other in found) == 1
    if not alone:
        log.warning("super admin group ignored: several tenants have its id", tenant=group[0], group=group[1])
    return alone
