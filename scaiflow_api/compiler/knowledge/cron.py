"""Cron expressions of five fields: read, and asked whether any date is ever meant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from cronsim import CronSim, CronSimError
from msgspec import Struct

ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)
"""The parser wants a time to start from; what it reads does not depend on it."""
FIELDS = 5
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
    """Read an expression, also one that never fires. Raises ValueError for what is none."""
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError("not five fields")
    minute, hour, day, month, weekday = fields
    try:
        # In one piece the parser would also refuse days that none of the months has.
        by_day = CronSim(f"{minute} {hour} {day} * {weekday}", ANY_TIME)
        by_month = CronSim(f"{minute} {hour} * {month} {weekday}", ANY_TIME)
    except CronSimError as error:
        raise ValueError(str(error)) from error
    return Cron(
        frozenset(by_day.days), frozenset(by_month.months), frozenset(by_day.weekdays), by_day.day_and
    )
