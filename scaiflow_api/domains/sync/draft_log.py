"""The log of one draft, as a room sees it: every method is its own short transaction."""

from dataclasses import dataclass

from scaiflow_api.db.drafts import Drafts, Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.session import Database
from scaiflow_api.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Place:
    """Which flow it is about."""

    tenant_id: str
    flow_id: str


class DraftLog:
    """Raises DatabaseUnavailable."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def find(self, place: Place) -> SyncDocument | None:
        """Return the draft as it is now."""
        async with self._db.read() as session:
            return await Drafts(session).find(place.tenant_id, place.flow_id)

    async def since(self, draft: SyncDocument, seq: int) -> list[Entry]:
        """Return the entries behind `seq`."""
        async with self._db.read() as session:
            return await Drafts(session).entries(draft, after=seq)

    async def append(self, draft: SyncDocument, updates: list[bytes]) -> int | None:
        """Store changes, and return the number of the last; None: the epoch is over."""
        async with self._db.write() as session:
            return await Drafts(session).append(draft, updates, now=self._clock.now())

    async def merge(self, draft: SyncDocument, *, seq: int, merged: bytes) -> bool:
        """Put one entry in the place of those up to `seq`."""
        async with self._db.write() as session:
            return await Drafts(session).merge(draft, seq=seq, merged=merged)

    async def begin(self, place: Place, *, epoch: str, version: str, seed: bytes) -> None:
        """Begin a draft. Raises IntegrityError where somebody else was faster."""
        async with self._db.write() as session:
            await Drafts(session).begin(
                place.tenant_id, place.flow_id, epoch=epoch, version=version, seed=seed, now=self._clock.now()
            )
