"""People as ScaiFlow knows them: a mirror of ScaiKey, and the roles that are kept here."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, Name, UTCDateTime, Word


class User(Base):
    """A principal that was seen or mirrored. An id is unique within its tenant."""

    __tablename__ = "users"

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    email: Mapped[Name | None]
    display_name: Mapped[Name | None]
    status: Mapped[Word]
    """ScaiKey's word: `ACTIVE`, `SUSPENDED`, …"""
    manual_role: Mapped[Word | None]
    manual_role_source: Mapped[Word | None]
    """`manual` (granted by a person) or `bootstrap` (granted on the host)."""
    created_at: Mapped[Moment]
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
