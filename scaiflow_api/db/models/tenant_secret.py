"""Secrets of tenants, encrypted: kept here where there is no ScaiVault."""

from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Bytes, Id, Word


class TenantSecret(Base):
    """The newest version of a secret; earlier ones are overwritten."""

    __tablename__ = "tenant_secrets"

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[Word] = mapped_column(primary_key=True)
    version: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(Bytes)
