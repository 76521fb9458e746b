"""What is known of ScaiKey's directory as a whole, and of the news from it."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, UTCDateTime, Word


class DirectoryState(Base):
    """One row per kind of thing that is mirrored; a change of roles by groups locks the row `roles`."""

    __tablename__ = "directory_state"

    name: Mapped[Word] = mapped_column(primary_key=True)
    """`users`, `groups` or `roles`."""
    taken_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the sync began that read it last."""


class WebhookEvent(Base):
    """A webhook that was dealt with; it is kept for as long as it could come again."""

    __tablename__ = "webhook_events"
    __table_args__ = (Index("ix_webhook_events_received", "received_at"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    type: Mapped[Id]
    handled: Mapped[bool]
    received_at: Mapped[Moment]
