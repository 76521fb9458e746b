"""Taking turns by key within one process: spares a crowd the work of losing a race it would lose anyway."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class TurnNotHad(Exception):
    """Others had their turns for as long as we would wait."""


class Turns:
    """One lock per key, forgotten when nobody waits for it. Correctness must never rest on it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key: str, *, until: float) -> AsyncIterator[None]:
        """Have the turn for the length of the block. Raises TurnNotHad where it does not come `until` then.

        The moment is one of `time.monotonic`. Where a turn takes long, because a store or a database hangs, those who
        wait would else wait for all before them, one after the other.
        """
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await lock.acquire()
        except TimeoutError:
            raise TurnNotHad from None
        try:
            yield
        finally:
            lock.release()
