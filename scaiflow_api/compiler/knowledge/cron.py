"""Cron expressions of five fields: read, and asked whether any date is ever meant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from cronsim import CronSim, CronSimError
from msgspec import Struct

ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)
"""The parser wants a time to start from; what it reads does not depend on it."""
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7, or SUN to SAT",
}
"""The names that the parser gives to the fields, in their order, and what each may hold."""
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""What some crons understand, and its five fields."""
MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""January first; in days, February as in leap years."""
WEEK = 7

Weekday: TypeAlias = int | tuple[int, int]
"""0 to 7 with Sunday as both, or one with its number in the month (1 to 5, or `CronSim.LAST`)."""


class Cron(Struct, frozen=True):
    """The days that an expression means; its hours and minutes occur on every day."""

    days: frozenset[int]
    """1 to 31, `CronSim.LAST` or `CronSim.LAST_WEEKDAY`."""
    months: frozenset[int]
    weekdays: frozenset[Weekday]
    needs_both: bool
    """Whether day and weekday must both fit: one of the fields begins with a star. Otherwise either will do."""

    @property
    def ever_fires(self) -> bool:
        """Whether there is a date that it means, in some year."""
        if not self.needs_both:
            return True
        return any(self._may_fall_on(month, date) for month in self.months for date in self._dates(month))

    def _dates(self, month: int) -> Iterator[int]:
        length = MONTH_LENGTHS[month - 1]
        for day in self.days:
            match day:
                case CronSim.LAST:
                    yield length
                case CronSim.LAST_WEEKDAY:
                    yield from range(length - 2, length + 1)
                case _ if day <= length:
                    yield day

    def _may_fall_on(self, month: int, date: int) -> bool:
        """Return whether a date is one of the weekdays in some year; every date falls on each of the seven."""
        for weekday in self.weekdays:
            if isinstance(weekday, int):
                return True
            number = weekday[1]
            if number == CronSim.LAST and date > MONTH_LENGTHS[month - 1] - WEEK - (month == 2):
                return True
            if (date - 1) // WEEK + 1 == number:
                return True
        return False


def read_cron(text: str) -> Cron:
    """Read an expression, also one that never fires. Raises ValueError, in words for people, for what is none."""
    fields = text.split()
    if len(fields) != len(FIELDS):
        meant = NICKNAMES.get(text.strip().lower())
        found = f"write {meant}" if meant else f"found {len(fields)}"
        raise ValueError(f"expected five fields (minute, hour, day, month, day of the week); {found}")
    minute, hour, day, month, weekday = fields
    try:
        # In one piece the parser would also refuse days that none of the months has.
        by_day = CronSim(f"{minute} {hour} {day} * {weekday}", ANY_TIME)
        by_month = CronSim(f"{minute} {hour} * {month} {weekday}", ANY_TIME)
    except CronSimError as error:
        raise ValueError(_complaint(str(error), fields)) from error
    return Cron(
        frozenset(by_day.days), frozenset(by_month.months), frozenset(by_day.weekdays), by_day.day_and
    )


def _complaint(said: str, fields: list[str]) -> str:
    """Return what is wrong, from the parser's `Bad minute`."""
    for (name, values), field in zip(FIELDS.items(), fields, strict=True):
        if said == f"Bad {name}":
            words = name.replace("-of-", " of the ")
            return f"the {words} cannot be '{field:.40}': expected {values}; ranges go upwards"
    return said
