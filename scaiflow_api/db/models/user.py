"""People as ScaiFlow knows them: a mirror of ScaiKey, and the roles that are kept here."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, Name, UTCDateTime, Word
from scaiflow_api.db.models.mirrored import Mirrored


class User(Mirrored, Base):
    """A principal that was seen or mirrored. An id is unique within its tenant."""

    __tablename__ = "users"
    __table_args__ = (
        # "Who are the super admins": few of many, and whoever takes a role away locks them.
        Index("ix_users_manual_role", "manual_role"),
        Index("ix_users_group_role", "group_role"),
    )

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    email: Mapped[Name | None]
    display_name: Mapped[Name | None]
    status: Mapped[Word]
    """ScaiKey's word: `ACTIVE`, `SUSPENDED`, …"""
    manual_role: Mapped[Word | None]
    manual_role_source: Mapped[Word | None]
    """`manual` (granted by a person) or `bootstrap` (granted on the host)."""
    group_role: Mapped[Word | None]
    """What membership in a group gives; the higher of the two roles counts."""
    created_at: Mapped[Moment]
    last_synced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When ScaiKey last told news of this user; never: the groups in the token count, else the mirror's."""
