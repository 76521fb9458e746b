"""Validates the draft of a room after it has changed, in the one process of all that holds the draft's lease."""

import asyncio
import secrets
from typing import Final

import structlog
from msgspec.structs import asdict
from sqlalchemy.exc import DBAPIError

from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.renewal import HeldLease
from scaiflow_api.domains.sync.keeper.helper import Helper, HelperCrashed, HelperLost
from scaiflow_api.domains.sync.room import Room, RoomOver
from scaiflow_api.domains.sync.varints import Malformed
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import Sync

log = structlog.get_logger(__name__)

_LEASE_S: Final = 15.0
_KEPT_S: Final = 5.0
"""For how long the lease is kept without a change: renewing it is a transaction."""
_ASK_AGAIN_S: Final = 5.0
_LONGEST_DELAY_S: Final = 5.0
"""Who never pauses gets findings even so."""


class Findings:
    """The findings of one room."""

    def __init__(self, room: Room, helper: Helper, leases: Leases, limits: Limits, settings: Sync) -> None:
        self._room = room
        self._helper = helper
        self._leases = leases
        self._limits = asdict(limits)
        self._max_entries = settings.max_entries
        self._delay_s = settings.findings_delay_s
        # Ours alone, for as long as the room is open: what it wrote last is in the draft before it writes again.
        self._client_id = secrets.randbits(32)
        self._lease = f"draft:{room.place.flow_id}"

    async def run(self) -> None:
        """Validate after changes, until cancelled."""
        while True:
            await self._room.changes.wait()
            try:
                async with self._leases.hold(self._lease, ttl_s=_LEASE_S, wait_s=0) as lease:
                    while not lease.lost and await self._changed():
                        await self._validate(lease)
                continue
            except RoomOver:
                return
            except LeaseTaken:
                pass  # whoever holds it sees the same changes; they are ours to look at when it is gone
            except (AppError, DBAPIError, HelperLost, Malformed) as failure:
                log.warning("draft not validated", flow_id=self._room.place.flow_id, failure=repr(failure))
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _changed(self) -> bool:
        """Wait for a change, and until nothing changes for a moment; False: nothing does for long."""
        try:
            async with asyncio.timeout(_KEPT_S):
                await self._room.changes.wait()
        except TimeoutError:
            return False
        loop = asyncio.get_running_loop()
        until = loop.time() + _LONGEST_DELAY_S
        while self._room.changes.is_set() and loop.time() < until:
            self._room.changes.clear()
            await asyncio.sleep(self._delay_s)
        self._room.changes.clear()
        return True

    async def _validate(self, lease: HeldLease) -> None:
        try:
            updates = await self._room.snapshot()
            update = await self._helper.ask(
                "told", updates, self._client_id, self._room.server_keys, self._limits, self._max_entries
            )
        except HelperCrashed:
            raise  # over this very draft: another time it would do so again
        except BaseException:
            self._room.changes.set()  # they are still to be looked at
            raise
        if update and not lease.lost:
            await self._room.insert(update)
