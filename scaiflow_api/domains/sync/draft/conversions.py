"""Asking the process that reads drafts."""

from collections.abc import Sequence
from typing import Any, Final

from scaiflow_api.db.drafts import Entry
from scaiflow_api.domains.sync.document import SharedFlow
from scaiflow_api.domains.sync.draft.errors import DraftContention, DraftTooLarge, DraftUnreadable
from scaiflow_api.domains.sync.draft.worker import DONE
from scaiflow_api.domains.sync.keeper.helper import Helper, HelperCrashed, HelperLost
from scaiflow_api.flowgraph import Problem
from scaiflow_api.settings import Sync

_ATTEMPTS: Final = 5
_CRASHES: Final = 2
"""Once may be for want of memory; and who is told that a draft is unreadable will throw it away."""


class Conversions:
    """Its process begins with the first question.

    Raises DraftTooLarge, DraftUnreadable, and DraftContention where it ended over other drafts again and again.
    """

    def __init__(self, bounds: Sync) -> None:
        self._helper = Helper("scaiflow_api.domains.sync.draft")
        self._bounds = bounds

    async def read(self, entries: Sequence[Entry]) -> SharedFlow:
        """Return the flow that a log makes."""
        document, problems = await self._ask("read", entries)
        return SharedFlow(document, [Problem(*problem) for problem in problems])

    async def merge(self, entries: Sequence[Entry], epoch: str, texts: list[bytes]) -> list[bytes]:
        """Return the updates that bring versions into a draft, which has the first of them."""
        made: list[bytes] = await self._ask("merge", entries, epoch, texts)
        return made

    async def shorten(self, entries: Sequence[Entry]) -> bytes:
        """Return one update that says all that a log says."""
        made: bytes = await self._ask("shorten", entries)
        return made

    async def close(self) -> None:
        await self._helper.close()

    async def _ask(self, question: str, entries: Sequence[Entry], *arguments: Any) -> Any:
        updates, crashes = [entry.update for entry in entries], 0
        for _ in range(_ATTEMPTS):
            try:
                outcome, found = await self._helper.ask(
                    question, updates, self._bounds.max_entries, *arguments
                )
            except HelperCrashed:
                crashes += 1
                if crashes == _CRASHES:
                    raise DraftUnreadable from None
                continue
            except HelperLost:
                continue  # it ended over somebody else's question
            if outcome == DONE:
                return found
            limit, maximum, actual = found
            raise DraftTooLarge(limit=limit, maximum=maximum, actual=actual)
        raise DraftContention
