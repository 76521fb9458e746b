"""A draft as one room has it: how far the room has read its log, and its document in the keeper."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from scaiflow_api.db.drafts import Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.domains.sync.draft_log import DraftLog, Place
from scaiflow_api.domains.sync.keeper.client import Keeper
from scaiflow_api.domains.sync.keeper.helper import HelperCrashed, HelperLost
from scaiflow_api.domains.sync.keeper.kept_document import CHANGED, INVALID, NOTHING_NEW

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5
"""How often a draft is opened again because the keeper ended, each time through another draft."""
_LARGE: Final = 64 * 1024
"""Bytes. An entry above this may be several merged ones: only what is new of it is sent on."""
_MOST_LATER: Final = 64
"""So many later changes are sent to a new peer one by one; beyond that the keeper is asked for the whole again."""

Answer = TypeVar("Answer")


class EpochOver(Exception):
    """The draft was begun anew."""


@dataclass(slots=True)
class _Copy:
    """The whole draft as the keeper returned it last, and the changes since: returning a large one takes long."""

    update: bytes
    vector: bytes
    seq: int
    """The last entry of the log that is in it, or in `later`."""
    later: list[bytes] = field(default_factory=list)

    def follow(self, before: int, seq: int, updates: Sequence[bytes]) -> None:
        """Add the changes between two entries of the log, unless some before them are missing."""
        if self.seq == before:
            self.seq = seq
            self.later += updates

    @property
    def is_good(self) -> bool:
        return len(self.later) <= _MOST_LATER and 4 * sum(map(len, self.later)) <= len(self.update)


class HeldDraft:
    """Use it from one task at a time.

    Raises DatabaseUnavailable, EpochOver, and HelperLost when the keeper fails for good.
    """

    def __init__(
        self, key: str, draft: SyncDocument, seed_client: int, keeper: Keeper, draft_log: DraftLog
    ) -> None:
        self.seq = 0
        """The number of the last entry of the log that was read."""
        self.size = 0
        self._key = key
        self._draft = draft
        self._seed_client = seed_client
        self._keeper = keeper
        self._log = draft_log
        self._merged_seq = draft.merged_seq
        self._mergeable = True
        self._unseen: list[bytes] = []
        self._copy: _Copy | None = None

    @property
    def epoch(self) -> str:
        return self._draft.epoch

    @property
    def unmerged(self) -> int:
        """How many entries of the log came since it was merged last."""
        return self.seq - max(self._merged_seq, 1)

    async def open(self, entries: Sequence[Entry]) -> None:
        """Have the keeper hold what the log says."""
        await self._hand_over(entries, [])
        self.seq, self.size = entries[-1].seq, sum(len(entry.update) for entry in entries)

    async def judge(self, changes: list[tuple[bytes, bool]]) -> list[tuple[str, bytes]]:
        """Apply changes in the keeper; return as `Keeper.apply` does. A change that ends the keeper is invalid."""
        try:
            return await self._asked(lambda: self._keeper.apply(self._key, changes))
        except HelperCrashed:
            log.warning("a change ended the keeper", draft=self._key, changes=len(changes))
        return await self._judged_one_by_one(changes)

    async def store(self, updates: list[bytes]) -> list[bytes]:
        """Add judged changes to the log; return the changes of others that got there before them."""
        last = await self._log.append(self._draft, updates)
        if last is None:
            raise EpochOver
        self.size += sum(map(len, updates))
        if last - len(updates) == self.seq:
            self._went_on(last, updates)
            return []
        return await self.catch_up()

    async def catch_up(self) -> list[bytes]:
        """Read what others added to the log; return those of its changes that are new."""
        entries = await self._log.since(self._draft, self.seq)
        if not entries:
            place = Place(self._draft.tenant_id, self._draft.flow_id)
            now = await self._log.find(place)
            if now is None or now.epoch != self._draft.epoch:
                raise EpochOver
        else:
            judged = await self.judge([(entry.update, len(entry.update) > _LARGE) for entry in entries])
            new = [update for verdict, update in judged if verdict == CHANGED]
            self._unseen += new
            if any(verdict not in (CHANGED, NOTHING_NEW) for verdict, _ in judged):
                log.error("what another process stored cannot be read", draft=self._key)
                self._mergeable = False
            self._went_on(max(self.seq, entries[-1].seq), new)
            self.size += sum(len(update) for _, update in judged)
        unseen, self._unseen = self._unseen, []
        return unseen

    async def adds(self, update: bytes) -> bool:
        """Tell whether a change would change the draft; a change that ends the keeper counts as one."""
        try:
            return await self._asked(lambda: self._keeper.adds(self._key, update))
        except HelperCrashed:
            return True

    async def lacked_by(self, vector: bytes) -> tuple[bytes, bytes] | None:
        """Return as `Keeper.lacked_by` does."""
        return await self._asked(lambda: self._keeper.lacked_by(self._key, vector))

    async def whole(self) -> tuple[bytes, bytes]:
        """Return the draft as one update, and its state vector."""
        copy = self._copy
        if copy is None or copy.seq != self.seq or copy.later:
            seq = self.seq
            update, vector = await self._asked(lambda: self._keeper.whole(self._key))
            copy = self._copy = _Copy(update, vector, seq)
        return copy.update, copy.vector

    async def beginning(self) -> tuple[bytes, list[bytes], bytes]:
        """Return the draft as one update, the changes that came since, and the state vector of the former."""
        copy = self._copy
        if copy is None or copy.seq != self.seq or not copy.is_good:
            update, vector = await self.whole()
            return update, [], vector
        return copy.update, copy.later, copy.vector

    async def merge(self) -> bool:
        """Replace the log by one entry. False: some of it could not be read, so it stays as it is."""
        if not self._mergeable:
            return False
        seq, (update, _) = self.seq, await self.whole()
        await self._log.merge(self._draft, seq=seq, merged=update)
        self._merged_seq, self.size = seq, len(update)
        return True

    def drop_copy(self) -> None:
        """Free the memory of the copy of the whole draft."""
        self._copy = None

    async def forget(self) -> None:
        """Have the keeper hold it no longer."""
        await self._keeper.forget(self._key)

    def _went_on(self, seq: int, updates: Sequence[bytes]) -> None:
        if self._copy is not None:
            self._copy.follow(self.seq, seq, updates)
        self.seq = seq

    async def _judged_one_by_one(self, changes: list[tuple[bytes, bool]]) -> list[tuple[str, bytes]]:
        judged: list[tuple[str, bytes]] = []
        kept: list[bytes] = []
        await self._open_again(kept)
        for change in changes:
            try:
                (verdict,) = await self._asked(lambda: self._keeper.apply(self._key, [change]), kept)  # noqa: B023 - asked at once
            except HelperCrashed:
                verdict = (INVALID, b"")
                await self._open_again(kept)
            if verdict[0] == CHANGED:
                kept.append(verdict[1])
            judged.append(verdict)
        return judged

    async def _asked(self, ask: Callable[[], Awaitable[Answer]], kept: Sequence[bytes] = ()) -> Answer:
        """Ask the keeper, and again if it ended through the question of another draft."""
        for _ in range(_ATTEMPTS):
            try:
                return await ask()
            except HelperCrashed:
                raise
            except HelperLost:
                await self._open_again(kept)
        raise HelperLost

    async def _open_again(self, kept: Sequence[bytes]) -> None:
        """Hand the stored log, and the changes in work that are to be `kept`, to a new keeper."""
        entries = await self._log.since(self._draft, 0)
        if not entries:
            raise EpochOver
        for _ in range(_ATTEMPTS):
            try:
                await self._hand_over(entries, kept)
                break
            except HelperCrashed:
                raise
            except HelperLost:
                continue
        else:
            raise HelperLost
        self._unseen += [entry.update for entry in entries if entry.seq > self.seq]
        self.seq = entries[-1].seq

    async def _hand_over(self, entries: Sequence[Entry], kept: Sequence[bytes]) -> None:
        updates = [entry.update for entry in entries]
        unreadable = await self._keeper.open(self._key, self._seed_client, [*updates, *kept])
        if unreadable:
            log.error("entries of a draft cannot be read", draft=self._key, unreadable=unreadable)
        self._mergeable = not unreadable
