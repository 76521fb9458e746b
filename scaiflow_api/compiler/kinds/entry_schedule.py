"""`entry_schedule`: a run starts by the clock."""

import re
from typing import Annotated

from pydantic import AfterValidator

from scaiflow_api.compiler.kinds.base import ENTRY, JSON, EntryConfig, EntryKind, Port
from scaiflow_api.compiler.knowledge.cron import read_cron

TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


def _cron(text: str) -> str:
    read_cron(text)
    return text


def _time_zone(text: str) -> str:
    if TIME_ZONE.fullmatch(text) is None:
        raise ValueError("not the name of a time zone, such as Europe/Amsterdam")
    return text


class EntryScheduleConfig(EntryConfig):
    """When runs start: a cron expression of five fields, in a time zone."""

    cron: Annotated[str, AfterValidator(_cron)] = "0 * * * *"
    """Five fields: minute, hour, day of the month, month, day of the week."""
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """A name of the tz database; an unknown one gives a warning."""

    def trigger_fields(self) -> dict[str, JSON]:
        return {"cron": self.cron, "timezone": self.timezone}


ENTRY_SCHEDULE = EntryKind(
    name="entry_schedule",
    title="Schedule Entry",
    description="Starts runs by the clock.",
    category=ENTRY,
    config=EntryScheduleConfig,
    trigger="schedule",
    outputs=(Port("out_tick", "tick"),),
)
