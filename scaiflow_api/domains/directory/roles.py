"""The role that groups give: who is in one of `SCAIFLOW_SUPER_ADMIN_GROUPS` is super_admin, as long as that lasts."""

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
_LINE = "roles"
_AT_ONCE = 200
"""Roles that one transaction changes. While it does, others who write wait: on SQLite all of them."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Who gained and who lost the role."""

    promoted: int
    demoted: int

    @property
    def more(self) -> bool:
        """Tell whether there may be more to change: these were as many as are changed at once."""
        return self.promoted + self.demoted >= _AT_ONCE


class GroupRoles:
    """Gives and takes `group_role`. Roles that were granted by hand are another column and not looked at."""

    def __init__(self, db: Database, settings: DirectorySettings) -> None:
        self._db = db
        self._groups = settings.super_admin_groups
        self._platform = settings.platform_tenant

    async def prepare(self) -> None:
        """Make sure that there is a line to lock; outside of any transaction."""
        async with self._db.read() as session:
            if await session.get(DirectoryState, _LINE) is not None:
                return
        try:
            async with self._db.write() as session:
                await session.execute(insert(DirectoryState).values(name=_LINE))
        except IntegrityError:
            pass  # another process made it

    async def begin(self, session: AsyncSession) -> None:
        """Take turns with everybody else who changes roles by groups.

        It is the first thing in a transaction: whoever read memberships before its turn would give or take roles
        by what was true then.
        """
        await session.execute(
            select(DirectoryState.name).where(DirectoryState.name == _LINE).with_for_update()
        )

    async def reconcile(self, session: AsyncSession, now: datetime) -> Reconciled:
        """Make the roles follow the memberships as this transaction sees them, after `begin`.

        It makes so many changes at once and no more, those that take a role away first: `settle` makes what is left.
        The audit log is told of each, so this is the last thing before the commit.
        """
        inside = await self._inside(session)
        demoted = await _who_holds_it_wrongly(session, inside, _AT_ONCE)
        promoted = await _who_lacks_it(session, inside, _AT_ONCE - len(demoted))
        await _lock(session, [*demoted, *promoted])
        for keys, role in ((demoted, None), (list(promoted), _ROLE)):
            if keys:
                change = update(User).where(_any_of(keys)).values(group_role=role)
                await session.execute(change, execution_options={"synchronize_session": False})
        # In the order of tenants, so that nobody who writes into several logs waits for another.
        for tenant_id, user_id in sorted([*demoted, *promoted]):
            group_id = promoted.get((tenant_id, user_id))
            entry = group_role_entry(tenant_id, user_id, AdminRole.SUPER_ADMIN, group_id=group_id)
            await record(session, None, entry, now)
            log.info("group role changed", tenant=tenant_id, user=user_id, role=_ROLE if group_id else None)
        return Reconciled(len(promoted), len(demoted))

    async def settle(self, begun: Reconciled, now: datetime) -> Reconciled:
        """Make what `reconcile` left, in transactions that keep others waiting shortly; return all of it.

        A process that ends before this does leaves the rest to the next sync.
        """
        promoted, demoted = begun.promoted, begun.demoted
        while begun.more:
            async with self._db.write() as session:
                await self.begin(session)
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

    async def _meant(self, session: AsyncSession) -> Sequence[tuple[str, str]]:
        """Return the groups that the setting means: by id, or by name within the platform's tenant.

        An id that several tenants have means the platform's group or none: an id must not be lent by a stranger.
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
        return [one for one in found if one[0] == self._platform or _is_alone(one, found)]

    async def _inside(self, session: AsyncSession) -> ColumnElement[bool]:
        """Return what a membership is that gives the role."""
        meant = [
            and_(Membership.tenant_id == tenant_id, Membership.group_id == group_id)
            for tenant_id, group_id in await self._meant(session)
        ]
        return and_(or_(false(), *meant), Membership.deleted_at.is_(None))


def _any_of(keys: Sequence[tuple[str, str]]) -> ColumnElement[bool]:
    return tuple_(User.tenant_id, User.id).in_(keys)


async def _lock(session: AsyncSession, keys: Sequence[tuple[str, str]]) -> None:
    """Lock users in the order in which `lock_super_admins` does: an update takes them in any order."""
    if keys:
        users = select(User.id).where(_any_of(keys)).order_by(User.tenant_id, User.id)
        await session.execute(users.with_for_update())


_IS_OF_USER = and_(Membership.tenant_id == User.tenant_id, Membership.user_id == User.id)


async def _who_lacks_it(
    session: AsyncSession, inside: ColumnElement[bool], most: int
) -> Mapping[tuple[str, str], str]:
    """Return known users in any of the groups, each with one of those, who do not hold the role."""
    rows = await session.execute(
        select(User.tenant_id, User.id, func.min(Membership.group_id))
        .join(Membership, _IS_OF_USER)
        .where(inside, User.group_role.is_distinct_from(_ROLE))
        .group_by(User.tenant_id, User.id)
        .limit(most)
    )
    return {(tenant_id, user_id): group_id for tenant_id, user_id, group_id in rows}


async def _who_holds_it_wrongly(
    session: AsyncSession, inside: ColumnElement[bool], most: int
) -> Sequence[tuple[str, str]]:
    rows = await session.execute(
        select(User.tenant_id, User.id)
        .where(User.group_role == _ROLE, ~exists().where(_IS_OF_USER, inside))
        .limit(most)
    )
    return [(tenant_id, user_id) for tenant_id, user_id in rows]


def _is_alone(group: tuple[str, str], found: Sequence[tuple[str, str]]) -> bool:
    alone = sum(other[1] == group[1] for other in found) == 1
    if not alone:
        log.warning("super admin group ignored: several tenants have its id", tenant=group[0], group=group[1])
    return alone
