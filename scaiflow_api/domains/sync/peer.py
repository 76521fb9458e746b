"""One socket in a room: what waits to be sent to it, and what it may do."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.websockets import WebSocketDisconnect

from scaiflow_api.domains.sync.access import Admitted
from scaiflow_api.domains.sync.closing import TOO_SLOW, TRY_AGAIN, Closing
from scaiflow_api.domains.sync.counters import SyncCounters

log = structlog.get_logger(__name__)


class Peer:
    """Nothing here waits: a socket that does not read slows nobody else, and is closed.

    Thousands of them are idle: what is only needed while frames wait is made then, a task above all.
    """

    __slots__ = (
        "_counters",
        "_ended",
        "_frames",
        "_most_waiting",
        "_send",
        "_waiting",
        "_writing",
        "admitted",
        "closing",
        "joined",
        "may_write",
        "person",
        "sent_at",
    )

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        admitted: Admitted,
        *,
        may_write: bool,
        most_waiting: int,
        counters: SyncCounters,
        ended: Callable[[], None],
    ) -> None:
        """`send` takes a frame, and waits while the other end does not read; `ended` hears once that it is over."""
        self.admitted = admitted
        self.person = admitted.person
        self.may_write = may_write
        self.joined = False
        """Whether it has what the room has, and hears of every change."""
        self.closing: Closing | None = None
        self.sent_at = time.monotonic()
        self._send = send
        self._ended = ended
        self._most_waiting = most_waiting
        self._counters = counters
        self._frames: list[tuple[bytes, int]] = []
        self._waiting = 0
        self._writing: asyncio.Task[None] | None = None

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
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def end(self, closing: Closing) -> None:
        """Have the socket closed; the first reason counts."""
        if self.closing is None:
            self.closing = closing
            self._frames.clear()
            self._ended()

    async def silence(self) -> None:
        """Send nothing more."""
        self._frames.clear()
        if (writing := self._writing) is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self) -> None:
        """Send what waits."""
        try:
            while self._frames and self.closing is None:
                frames, self._frames = self._frames, []
                frames.reverse()
                while frames and self.closing is None:
                    frame, counted = frames.pop()
                    await self._send(frame)
                    self._waiting -= counted
                    self.sent_at = time.monotonic()
                    self._counters.bytes_sent += len(frame)
        except (OSError, WebSocketDisconnect):
            pass  # the connection is gone, as the task that reads from it will notice
        except Exception:
            log.exception("a frame could not be sent")
            self.end(TRY_AGAIN)
        finally:
            self._writing = None
