"""What a room has yet to do, in the order in which it came: bounded, so that whoever brings too much waits."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

from scaiflow_api.domains.sync.peer import Peer

_MOST_CHANGES: Final = 256
"""At most so many changes are stored in one transaction."""


@dataclass(frozen=True, slots=True)
class Change:
    """An update of a peer, which is to be judged and stored."""

    peer: Peer | None
    """None: the process itself makes it."""
    update: bytes
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Joins:
    """A peer is to get what it lacks."""

    peer: Peer
    vector: bytes | None
    """None: it joined before, and is only asked for what it has."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Somebody wants the whole draft."""

    updates: asyncio.Future[list[bytes]]


Work: TypeAlias = Change | Joins | Reads


class RoomWork:
    """Used by one room, which takes from it, and by all who bring something. True while something is left."""

    def __init__(self, most_bytes: int) -> None:
        self.closed = False
        self._most_bytes = most_bytes
        self._queue: deque[Work] = deque()
        self._bytes = 0
        self._called = asyncio.Event()
        self._has_space = asyncio.Event()
        self._has_space.set()

    def __bool__(self) -> bool:
        return bool(self._queue)

    # Whoever brings something.

    async def add(self, work: Change | Joins) -> bool:
        """Add work, waiting while too many bytes are there already; False: it was closed, and nobody will do it."""
        while self._bytes > self._most_bytes and not self.closed:
            self._has_space.clear()
            await self._has_space.wait()
        if self.closed:
            return False
        self._bytes += _size_of(work)
        self.add_at_once(work)
        return True

    def add_at_once(self, work: Work) -> None:
        """Add work that has no bytes. Ask before whether this is closed."""
        self._queue.append(work)
        self.call()

    def call(self) -> None:
        """Have `wait` return."""
        self._called.set()

    # The room.

    async def wait(self, seconds: float | None) -> bool:
        """Wait until something was added, or somebody calls; False: neither came in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._called.wait()
        except TimeoutError:
            return False
        self._called.clear()
        return True

    def take_changes(self) -> list[Change]:
        """Take the changes that come next, as many as are stored together."""
        changes: list[Change] = []
        while self._queue and isinstance(self._queue[0], Change) and len(changes) < _MOST_CHANGES:
            changes.append(self._queue[0])
            self._taken()
        return changes

    def take_other(self) -> Joins | Reads | None:
        """Take what comes next, unless that is a change, or nothing."""
        if not self._queue or isinstance(self._queue[0], Change):
            return None
        work = self._queue[0]
        self._taken()
        return work

    def close(self) -> None:
        """Take nothing more. Nobody waits any longer; what is there stays to be done."""
        self.closed = True
        self._has_space.set()
        self.call()

    def drop(self) -> list[Work]:
        """Close, and return what will not be done."""
        self.close()
        dropped = list(self._queue)
        self._queue.clear()
        return dropped

    def _taken(self) -> None:
        self._bytes -= _size_of(self._queue.popleft())
        self._has_space.set()


def _size_of(work: Work) -> int:
    match work:
        case Change(update=update):
            return len(update)
        case Joins(vector=vector):
            return len(vector or b"")
        case Reads():
            return 0
