"""Leases: the right to do something alone for a while."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Word


class Lease(Base):
    """A name that at most one holder has until it runs out."""

    __tablename__ = "leases"

    name: Mapped[Id] = mapped_column(primary_key=True)
    holder: Mapped[Word]
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    """Milliseconds since 1970 by the database's clock; MariaDB's floats could not hold that."""
