"""Taking a lease: one holder at a time across all processes, without a transaction held open.

Time is the database's, so that processes with different clocks agree. A holder that dies loses its lease when it
runs out; one that lives renews it.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import CursorResult, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from scaiflow_api.db.clock import now_ms
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.db.renewal import HeldLease, renewing
from scaiflow_api.db.session import Database
from scaiflow_api.kit.errors import AppError

log = structlog.get_logger(__name__)

_ASK_AGAIN_S = 0.5


class LeaseTaken(Exception):
    """Somebody else holds it, and did so for as long as we would wait."""


class Leases:
    """Takes, renews and gives back leases. Every statement is its own short transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @asynccontextmanager
    async def hold(self, name: str, *, ttl_s: float, wait_s: float) -> AsyncIterator[HeldLease]:
        """Hold a lease for the length of the block, renewing it at a third of `ttl_s`.

        Raises LeaseTaken when somebody else kept it for `wait_s` seconds.
        """
        lease = HeldLease(name, secrets.token_hex(16))
        until = time.monotonic() + wait_s
        while not await self.take(lease.name, lease.holder, ttl_s=ttl_s):
            left = until - time.monotonic()
            if left <= 0:
                raise LeaseTaken
            await asyncio.sleep(min(left, random.uniform(0.5, 1.0) * _ASK_AGAIN_S))  # noqa: S311 - spreads a crowd
        try:
            async with renewing(
                lease, lambda: self.renew(lease.name, lease.holder, ttl_s=ttl_s), ttl_s=ttl_s
            ):
                yield lease
        finally:
            await self._give_back(lease)

    async def take(self, name: str, holder: str, *, ttl_s: float) -> bool:
        """Take a lease that nobody has, or whose holder let it run out; tells whether it is ours now."""
        # Looking first: two failed inserts of the same row can be a deadlock on MariaDB. For the same reason a row,
        # once there, stays.
        async with self._db.read() as session:
            known = await session.scalar(select(Lease.name).where(Lease.name == name)) is not None
        expires = now_ms() + int(ttl_s * 1000)
        if not known:
            try:
                async with self._db.write() as session:
                    await session.execute(insert(Lease).values(name=name, holder=holder, expires_ms=expires))
            except IntegrityError:
                return False
            return True
        return await self._change(
            update(Lease)
            .where(Lease.name == name, Lease.expires_ms <= now_ms())
            .values(holder=holder, expires_ms=expires)
        )

    async def renew(self, name: str, holder: str, *, ttl_s: float) -> bool:
        """Prolong our lease; False when it is not ours any more."""
        return await self._change(
            update(Lease)
            .where(Lease.name == name, Lease.holder == holder, Lease.expires_ms > now_ms())
            .values(expires_ms=now_ms() + int(ttl_s * 1000))
        )

    async def release(self, name: str, holder: str) -> None:
        """Give our lease back; one that is not ours any more is left alone."""
        await self._change(
            update(Lease).where(Lease.name == name, Lease.holder == holder).values(expires_ms=0)
        )

    async def _change(self, statement: Any) -> bool:
        async with self._db.write() as session:
            result = await session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(result, CursorResult)
        return result.rowcount == 1

    async def _give_back(self, lease: HeldLease) -> None:
        try:
            await self.release(lease.name, lease.holder)
        except (AppError, DBAPIError) as failure:
            # What the lease protected is done; it runs out by itself.
            log.warning("lease not given back", lease=lease.name, failure=type(failure).__name__)
