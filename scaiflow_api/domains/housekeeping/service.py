"""One round of housekeeping: orphans, unfinished files, expired idempotency keys."""

from datetime import timedelta
from typing import Final

from scaiflow_api.db.idempotency_keys import IdempotencyKeys
from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.session import Database
from scaiflow_api.domains.housekeeping.errors import AlreadyRunning, TurnLost
from scaiflow_api.domains.housekeeping.orphans import Orphans
from scaiflow_api.domains.housekeeping.report import Report
from scaiflow_api.kit.clock import Clock
from scaiflow_api.storage import BlobStore

_LEASE: Final = "gc"
_LEASE_S: Final = 300.0
"""Longer than one call of the store may take: while one gc is inside a deletion, no other begins."""
_KEYS_AT_ONCE: Final = 500


class Housekeeping:
    """May run while the API serves; of several that run at once, one removes and the others are refused."""

    def __init__(self, db: Database, blobs: BlobStore, clock: Clock, *, grace_s: float) -> None:
        self._blobs = blobs
        self._clock = clock
        self._grace = timedelta(seconds=grace_s)
        self._leases = Leases(db)
        self._keys = IdempotencyKeys(db)
        self._orphans = Orphans(db, blobs)

    def begin(self, *, dry_run: bool) -> Report:
        """Return the report of a round that begins now."""
        return Report(dry_run, self._clock.now() - self._grace)

    async def run(self, report: Report, *, force: bool = False) -> None:
        """Do what the report says, and fill it in.

        Raises HousekeepingStopped, and the errors of database and store; the report then tells how far it came.
        """
        if report.dry_run:
            await self._look(report)
        else:
            try:
                async with self._leases.hold(_LEASE, ttl_s=_LEASE_S, wait_s=0) as lease:

                    def go_on() -> None:
                        if lease.lost:
                            raise TurnLost

                    await self._orphans.remove(report.before, report.objects, force=force, go_on=go_on)
            except LeaseTaken:
                raise AlreadyRunning from None
            report.unfinished_files = await self._blobs.sweep(report.before)
            while gone := await self._keys.remove_expired(at_most=_KEYS_AT_ONCE):
                report.idempotency_keys += gone
        report.complete = True

    async def _look(self, report: Report) -> None:
        await self._orphans.count(report.before, report.objects)
        report.unfinished_files = await self._blobs.sweep(report.before, dry_run=True)
        report.idempotency_keys = await self._keys.count_expired()
