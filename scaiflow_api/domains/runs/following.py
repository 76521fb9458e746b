"""Following events as they happen, for as long as the caller may see them.

ScaiGrid is asked for what comes after a cursor, again and again. Nothing is asked for before what came earlier is
sent, so a slow reader slows only itself, and nothing piles up. Who may see what is looked at anew every few seconds,
and when something comes of a Core that the last look did not know: its first run shall not be missed.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from scaiflow_api.auth.caller import Caller
from scaiflow_api.domains.runs.cores import Cores
from scaiflow_api.kit.errors import AppError
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamRejected
from scaiflow_api.upstreams.rate_limits import asked_to_wait_s
from scaiflow_api.upstreams.scaigrid_answers import EventPage

LOOK_AGAIN_S: Final = 5.0
"""How long somebody may go on reading of a flow that is not shown to them any more."""
_PAGE: Final = 100
_FAILURES: Final = 5
"""So many calls may fail in a row before the stream ends."""
_LONGEST_PAUSE_S: Final = 30.0
_GROWTH: Final = 1.5
_SLOWEST: Final = 5
"""Times `poll_s`, while nothing happens."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as JSON, None for nothing but progress; `cursor` where a reader who has it may go on from here."""

    event: bytes | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask."""

    poll_s: float
    """So soon after an event."""
    look_again_s: float = LOOK_AGAIN_S

    def after(self, pause_s: float, *, quiet: bool) -> float:
        """Return how long to wait after a look that followed a wait of `pause_s`.

        ScaiGrid counts each look against the rate limit of the reader, who has other things to ask.
        """
        return min(pause_s * _GROWTH, self.poll_s * _SLOWEST) if quiet else self.poll_s


class Follower:
    """One reader of the events of the Cores that it may see."""

    def __init__(
        self,
        cores: Cores,
        identify: Callable[[], Awaitable[Caller]],
        *,
        core_id: str | None,
        cursor: str | None,
        ending: asyncio.Event,
        pace: Pace,
    ) -> None:
        self._cores = cores
        self._identify = identify
        self._core_id = core_id
        self._cursor = cursor
        self._ending = ending
        self._pace = pace
        self._visible: frozenset[str] = frozenset()
        self._judged: frozenset[str] = frozenset()
        """The Cores of which the last look says whether they may be seen."""
        self._looked_at = -math.inf
        self._before: list[dict[str, Any]] = []
        """What the last page held: a ScaiGrid that gives no cursor is asked the same again."""

    async def begin(self, caller: Caller) -> None:
        """Look whether there is anything to follow, and where. Raises what a page of events would raise.

        Without a cursor the stream begins after what has happened until now.
        """
        await self._look(caller, ())
        self._access = await self._cores.access(caller)
        page = await self._ask(1 if self._cursor is None else _PAGE)
        if self._cursor is None:
            self._cursor, self._before = page.next_cursor, page.events
            page = EventPage(content=b"", events=[], next_cursor=page.next_cursor)
        await self._look(caller, page.events)
        self._first = page

    async def events(self) -> AsyncIterator[Happened]:
        """Yield what happens, in order, until the process ends. Raises what takes the stream from its reader."""
        yield Happened(None, self._cursor)
        page: EventPage | None = self._first
        failures, pause_s = 0, self._pace.poll_s
        while not self._ending.is_set():
            more = False
            if page is not None:
                news = self._news(page)
                for happened in news:
                    yield happened
                more = len(page.events) >= _PAGE and page.next_cursor is not None
                pause_s = self._pace.after(pause_s, quiet=not news)
            if not more:
                await self._pause(pause_s)
            try:
                page, failures = await self._ask(_PAGE), 0
            except UpstreamError as failure:
                page, failures = None, failures + 1
                if isinstance(failure, UpstreamRejected) or failures == _FAILURES:
                    raise as_app_error(failure) from None
                await self._pause(_patience(failure, failures))
            # After the answer, which may have taken long: nothing is sent to somebody suspended meanwhile.
            caller = await self._identify()  # known for a moment, so this is no question each time
            await self._look(caller, page.events if page is not None else ())

    async def _look(self, caller: Caller, events: Iterable[Mapping[str, Any]]) -> None:
        """Look at what the reader may see, if it is time, or if the last look judged no Core of one of the events."""
        named = {core for event in events if isinstance(core := event.get("core_id"), str)}
        is_time = time.monotonic() - self._looked_at >= self._pace.look_again_s
        if not is_time and named <= self._judged:
            return
        self._visible = await self._cores.visible(caller, self._core_id)
        self._judged = self._visible | named | (frozenset() if is_time else self._judged)
        self._looked_at = time.monotonic()

    async def _ask(self, limit: int) -> EventPage:
        return await self._access.grid.events(
            self._access.credential, core_id=self._core_id, limit=limit, cursor=self._cursor
        )

    def _news(self, page: EventPage) -> list[Happened]:
        """Return what a page holds that this reader may see and has not; the cursor stands at its end."""
        fresh = [event for event in page.events if event not in self._before]
        seen = [event for event in fresh if event.get("core_id") in self._visible]
        moved = page.next_cursor is not None and page.next_cursor != self._cursor
        if page.events:
            self._before = page.events
        if moved:
            self._cursor = page.next_cursor
        news = [Happened(orjson.dumps(event), None) for event in seen]
        if moved and news:
            news[-1] = Happened(news[-1].event, self._cursor)
        elif moved:
            news = [Happened(None, self._cursor)]
        return news

    async def _pause(self, seconds: float) -> None:
        """Wait, but not past the end of the process."""
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return


def _patience(failure: UpstreamError, failures: int) -> float:
    """Return how long to leave ScaiGrid alone, in seconds: as long as it says, else ever longer."""
    return min(_LONGEST_PAUSE_S, asked_to_wait_s(failure) or 0.5 * 2**failures)


def ended(error: AppError) -> bytes:
    """Return what a reader is told of the error that ended its stream, as JSON."""
    return orjson.dumps({"error": error.error, "message": str(error)})
