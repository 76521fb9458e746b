"""Sessions, kept with their connections between one use and the next.

Opening a session, taking a connection for it and giving both back costs three times what a short question costs. So
a session is given back, empty, with its connection, and the next user continues with it. One that lay for longer than
`FRESH_S` is given up: its connection may be dead by now, and the pool checks a connection before it hands it out.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

FRESH_S: Final = 1.0


@dataclass(slots=True)
class _Kept:
    session: AsyncSession
    open: AsyncExitStack
    """Closes the session and gives its connection back, even when that is cancelled."""
    since: float


class Sessions:
    """At most `size` sessions at once. Waiting longer than `patience_s` for one raises SQLAlchemy's TimeoutError.

    A transaction that is begun in a session must be ended before the session is given back.
    """

    def __init__(self, engine: AsyncEngine, *, size: int, patience_s: float) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(size)
        self._patience_s = patience_s
        self._kept: list[_Kept] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a session. Its objects are plain values when the block ends; one that failed is not kept."""
        await self._wait()
        try:
            taken = await self._kept_or_new()
            try:
                yield taken.session
            except BaseException:
                async with taken.open:
                    raise
            taken.session.expunge_all()
            taken.since = time.monotonic()
            self._kept.append(taken)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Let go of what is kept; the engine is its owner's to dispose of."""
        while self._kept:
            await self._kept.pop().open.aclose()

    async def _kept_or_new(self) -> _Kept:
        while self._kept:
            kept = self._kept.pop()
            if time.monotonic() - kept.since < FRESH_S:
                return kept
            await kept.open.aclose()
        async with AsyncExitStack() as opening:
            connection = await opening.enter_async_context(self._engine.connect())
            session = AsyncSession(connection, expire_on_commit=False)
            await opening.enter_async_context(session)
            return _Kept(session, opening.pop_all(), time.monotonic())

    async def _wait(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await self._free.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no connection became free within {self._patience_s} s") from None
