"""The audit log of a tenant, as it stands in the database."""

from typing import Any

from sqlalchemy import select

from scaiflow_api.db.audit import as_record
from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.session import Database


async def rows(db: Database, tenant_id: str = "tnt_acme") -> list[dict[str, Any]]:
    """Return its rows as records, oldest first."""
    async with db.read() as session:
        found = await session.scalars(
            select(AuditEvent).where(AuditEvent.tenant_id == tenant_id).order_by(AuditEvent.seq)
        )
    return [as_record(row) for row in found]
