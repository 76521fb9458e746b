"""Groups of people and who is in them: a mirror of ScaiKey."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, Name, UTCDateTime
from scaiflow_api.db.models.mirrored import Mirrored


class Group(Mirrored, Base):
    """A group of one tenant. An id is unique within its tenant."""

    __tablename__ = "groups"

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[Name]
    created_at: Mapped[Moment]
    last_synced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Membership(Mirrored, Base):
    """Somebody in a group, directly or through a group inside it: the mirror flattens nesting.

    It refers to its user and group without foreign keys: ScaiKey tells of them in no certain order.
    """

    __tablename__ = "memberships"
    __table_args__ = (Index("ix_memberships_group", "tenant_id", "group_id", "user_id"),)

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(primary_key=True)
    group_id: Mapped[Id] = mapped_column(primary_key=True)
    direct: Mapped[bool] = mapped_column(default=True)
    """False: only through a group inside."""
    created_at: Mapped[Moment]


class GroupNesting(Base):
    """A group inside a group. Memberships hold what follows from it; this says why."""

    __tablename__ = "group_nestings"

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    child_id: Mapped[Id] = mapped_column(primary_key=True)
    group_id: Mapped[Id] = mapped_column(primary_key=True)
