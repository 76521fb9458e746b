"""Following the runs of one test run together: the same pages of events serve all of them.

ScaiGrid is asked about a run only while a fixture waits for it. For all runs that ended within their invocation, a
few pages of events are read together when the fixtures are done.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cachetools import LRUCache

from scaiflow_api.domains.testruns.trail import STARTED, Trail
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError, UpstreamTimedOut, UpstreamUnavailable
from scaiflow_api.upstreams.rate_limits import asked_to_wait_s
from scaiflow_api.upstreams.scaigrid_checkpoints import Checkpoint

_PAGE = 200
_PAGES_AT_ONCE = 100
"""The most that one `read` takes: a Core may be so busy that its events have no end."""
_RUNS_OF_OTHERS = 2_000
_PASSING = (UpstreamBusy, UpstreamUnavailable, UpstreamTimedOut)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often ScaiGrid is asked about runs that have not ended: soon at first, then less and less often."""

    first_s: float = 0.05
    growth: float = 1.5
    most_s: float = 2.0


USUAL_PACE = Pace()


@dataclass(slots=True)
class Followed:
    """A run that somebody waits for."""

    trail: Trail
    waiting_at: list[Checkpoint] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Watch:
    """Knows what became of the runs of one test run on one Core."""

    def __init__(self, access: Access, core_id: str, pace: Pace) -> None:
        self._access = access
        self._core_id = core_id
        self._pace = pace
        self._prefix = f"test-{secrets.token_hex(8)}-"
        self._numbers = count(1)
        self._cursor: str | None = None
        self._reading = asyncio.Lock()
        self._ours: dict[str, Trail] = {}
        self._others: LRUCache[str, Trail] = LRUCache(_RUNS_OF_OTHERS)
        """Runs whose invocation has not answered yet, and those of somebody else."""
        self._by_key: dict[str, str] = {}
        self._followed: dict[str, Followed] = {}
        self._hurry = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def begin(self) -> None:
        """Find where the events of this test run will begin. Raises UpstreamError."""
        page = await self._access.grid.events(self._access.credential, core_id=self._core_id, limit=1)
        self._cursor = page.next_cursor

    def new_key(self) -> str:
        """Return an `instance_key` for one run, by which its events can be told from all others."""
        return f"{self._prefix}{next(self._numbers)}"

    def trail(self, execution_id: str) -> Trail:
        """Return what is known of a run of ours."""
        if execution_id not in self._ours:
            self._ours[execution_id] = self._others.pop(execution_id, Trail())
        return self._ours[execution_id]

    async def read(self) -> None:
        """Read the events since the last time. Raises UpstreamError."""
        async with self._reading:
            for _ in range(_PAGES_AT_ONCE):
                page = await self._access.grid.events(
                    self._access.credential, core_id=self._core_id, limit=_PAGE, cursor=self._cursor
                )
                for event in page.events:
                    self._take(event)
                before, self._cursor = self._cursor, page.next_cursor or self._cursor
                if len(page.events) < _PAGE or self._cursor == before:
                    return

    async def catch_up(self, execution_ids: Collection[str], *, within_s: float) -> bool:
        """Read events until the ends of all these runs are among them; tell whether that was in time."""
        wait_s = self._pace.first_s
        with suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(within_s):
                while True:
                    await self.read()
                    if all(self.trail(execution_id).end for execution_id in execution_ids):
                        return True
                    await asyncio.sleep(wait_s)
                    wait_s *= self._pace.growth
        return False

    async def execution_of(self, key: str) -> str | None:
        """Return the run that was invoked with a key, if its events tell of it. Raises UpstreamError."""
        if key not in self._by_key:
            await self.read()
        return self._by_key.get(key)

    @asynccontextmanager
    async def following(self, execution_id: str) -> AsyncIterator[Followed]:
        """Watch a run for the length of the block. Raises UpstreamError when ScaiGrid could not be asked any more."""
        if self._failure is not None:
            raise self._failure
        followed = self._followed[execution_id] = Followed(self.trail(execution_id))
        self.hurry()
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())
        try:
            yield followed
        finally:
            del self._followed[execution_id]
            if not self._followed:
                follower, self._follower = self._follower, None
                follower.cancel()

    async def news(self, followed: Followed) -> None:
        """Wait until a followed run has ended or waits at a checkpoint. Raises UpstreamError."""
        await followed.changed.wait()
        followed.changed.clear()
        if self._failure is not None:
            raise self._failure

    def hurry(self) -> None:
        """Ask at once: something is about to change."""
        self._hurry.set()

    async def _follow(self) -> None:
        wait_s = self._pace.first_s
        while True:
            self._hurry.clear()
            at_least_s = 0.0
            try:
                await self._ask()
            except _PASSING as failure:
                # Everybody who waits has a time limit, so a passing failure ends nothing.
                at_least_s = asked_to_wait_s(failure)
            except Exception as failure:
                self._failure = failure
                for followed in self._followed.values():
                    followed.changed.set()
                return
            try:
                await asyncio.wait_for(self._hurry.wait(), wait_s)
            except TimeoutError:
                wait_s = min(wait_s * self._pace.growth, self._pace.most_s)
            else:
                wait_s = self._pace.first_s
            await asyncio.sleep(at_least_s)

    async def _ask(self) -> None:
        await self.read()
        open_runs = {id_: run for id_, run in self._followed.items() if run.trail.end is None}
        if open_runs:
            for run in open_runs.values():
                run.waiting_at = []
            for checkpoint in await self._access.checkpoints.pending(self._access.credential, self._core_id):
                if (waiting := open_runs.get(checkpoint.execution_id or "")) is not None:
                    waiting.waiting_at.append(checkpoint)
        for run in self._followed.values():
            if run.trail.end is not None or run.waiting_at:
                run.changed.set()

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, payload = event.get("type") or event.get("event_type"), event.get("payload")
        execution_id = payload.get("execution_id") if isinstance(payload, Mapping) else None
        if not isinstance(kind, str) or not isinstance(execution_id, str):
            return
        assert isinstance(payload, Mapping)
        key = payload.get("instance_key")
        if kind == STARTED and isinstance(key, str) and key.startswith(self._prefix):
            self._by_key[key] = execution_id
            self.trail(execution_id)
        trail = self._ours.get(execution_id)
        if trail is None:
            trail = self._others.setdefault(execution_id, Trail())
        trail.take(kind, payload)
