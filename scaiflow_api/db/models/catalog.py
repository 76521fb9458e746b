"""The catalog: packages, their published versions, and the groups that a package is shown to."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, Name, Text, Word


class CatalogPackage(Base):
    """A package as its tenant sees it now. The files of its versions are in the object store."""

    __tablename__ = "catalog_packages"
    __table_args__ = (
        UniqueConstraint("tenant_id", "package_id"),
        # "What may this caller see, newest first."
        Index("ix_catalog_packages_tenant_updated", "tenant_id", "updated_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """A deleted package and a later one of the same `package_id` have different ones."""
    tenant_id: Mapped[Id]
    package_id: Mapped[Word]
    """The name in addresses and keys, chosen by the author; unique within the tenant."""
    name: Mapped[Name]
    description: Mapped[Text]
    version: Mapped[Word]
    """The version that was published last."""
    author_id: Mapped[Id]
    visibility: Mapped[Word]
    """`tenant`, or `groups`: those in `catalog_package_groups`, which counts for nothing otherwise."""
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class CatalogPackageGroup(Base):
    """A group whose members see a package of visibility `groups`."""

    __tablename__ = "catalog_package_groups"

    catalog_package_id: Mapped[Id] = mapped_column(ForeignKey("catalog_packages.id"), primary_key=True)
    group_id: Mapped[Id] = mapped_column(primary_key=True)


class CatalogVersion(Base):
    """One published version, never changed; its bytes are in the object store."""

    __tablename__ = "catalog_versions"

    catalog_package_id: Mapped[Id] = mapped_column(ForeignKey("catalog_packages.id"), primary_key=True)
    version: Mapped[Word] = mapped_column(primary_key=True)
    author_id: Mapped[Id]
    sha256: Mapped[Word]
    size: Mapped[int]
    """Bytes."""
    created_at: Mapped[Moment]
