"""Clocks that stand until a test moves them."""

from datetime import datetime, timedelta

from scaiflow_api.kit.clock import Clock


class SettableClock(Clock):
    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


class StopWatch:
    """Seconds of no particular beginning."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds
