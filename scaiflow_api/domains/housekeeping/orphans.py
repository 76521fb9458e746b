"""Objects without a row: what a crash between object and row left, and the files of deleted packages.

The store is read page by page, and each page is compared with the rows. A row may come after its object, but not
long after (`storage.promptness`); so an object is judged when the grace period is over. Just before an orphan is
removed, it is looked at once more: there must still be no row, and the object must be the one that was seen.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from scaiflow_api.db.session import Database
from scaiflow_api.domains.housekeeping.errors import ForeignStore
from scaiflow_api.domains.housekeeping.report import Objects
from scaiflow_api.domains.housekeeping.repository import Place, named_flow_versions, named_package_versions
from scaiflow_api.storage import BlobInfo, BlobStore, FlowVersions, PackageFiles

log = structlog.get_logger(__name__)

_PAGE: Final = 500
_AT_ONCE: Final = 10_000
"""Orphans that are remembered until they are removed; more are found by reading the store again."""

Ask: TypeAlias = Callable[[AsyncSession, Collection[Place]], Awaitable[set[Place]]]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an object says by its key that it is."""

    ask: Ask
    place: Place


class Orphans:
    """Finds and removes the objects that no row names."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs

    async def count(self, before: datetime, objects: Objects) -> None:
        """Note what there is; remove nothing. Raises the errors of store and database, as `remove` does."""
        async for orphan in self._found(before, objects):
            objects.note_orphan(orphan.key, orphan.size)

    async def remove(
        self, before: datetime, objects: Objects, *, force: bool, go_on: Callable[[], None]
    ) -> None:
        """Remove orphans put before that moment; `go_on` raises when the turn is no longer ours.

        Raises ForeignStore, unless by `force`, where rows name none of the objects.
        """
        found, rest = await self._survey(before, objects)
        if found and not objects.named and not force:
            raise ForeignStore(objects.orphans)
        while found:
            removed = objects.removed
            for orphan in found:
                go_on()
                await self._remove(orphan, objects)
            if not rest or objects.removed == removed:
                return
            found, rest = await self._survey(before, Objects())

    async def _survey(self, before: datetime, objects: Objects) -> tuple[list[BlobInfo], bool]:
        """Return the first orphans, and whether there are more."""
        found: list[BlobInfo] = []
        async for orphan in self._found(before, objects):
            objects.note_orphan(orphan.key, orphan.size)
            if len(found) < _AT_ONCE:
                found.append(orphan)
        return found, objects.orphans > len(found)

    async def _found(self, before: datetime, objects: Objects) -> AsyncIterator[BlobInfo]:
        async for page in _pages(self._blobs.keys("")):
            asked: dict[Ask, dict[Place, BlobInfo]] = defaultdict(dict)
            for blob in page:
                objects.seen += 1
                claim = _claim_of(blob.key)
                if claim is None:
                    objects.note_foreign(blob.key)
                elif blob.modified >= before:
                    objects.young += 1
                else:
                    asked[claim.ask][claim.place] = blob
            for ask, blobs in asked.items():
                async with self._db.read() as session:
                    named = await ask(session, blobs.keys())
                for place, blob in blobs.items():
                    if place in named:
                        objects.named += 1
                    else:
                        yield blob

    async def _remove(self, orphan: BlobInfo, objects: Objects) -> None:
        claim = _claim_of(orphan.key)
        assert claim is not None, "only what is named like ours is an orphan"
        async with self._db.read() as session:
            if claim.place in await claim.ask(session, [claim.place]):
                return
        if orphan not in [blob async for blob in self._blobs.keys(orphan.key)]:
            return
        await self._blobs.delete(orphan.key)
        objects.removed += 1
        objects.removed_bytes += orphan.size
        log.info("orphan removed", key=orphan.key, size=orphan.size)


def _claim_of(key: str) -> _Claim | None:
    if (place := FlowVersions.KEYS.place_of(key)) is not None:
        return _Claim(named_flow_versions, place)
    if (place := PackageFiles.KEYS.place_of(key)) is not None:
        return _Claim(named_package_versions, place)
    return None


async def _pages(blobs: AsyncIterator[BlobInfo]) -> AsyncIterator[Sequence[BlobInfo]]:
    page: list[BlobInfo] = []
    async for blob in blobs:
        page.append(blob)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
