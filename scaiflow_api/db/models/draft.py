"""Drafts: what people edit together before it is saved, as a log of changes."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Bytes, Id, Moment, Word


class SyncDocument(Base):
    """The draft of a flow. Adding to its log, or shortening it, takes the lock of this row."""

    __tablename__ = "sync_documents"

    flow_id: Mapped[Id] = mapped_column(ForeignKey("flows.id"), primary_key=True)
    tenant_id: Mapped[Id]
    epoch: Mapped[Word]
    """Names the history that the log tells. Those of two epochs cannot be merged."""
    applied_version: Mapped[Word]
    """The newest version of the flow whose changes are in the draft."""
    last_seq: Mapped[int] = mapped_column(BigInteger)
    """The number of the last entry of the log."""
    merged_seq: Mapped[int] = mapped_column(BigInteger)
    """The entries up to this one were merged into it; 0: none were."""
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes of the log."""
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class SyncUpdate(Base):
    """A part of one entry of a draft's log; the parts together are a Yjs update, format 1."""

    __tablename__ = "sync_updates"

    flow_id: Mapped[Id] = mapped_column(ForeignKey("sync_documents.flow_id"), primary_key=True)
    epoch: Mapped[Word] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(Bytes)
