"""Idempotency keys: what was asked under a key, and what was answered."""

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Bytes, Id, Word


class IdempotencyKey(Base):
    """A key in use. Once `expires_ms` is over the row counts for nothing, and `scaiflow gc` removes it."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires", "expires_ms"),)

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    digest: Mapped[Word] = mapped_column(primary_key=True)
    """Of caller, route and key: the key itself is the caller's, and nobody's to read here."""
    fingerprint: Mapped[Word]
    """Of the request; another request may not have the key."""
    holder: Mapped[Word]
    """Who does the work, as in a lease."""
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    """Milliseconds since 1970 by the database's clock."""
    answer: Mapped[bytes | None] = mapped_column(Bytes)
    """None: the work is under way."""
