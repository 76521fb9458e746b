"""Puts people and groups into the mirror, as a sync with ScaiKey would."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.session import Database

SYNCED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


async def mirror(
    db: Database,
    tenant_id: str,
    *,
    users: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    synced: bool = True,
) -> None:
    """Add users that are not there yet, and groups with their members, to one tenant."""
    async with db.write() as session:
        for user_id in users:
            user = await session.get(User, (tenant_id, user_id))
            if user is None:
                user = User(tenant_id=tenant_id, id=user_id, status="ACTIVE", created_at=SYNCED)
                session.add(user)
            user.last_synced_at = SYNCED if synced else None
        for group_id, members in (groups or {}).items():
            name = group_id.removeprefix("grp_").title()
            session.add(
                Group(tenant_id=tenant_id, id=group_id, name=name, created_at=SYNCED, last_synced_at=SYNCED)
            )
            session.add_all(
                Membership(tenant_id=tenant_id, user_id=user_id, group_id=group_id, created_at=SYNCED)
                for user_id in members
            )


async def change_user(db: Database, tenant_id: str, user_id: str, **values: object) -> None:
    """Change columns of a user that is there."""
    async with db.write() as session:
        user = await session.get(User, (tenant_id, user_id))
        assert user is not None
        for name, value in values.items():
            setattr(user, name, value)
