"""What an event does to the mirror. Events may come in any order: one older than what is known changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.models.directory import DirectoryState
from scaiflow_api.db.models.group import Group
from scaiflow_api.db.models.mirrored import Mirrored
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import ACTIVE
from scaiflow_api.domains.webhooks.events import Event
from scaiflow_api.domains.webhooks.memberships import Memberships
from scaiflow_api.domains.webhooks.signature import TOLERANCE_S
from scaiflow_api.upstreams.scaikey_rows import DirectoryGroup, read_group, read_id, read_member, read_user

log = structlog.get_logger(__name__)

_Row = TypeVar("_Row", User, Group)

_IMPLIED_STATUS = {"user.suspended": "SUSPENDED", "user.activated": ACTIVE}
_BRINGS_BACK = {"user.created", "user.activated", "group.created"}
ASKS_FOR_SYNC = frozenset(
    f"application.{what}_{how}" for what in ("user", "group") for how in ("assigned", "unassigned")
)


class Effects:
    """Applies events within one transaction."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self._session = session
        self._now = now
        self.sync_wanted = False
        """True: only a sync can follow what happened."""

    async def apply(self, event: Event) -> bool:
        """Apply an event; False when nothing is known to do for it."""
        if event.type in ASKS_FOR_SYNC:
            self.sync_wanted = True
            return True
        effect = _EFFECTS.get(event.type)
        if effect is None or not await effect(self, event):
            log.info("webhook without an effect", type=event.type, event_id=event.id)
            return False
        return True

    async def change_user(self, event: Event) -> bool:
        """Add or change a person."""
        told = read_user(event.data, event.tenant_id)
        if told is None:
            return False
        status = told.status or _IMPLIED_STATUS.get(event.type)
        content = {"email": told.email, "display_name": told.display_name, "status": status}
        await self._change(User, (told.tenant_id, told.id), event, content, {"status": ACTIVE})
        return True

    async def delete_user(self, event: Event) -> bool:
        """Mark a person as deleted, even an unknown one, so that an older event that comes late adds nobody."""
        told = read_user(event.data, event.tenant_id)
        if told is None:
            return False
        await self._change(
            User, (told.tenant_id, told.id), event, {"deleted_at": self._now}, {"status": ACTIVE}
        )
        return True

    async def change_group(self, event: Event) -> bool:
        """Add or change a group."""
        told = read_group(event.data, event.tenant_id)
        if told is None:
            return False
        await self._change(Group, (told.tenant_id, told.id), event, {"name": told.name}, {"name": ""})
        return True

    async def delete_group(self, event: Event) -> bool:
        """Mark a group as deleted. Who is in groups around it through it alone is found by a sync."""
        told = read_group(event.data, event.tenant_id)
        if told is None:
            return False
        await self._change(Group, (told.tenant_id, told.id), event, {"deleted_at": self._now}, {"name": ""})
        self.sync_wanted = await Memberships(self._session, self._now).is_inside(told.tenant_id, told.id)
        return True

    async def change_membership(self, event: Event) -> bool:
        """Put somebody into a group, or take somebody out. Of a group inside a group only a sync knows the rest."""
        group_id = _group_of(event)
        if event.tenant_id is None or group_id is None:
            return False
        named = {key: value for key, value in event.data.items() if key not in {"group_id", "id"}}
        if named.get("member_type") == "group":
            named = {"member_type": "group", "member_id": named.get("member_id")}
        member = read_member(named, DirectoryGroup(event.tenant_id, group_id))
        if member is None or await self._is_stale("groups", event.at):
            return member is not None
        memberships, added = Memberships(self._session, self._now), event.type.endswith(".added")
        if member.child_id is not None:
            await memberships.nest(event.tenant_id, group_id, member.child_id, added=added)
            self.sync_wanted = True
        elif member.user is not None:
            await memberships.change(event.tenant_id, member.user.id, group_id, added=added, at=event.at)
        return True

    async def _change(
        self,
        table: type[_Row],
        key: tuple[str, str],
        event: Event,
        values: Mapping[str, Any],
        defaults: Mapping[str, Any],
    ) -> None:
        """Write what was told into a row, unless newer news were there before."""
        row = await self._session.scalar(
            select(table).where(table.tenant_id == key[0], table.id == key[1]).with_for_update()
        )
        if _is_older(row, event.at) or await self._is_stale(table.__tablename__, event.at):
            return
        if row is None:
            row = table(tenant_id=key[0], id=key[1], created_at=self._now, **defaults)
            self._session.add(row)
        for name, value in values.items():
            if value is not None:
                setattr(row, name, value)
        if event.type in _BRINGS_BACK:
            row.deleted_at = row.absent_since = None
        row.changed_at = event.at

    async def _is_stale(self, kind: str, at: datetime) -> bool:
        """Tell whether a sync that read everything began so much later that it knew of this."""
        taken_at = await self._session.scalar(
            select(DirectoryState.taken_at).where(DirectoryState.name == kind)
        )
        return taken_at is not None and at < taken_at - timedelta(seconds=TOLERANCE_S)


def _is_older(row: Mirrored | None, at: datetime) -> bool:
    return row is not None and row.changed_at is not None and at < row.changed_at


def _group_of(event: Event) -> str | None:
    """Return the group that a membership is of: the envelope names it where the data does not."""
    return read_id(event.data, "group_id") or event.subject_id


_EFFECTS: Mapping[str, Callable[[Effects, Event], Awaitable[bool]]] = {
    **dict.fromkeys(
        ("user.created", "user.updated", "user.suspended", "user.activated"), Effects.change_user
    ),
    "user.deleted": Effects.delete_user,
    **dict.fromkeys(("group.created", "group.updated"), Effects.change_group),
    "group.deleted": Effects.delete_group,
    **dict.fromkeys(("group_membership.added", "group_membership.removed"), Effects.change_membership),
}
HANDLED = frozenset(_EFFECTS) | ASKS_FOR_SYNC
