"""Bringing saved versions into drafts: right after a save, and again before a draft is used.

A save is two steps, the flow's row and then its draft. Each stands for itself: where a process dies between them, the
draft's `applied_version` is behind, and the next to load the draft merges what is missing. If several do so at the
same moment, one adds its update; the compare-and-set of the others fails, and their updates are dropped.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from scaiflow_api.db.drafts import Drafts, Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.domains.sync.draft.conversions import Conversions
from scaiflow_api.domains.sync.draft.errors import DraftContention, DraftUnreadable
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.semver import Version
from scaiflow_api.live import Announcements
from scaiflow_api.live.draft_news import LogGrew, topic_of, written

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 10
_PATIENCE_S: Final = 10.0
"""How long a save waits for its draft."""
_MOST_STEPS: Final = 20
"""Versions that are merged one after the other; of a draft that is further behind only the whole way is."""


@dataclass(frozen=True, slots=True)
class LoadedDraft:
    """A draft with its log, which holds all of the flow's current version."""

    row: SyncDocument
    entries: list[Entry]

    @property
    def seq(self) -> int:
        return self.entries[-1].seq


class DraftFollower:
    """Raises DatabaseUnavailable and the errors of the store."""

    def __init__(
        self,
        db: Database,
        flows: FlowService,
        conversions: Conversions,
        clock: Clock,
        announcements: Announcements,
        *,
        merge_after: int,
    ) -> None:
        self._db = db
        self._flows = flows
        self._conversions = conversions
        self._clock = clock
        self._announcements = announcements
        self._merge_after = merge_after

    async def follow(self, flow: Flow) -> None:
        """Bring the version that was saved into the draft, if there is one. Never raises: `load` makes up for it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self.load(flow)
        except (AppError, DBAPIError, TimeoutError) as failure:
            log.warning("a version is not in the draft yet", flow_id=flow.id, failure=repr(failure))
        except Exception:
            # The save succeeded, so the caller must not see a failure.
            log.exception("a version is not in the draft yet", flow_id=flow.id)

    async def load(self, flow: Flow) -> LoadedDraft | None:
        """Return the flow's draft, up to date; None: it has none.

        Raises DraftContention, DraftTooLarge and DraftUnreadable.
        """
        for _ in range(_ATTEMPTS):
            async with self._db.read() as session:
                drafts = Drafts(session)
                row = await drafts.find(flow.tenant_id, flow.id)
                if row is None:
                    return None
                entries = await drafts.entries(row)
            if entries:  # else it was begun anew between the two questions
                if not _is_behind(row, flow):
                    return LoadedDraft(row, entries)
                await self.catch_up(row, entries, flow)
        raise DraftContention

    async def catch_up(self, row: SyncDocument, entries: list[Entry], flow: Flow) -> None:
        """Add to the draft what the versions after its `applied_version` changed, unless somebody else just did."""
        steps = [row.applied_version, *await self._steps(row.applied_version, flow)]
        texts = [await self._flows.text(flow, version) for version in steps]
        updates = await self._conversions.merge(entries, row.epoch, texts)
        versions = (row.applied_version, flow.version)
        async with self._db.write() as session:
            last = await Drafts(session).append(row, updates, now=self._clock.now(), versions=versions)
        if last is None:
            return
        self._announcements.publish(topic_of(flow.tenant_id, flow.id), written(LogGrew(last)))
        if len(entries) >= self._merge_after:
            await self._shorten(row, entries)

    async def _shorten(self, row: SyncDocument, entries: list[Entry]) -> None:
        """Put one entry in the place of a log that became long: where nobody has the draft open, no room does it."""
        try:
            merged = await self._conversions.shorten(entries)
        except DraftUnreadable:
            log.warning("a log is not shortened", flow_id=row.flow_id, entries=len(entries))
            return
        async with self._db.write() as session:
            await Drafts(session).merge(row, seq=entries[-1].seq, merged=merged)

    async def _steps(self, applied: str, flow: Flow) -> list[str]:
        low, high = Version.of(applied), Version.of(flow.version)
        rows = await self._flows.versions(flow)
        numbers = [row.version for row in reversed(rows) if low < Version.of(row.version) <= high]
        return numbers if len(numbers) <= _MOST_STEPS else [flow.version]


def _is_behind(row: SyncDocument, flow: Flow) -> bool:
    """Tell whether a draft lacks versions. One that was read before a save may be ahead of a flow read before."""
    return Version.of(row.applied_version) < Version.of(flow.version)
