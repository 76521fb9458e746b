"""Flows, their versions, and who else may use them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from scaiflow_api.db.base import Base, ExactBytes, Id, Moment, Name, NameKey, Text, UTCDateTime, Word
from scaiflow_api.db.name_tails import LONGEST


def name_key(name: str) -> str:
    """Return what a name is sorted and searched by, the same on every database."""
    return name.lower()


class Flow(Base):
    """A flow as it stands now. Its document is in the object store, under `version`."""

    __tablename__ = "flows"
    __table_args__ = (
        # "What may this caller see, newest first": a tenant's admin, also with a name like this; and an owner.
        Index("ix_flows_tenant_updated", "tenant_id", "deleted_at", "updated_at", "id", "name_key"),
        Index("ix_flows_tenant_owner_updated", "tenant_id", "owner_id", "deleted_at", "updated_at", "id"),
        # The same in the other orders.
        Index("ix_flows_tenant_created", "tenant_id", "deleted_at", "created_at", "id", "name_key"),
        Index("ix_flows_tenant_name", "tenant_id", "deleted_at", "name_key", "id"),
        # "Which of these flows, and in which order": all that a list asks of a flow that it does not show. MariaDB
        # keeps rows in their primary key, and PostgreSQL finds a row by a hash in two thirds of the time.
        Index(
            "ix_flows_listed",
            *("id", "tenant_id", "deleted_at", "updated_at", "created_at", "name_key"),
            info={"only": "sqlite"},
        ),
        Index("ix_flows_id", "id", postgresql_using="hash", info={"only": "postgresql"}),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    tenant_id: Mapped[Id]
    owner_id: Mapped[Id]
    name: Mapped[Name]
    name_key: Mapped[NameKey] = mapped_column(server_default="")
    """What names are sorted and searched by; it follows `name`."""
    description: Mapped[Text]
    version: Mapped[Word]
    revision: Mapped[int] = mapped_column(default=1)
    """Raised by every change of the row; with `version` it makes the ETag."""
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @validates("name")
    def _named(self, _: str, name: str) -> str:
        self.name_key = name_key(name)
        return name


class FlowNameTail(Base):
    """Where a flow that is not deleted is found by a part of its name.

    All columns are the key, so that it answers alone. No foreign key: it would be asked for each tail, and rows of
    flows stay.
    """

    __tablename__ = "flow_name_tails"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - as SQLAlchemy wants it

    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    tail: Mapped[bytes] = mapped_column(ExactBytes(LONGEST), primary_key=True)
    seen: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """`Tail` says what these two are."""
    flow_id: Mapped[Id] = mapped_column(primary_key=True)


class FlowCount(Base):
    """How many flows of a tenant, that are not deleted, have a part in their name; the empty part is in each.

    It begins with the part, so that what all tenants have is one range. Rows stay, also at 0: they are as many as the
    letters that a tenant ever used.
    """

    __tablename__ = "flow_counts"

    part: Mapped[bytes] = mapped_column(ExactBytes(4), primary_key=True)
    tenant_id: Mapped[Id] = mapped_column(primary_key=True)
    flows: Mapped[int]


class FlowVersion(Base):
    """One saved document, never changed; its bytes are in the object store."""

    __tablename__ = "flow_versions"

    flow_id: Mapped[Id] = mapped_column(ForeignKey("flows.id"), primary_key=True)
    version: Mapped[Word] = mapped_column(primary_key=True)
    author_id: Mapped[Id]
    message: Mapped[Text]
    sha256: Mapped[Word]
    size: Mapped[int]
    created_at: Mapped[Moment]


class FlowAcl(Base):
    """An explicit grant of a level to a user or a group."""

    __tablename__ = "flow_acls"
    __table_args__ = (
        UniqueConstraint("flow_id", "principal_type", "principal_id"),
        Index("ix_flow_acls_principal", "principal_type", "principal_id", "flow_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    flow_id: Mapped[Id] = mapped_column(ForeignKey("flows.id"))
    principal_type: Mapped[Word]
    """`user` or `group`."""
    principal_id: Mapped[Id]
    level: Mapped[Word]
    granted_by: Mapped[Id]
    granted_at: Mapped[Moment]
