"""A rate limit: a burst of requests at once, and then evenly at that rate."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from cachetools import TTLCache

WINDOW_S: Final = 60.0
_MOST_CALLERS: Final = 50_000
"""Some 10 MB; beyond it the caller seen longest ago is forgotten, and may begin anew."""


class Rate(Protocol):
    """Counts turns. What it counts by is the caller's business."""

    async def take(self, who: str) -> float:
        """Take a turn and return 0; without one left, return the seconds until there is one."""
        ...

    async def close(self) -> None:
        """Let go of what it holds open."""
        ...


class ProcessRate:
    """Turns of one process, by the generic cell rate algorithm: of each caller one moment is kept.

    That moment is when all turns taken so far would have been taken, had they come evenly. It may lie up to a minute
    ahead; once it has passed it says nothing any more, which is when the cache forgets it.
    """

    def __init__(self, per_minute: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = WINDOW_S / per_minute
        self._seconds = seconds
        self._even: TTLCache[str, float] = TTLCache(_MOST_CALLERS, WINDOW_S, timer=seconds)

    async def take(self, who: str) -> float:
        now = self._seconds()
        even = max(self._even.get(who, now), now) + self._interval_s
        if even - now > WINDOW_S * 1.000_001:  # sums of fractions may exceed it by a hair
            return even - now - WINDOW_S
        self._even[who] = even
        return 0.0

    async def close(self) -> None:
        """There is nothing open."""
