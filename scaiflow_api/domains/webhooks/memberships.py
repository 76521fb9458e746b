"""Changing who is in a group, and with it who is in the groups around that one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.models.group import GroupNesting, Membership


class Memberships:
    """Memberships and nestings within one transaction."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self._session = session
        self._now = now

    async def change(self, tenant_id: str, user_id: str, group_id: str, *, added: bool, at: datetime) -> None:
        """Put a person into a group directly, or take them out; an event older than the last one changes nothing.

        A person who is taken out stays a member while they are in a group inside it. A removal that arrives before
        its addition is remembered, so that the late addition changes nothing.
        """
        rows = {row.group_id: row for row in await self._of(tenant_id, user_id)}
        row = rows.get(group_id)
        if row is not None and row.changed_at is not None and at < row.changed_at:
            return
        if row is None:
            row = rows[group_id] = self._add(tenant_id, user_id, group_id, deleted_at=self._now)
        row.direct, row.changed_at, row.absent_since = added, at, None
        if added:
            row.deleted_at = None
        held = await self._with_outer_groups(
            tenant_id, [one.group_id for one in rows.values() if _is_direct(one)]
        )
        for around in sorted(await self._with_outer_groups(tenant_id, [group_id])):
            one = rows.get(around)
            if around in held and one is None:
                self._add(tenant_id, user_id, around)
            elif one is not None and (around in held) != (one.deleted_at is None):
                one.deleted_at = None if around in held else self._now

    async def nest(self, tenant_id: str, group_id: str, child_id: str, *, added: bool) -> None:
        """Put a group into a group, or take it out."""
        key = {"tenant_id": tenant_id, "child_id": child_id, "group_id": group_id}
        if added:
            await self._session.merge(GroupNesting(**key))
        else:
            await self._session.execute(delete(GroupNesting).filter_by(**key))

    async def is_inside(self, tenant_id: str, group_id: str) -> bool:
        """Tell whether a group lies inside another."""
        return await self._with_outer_groups(tenant_id, [group_id]) != {group_id}

    async def _of(self, tenant_id: str, user_id: str) -> Sequence[Membership]:
        rows = (
            select(Membership)
            .where(Membership.tenant_id == tenant_id, Membership.user_id == user_id)
            .order_by(Membership.group_id)
            .with_for_update()
        )
        return (await self._session.scalars(rows)).all()

    async def _with_outer_groups(self, tenant_id: str, groups: Sequence[str]) -> set[str]:
        """Return the groups and all groups around them, however far out. Circles do no harm."""
        found, edge = set(groups), set(groups)
        while edge:
            outer = await self._session.scalars(
                select(GroupNesting.group_id).where(
                    GroupNesting.tenant_id == tenant_id, GroupNesting.child_id.in_(sorted(edge))
                )
            )
            edge = set(outer) - found
            found |= edge
        return found

    def _add(
        self, tenant_id: str, user_id: str, group_id: str, *, deleted_at: datetime | None = None
    ) -> Membership:
        row = Membership(
            tenant_id=tenant_id,
            user_id=user_id,
            group_id=group_id,
            direct=False,
            created_at=self._now,
            deleted_at=deleted_at,
        )
        self._session.add(row)
        return row


def _is_direct(row: Membership) -> bool:
    return row.direct and row.deleted_at is None
