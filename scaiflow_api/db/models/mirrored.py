"""What all rows of the mirror of ScaiKey have."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from scaiflow_api.db.base import UTCDateTime


class Mirrored:
    """A row that ScaiKey's lists and webhooks change. Nothing is ever removed: a row is marked as deleted."""

    changed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When ScaiKey made the newest change that a webhook told of, by its clock: older news changes nothing."""
    absent_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a sync first missed it; it goes when the next one misses it as well."""
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
