"""Threads for blocking store calls, apart from the loop's default pool."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Workers:
    """A bounded pool. The default pool has few threads and is shared: a slow store would block it."""

    def __init__(self, name: str, *, threads: int, deadline: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._deadline = deadline

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread. Raises TimeoutError after the deadline (seconds, waiting included).

        Work that has begun goes on after the deadline or a cancellation: a thread cannot be stopped.
        """
        async with asyncio.timeout(self._deadline):
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """Wait for the running work."""
        await asyncio.to_thread(self._pool.shutdown)
