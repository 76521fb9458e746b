"""`entry_schedule`: a run starts by the clock."""

import re
from datetime import UTC, datetime
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

from scaiflow_api.compiler.kinds.base import JSON, EntryConfig, EntryKind

ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)
"""The parser wants a time to start from; what it accepts does not depend on it."""
CRON_FIELDS = 5
TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


def _cron(text: str) -> str:
    if len(text.split()) != CRON_FIELDS:
        raise ValueError("not five fields")
    try:
        CronSim(text, ANY_TIME)
    except CronSimError as error:
        raise ValueError(str(error)) from error
    return text


def _time_zone(text: str) -> str:
    if TIME_ZONE.fullmatch(text) is None:
        raise ValueError("not the name of a time zone, such as Europe/Amsterdam")
    return text


class EntryScheduleConfig(EntryConfig):
    """When runs start: a cron expression of five fields, in a time zone."""

    cron: Annotated[str, AfterValidator(_cron)] = "0 * * * *"
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """A name of the tz database. Only its form is checked: the compiler reads no files."""

    def trigger_fields(self) -> dict[str, JSON]:
        return {"cron": self.cron, "timezone": self.timezone}


ENTRY_SCHEDULE = EntryKind("entry_schedule", "schedule", EntryScheduleConfig, ("out_tick",))
