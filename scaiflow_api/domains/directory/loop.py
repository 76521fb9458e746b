"""When the mirror is synced: by the leading process at start and every hour, and whenever a webhook asks for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.domains.directory.report import SyncReport
from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import Resources
from scaiflow_api.upstreams.failures import UpstreamError

log = structlog.get_logger(__name__)

_LEASE = "directory leader"
_LEASE_S = 60.0
_FOLLOW_UP_S = 300.0
"""How soon a sync follows one that missed rows, which go only when they are missed twice."""
_FIRST_RETRY_S = 5.0
_ASK_AGAIN_S = 60.0
"""How soon a sync that a webhook asked for is tried again when it failed."""
_GATHER_S = 2.0
"""Events come in crowds; one sync follows them all."""
_WAIT_FOR_RUNNING_S = 600.0


class SyncLoop:
    """Syncs without being asked by a person. A failed sync is tried again sooner than the next one would come."""

    def __init__(self, resources: Resources) -> None:
        self._sync = DirectorySync(resources)
        self._leases = Leases(resources.db)
        self._wanted = resources.sync_wanted
        self._interval_s = resources.settings.directory.sync_interval_minutes * 60

    async def lead(self) -> None:
        """Become the leader when there is none, and then sync at once and every hour, until cancelled."""
        while True:
            # The lease is kept between syncs: the processes that wait for it know that somebody leads.
            with suppress(LeaseTaken, AppError):
                async with self._leases.hold(_LEASE, ttl_s=_LEASE_S, wait_s=0) as lease:
                    await self._lead(lease)
            await asyncio.sleep(_LEASE_S / 2)

    async def follow(self) -> None:
        """Sync soon after a webhook asked for it, until cancelled. A running sync may have begun too early."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(_GATHER_S)
            self._wanted.clear()
            if await self._once(wait_s=_WAIT_FOR_RUNNING_S) is None:
                # The request stands; the same sync will also cover the events that come meanwhile.
                await asyncio.sleep(_ASK_AGAIN_S)
                self._wanted.set()

    async def _lead(self, lease: HeldLease) -> None:
        retry_s = _FIRST_RETRY_S
        while not lease.lost:
            report = await self._once(wait_s=0)
            # A sync that runs may be that of a process that is gone, until its lease ends.
            if report is None or report.skipped_reason == "already_running":
                pause_s, retry_s = min(retry_s, self._interval_s), retry_s * 2
            else:
                pause_s, retry_s = self._interval_s, _FIRST_RETRY_S
                if report.missed_once:
                    pause_s = min(pause_s, _FOLLOW_UP_S)
            await _sleep_while_held(lease, pause_s)

    async def _once(self, *, wait_s: float) -> SyncReport | None:
        """Sync; None when it failed, which is in the log."""
        try:
            report = await self._sync.run(wait_s=wait_s)
        except (UpstreamError, AppError) as failure:
            log.warning("directory sync failed", failure=str(failure))
            return None
        except Exception:
            # The loop must outlive a bug: without it nobody would be suspended, hour after hour.
            log.exception("directory sync failed unexpectedly")
            return None
        if report.skipped_reason is None:
            log.info(
                "directory synced",
                users=report.users_seen,
                groups=report.groups_seen,
                s=report.duration_seconds,
            )
        return report


async def _sleep_while_held(lease: HeldLease, seconds: float) -> None:
    while seconds > 0 and not lease.lost:
        await asyncio.sleep(min(seconds, _LEASE_S / 3))
        seconds -= _LEASE_S / 3


@asynccontextmanager
async def syncing(resources: Resources) -> AsyncIterator[None]:
    """Keep the mirror up to date for the length of the block. Without a ScaiKey there is nothing to do."""
    settings = resources.settings
    if not settings.scaikey.base_url:
        yield
        return
    loop = SyncLoop(resources)
    tasks = [asyncio.create_task(loop.follow())]
    if settings.directory.sync_interval_minutes:
        tasks.append(asyncio.create_task(loop.lead()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
