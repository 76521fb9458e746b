"""The audit log: what was done and what was refused, one hash chain per tenant."""

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, ExactText, Id, Moment, Word


class AuditEvent(Base):
    """One row of a tenant's chain, never changed. `docs/audit.md` says what each column means."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_flow", "tenant_id", "flow_id", "seq"),
        Index("ix_audit_events_actor", "tenant_id", "actor_id", "seq"),
        Index("ix_audit_events_action", "tenant_id", "action", "seq"),
        Index("ix_audit_events_at", "tenant_id", "at"),
    )

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """1, 2, 3, … within the tenant, without gaps."""
    at: Mapped[Moment]
    actor_id: Mapped[Id]
    actor_tenant_id: Mapped[Id | None]
    """Another than `tenant_id` where a super admin acted; none where the system itself did."""
    action: Mapped[Word]
    outcome: Mapped[Word]
    target_type: Mapped[Word]
    target_id: Mapped[Id]
    flow_id: Mapped[Id | None]
    request_id: Mapped[Id | None]
    before_hash: Mapped[Word | None]
    after_hash: Mapped[Word | None]
    details: Mapped[str] = mapped_column(ExactText(8000))
    """A JSON object, as text: that is what every database gives back as it was written."""
    prev_hash: Mapped[Word]
    hash: Mapped[Word]


class AuditHead(Base):
    """The last row of a tenant's chain. Appending locks it."""

    __tablename__ = "audit_heads"

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[Word]
