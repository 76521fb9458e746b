"""Answers that are dear to get and may be a moment old: remembered for seconds, and got once for a crowd."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from cachetools import TTLCache

_PER_ENTRY: Final = 1024


class Sized(Protocol):
    """An answer that tells what it weighs."""

    def __len__(self) -> int: ...


A = TypeVar("A", bound=Sized)


@dataclass(slots=True)
class _Flight(Generic[A]):
    task: asyncio.Task[A]
    waiting: int = 0


class RecentAnswers(Generic[A]):
    """Bounded by bytes: the oldest go first, and one that is larger than all of it is not kept. Failures never are.

    With `seconds` or `max_bytes` 0 nothing is kept, but a crowd still shares one call. Belongs to one event loop.
    """

    def __init__(
        self, *, seconds: float, max_bytes: int, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept: TTLCache[Hashable, A] = TTLCache(
            max_bytes if seconds else 0, seconds, timer, getsizeof=lambda answer: len(answer) + _PER_ENTRY
        )
        self._flights: dict[Hashable, _Flight[A]] = {}

    async def of(self, key: Hashable, get: Callable[[], Awaitable[A]]) -> A:
        """Return a recent answer, else what `get` returns or raises; who asks meanwhile shares that.

        `get` runs as a task of its own: it ends early only when nobody waits for it any more.
        """
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(self._got(key, get)))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _got(self, key: Hashable, get: Callable[[], Awaitable[A]]) -> A:
        answer = await get()
        if len(answer) + _PER_ENTRY <= self._kept.maxsize:
            self._kept[key] = answer
        return answer
