"""Deployments: what was sent to ScaiGrid, by whom, and how far it came."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import Base, Id, Moment, Name, Text, UTCDateTime, Word


class Deployment(Base):
    """One attempt to deploy a flow. Written before ScaiGrid is called, so that no Core is without a trace."""

    __tablename__ = "deployments"
    __table_args__ = (
        Index("ix_deployments_flow_started", "tenant_id", "flow_id", "started_at", "id"),
        Index("ix_deployments_core", "tenant_id", "core_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    tenant_id: Mapped[Id]
    flow_id: Mapped[Id] = mapped_column(ForeignKey("flows.id"))
    flow_version: Mapped[Word]
    flow_name: Mapped[Name | None]
    """The flow's name at that time, which a rename changes without a version; rows of before 0004 have none."""
    status: Mapped[Word]
    """`pending`, then `running` once there is a Core, then `deployed` or `failed`; `undeployed` when the Core was
    deleted."""
    core_id: Mapped[Id | None]
    published_slug: Mapped[Text | None]
    published_model_id: Mapped[Id | None]
    error: Mapped[Word | None]
    """Why it failed: the code that the caller was given, or `interrupted`."""
    deployed_by: Mapped[Id]
    started_at: Mapped[Moment]
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
