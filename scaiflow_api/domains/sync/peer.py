"""One socket in a room: what waits to be sent to it, and what it may do."""

import asyncio
import time
from collections import deque
from typing import Protocol

from scaiflow_api.domains.sync.access import Admitted
from scaiflow_api.domains.sync.closing import TOO_SLOW, Closing
from scaiflow_api.domains.sync.counters import SyncCounters


class Outlet(Protocol):
    """The half of a socket that takes frames; it waits while the other end does not read."""

    async def send_bytes(self, data: bytes) -> None: ...


class Peer:
    """Nothing here waits but `write`: a socket that does not read slows nobody else, and is closed."""

    def __init__(
        self,
        outlet: Outlet,
        admitted: Admitted,
        *,
        may_write: bool,
        most_waiting: int,
        counters: SyncCounters,
    ) -> None:
        self.admitted = admitted
        self.person = admitted.person
        self.may_write = may_write
        self.joined = False
        """Whether it has what the room has, and hears of every change."""
        self.closing: Closing | None = None
        self.ended = asyncio.Event()
        self.sent_at = time.monotonic()
        self._outlet = outlet
        self._most_waiting = most_waiting
        self._counters = counters
        self._frames: deque[tuple[bytes, int]] = deque()
        self._waiting = 0
        self._wanted = asyncio.Event()

    def send(self, frame: bytes, *, beginning: bool = False) -> None:
        """Have a frame sent after those that wait. What the peer begins with does not count as waiting."""
        if self.closing is not None:
            return
        counted = 0 if beginning else len(frame)
        self._waiting += counted
        if self._waiting > self._most_waiting:
            self.end(TOO_SLOW)
            return
        self._frames.append((frame, counted))
        self._wanted.set()

    def end(self, closing: Closing) -> None:
        """Have the socket closed; the first reason counts."""
        if self.closing is None:
            self.closing = closing
            self._frames.clear()
            self._wanted.set()
            self.ended.set()

    async def write(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            while self._frames:
                frame, counted = self._frames.popleft()
                await self._outlet.send_bytes(frame)
                self._waiting -= counted
                self.sent_at = time.monotonic()
                self._counters.bytes_sent += len(frame)
            self._wanted.clear()
            await self._wanted.wait()
