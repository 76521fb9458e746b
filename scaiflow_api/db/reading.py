"""Sessions for questions, kept between one use and the next.

Opening a session, taking a connection for it and giving both back costs three times what a short question costs. So
a session goes back with its connection, empty, and whoever reads next continues with it. One that lay for longer than
`FRESH_S` is given up: its connection may be dead by now, and the pool asks before it hands one out.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

FRESH_S: Final = 1.0


class Readers:
    """At most `size` sessions at once; whoever waits longer than `patience_s` for one gets SQLAlchemy's TimeoutError.

    The engine commits each statement by itself: a session that is kept holds no transaction.
    """

    def __init__(self, engine: AsyncEngine, *, size: int, patience_s: float) -> None:
        self._make = async_sessionmaker(engine, expire_on_commit=False)
        self._free = asyncio.Semaphore(size)
        self._patience_s = patience_s
        self._kept: list[tuple[AsyncSession, float]] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a session. Its objects are plain values when the block ends; one that failed is not kept."""
        await self._wait()
        try:
            session = await self._kept_or_new()
            try:
                yield session
            except BaseException:
                async with session:  # closes it, also when somebody cancels that
                    raise
            session.expunge_all()
            self._kept.append((session, time.monotonic()))
        finally:
            self._free.release()

    async def close(self) -> None:
        """Let go of what is kept; the engine is its owner's to dispose of."""
        while self._kept:
            await self._kept.pop()[0].close()

    async def _kept_or_new(self) -> AsyncSession:
        while self._kept:
            session, since = self._kept.pop()
            if time.monotonic() - since < FRESH_S:
                return session
            async with session:
                pass
        return self._make()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection became free within {self._patience_s} s") from None
