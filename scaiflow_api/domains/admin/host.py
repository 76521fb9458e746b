"""Finding somebody for the person at the host's terminal, who knows an address and asks about all tenants."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select

from scaiflow_api.db.models.user import User
from scaiflow_api.db.session import Database

_ENOUGH = 20


async def people_known_by(db: Database, who: str, tenant_id: str | None) -> Sequence[User]:
    """Return the people of this address or id, in one tenant or in all; some of them where they are many."""
    named = or_(func.lower(User.email) == who.lower(), User.id == who)
    query = select(User).where(named, User.deleted_at.is_(None)).order_by(User.tenant_id, User.id)
    if tenant_id is not None:
        query = query.where(User.tenant_id == tenant_id)
    async with db.read() as session:
        return (await session.scalars(query.limit(_ENOUGH))).all()
