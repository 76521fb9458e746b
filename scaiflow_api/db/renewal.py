"""Renewing what expires: something is ours until a moment that we keep moving ahead while we live."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from scaiflow_api.kit.errors import AppError

log = structlog.get_logger(__name__)


class HeldLease:
    """What is ours until it runs out. `lost` becomes true when it could not be renewed in time."""

    def __init__(self, name: str, holder: str) -> None:
        self.name = name
        self.holder = holder
        self.lost = False


@asynccontextmanager
async def renewing(
    held: HeldLease, renew: Callable[[], Awaitable[bool]], *, ttl_s: float
) -> AsyncIterator[None]:
    """Renew at a third of `ttl_s` for the length of the block; `renew` tells whether it was still ours."""
    task = asyncio.create_task(_keep(held, renew, ttl_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(held: HeldLease, renew: Callable[[], Awaitable[bool]], ttl_s: float) -> None:
    """Renew until cancelled. A database that is away for a moment is asked again until the time is over."""
    renewed_at = time.monotonic()
    while not held.lost:
        await asyncio.sleep(ttl_s / 3)
        try:
            if await renew():
                renewed_at = time.monotonic()
                continue
            held.lost = True
        except (AppError, DBAPIError):
            held.lost = time.monotonic() - renewed_at > ttl_s
    log.warning("lease lost", lease=held.name)
