"""The standing of a principal: the question that every request asks the mirror."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.models.user import User
from scaiflow_api.db.session import Database

ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the mirror says of a principal at this moment."""

    status: str
    deleted: bool
    email: str | None
    display_name: str | None
    admin_role: AdminRole | None
    admin_role_source: str | None


class Principals:
    """Reads standing, and adds a valid principal that the mirror has not met."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, tenant_id: str, user_id: str) -> Standing | None:
        async with self._db.read() as session:
            user = await session.scalar(select(User).where(User.tenant_id == tenant_id, User.id == user_id))
        return None if user is None else _standing(user)

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
        return _standing(user)

    async def grant(
        self, tenant_id: str, user_id: str, role: AdminRole, *, source: str, now: datetime
    ) -> None:
        """Give a role to a principal, known or not yet."""
        async with self._db.write() as session:
            user = await session.get(User, (tenant_id, user_id))
            if user is None:
                user = User(tenant_id=tenant_id, id=user_id, status=ACTIVE, created_at=now)
                session.add(user)
            user.manual_role, user.manual_role_source = role.value, source


def _short(text: str | None) -> str | None:
    return text[:200] if text else None


def _standing(user: User) -> Standing:
    return Standing(
        status=user.status,
        deleted=user.deleted_at is not None,
        email=user.email,
        display_name=user.display_name,
        admin_role=AdminRole(user.manual_role) if user.manual_role else None,
        admin_role_source=user.manual_role_source,
    )
