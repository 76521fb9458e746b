"""Times as ScaiGrid and its modules write them: UTC, milliseconds."""

from datetime import UTC, datetime


def wire_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def iso(seconds: float) -> str:
    """Return a moment that is kept as seconds since 1970."""
    return wire_time(datetime.fromtimestamp(seconds, UTC))


def iso_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else iso(seconds)
