"""Knowing that the process was told to end, before its server waits for what is still open.

A server lets requests finish. One that has no end of its own, a stream, would hold it up until the server's patience
is over.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def announced(ending: asyncio.Event) -> Iterator[None]:
    """Set the event as soon as a signal tells the process to end; what else the signal does stays as it was.

    To be entered on the main thread's event loop; elsewhere, in tests, nothing is announced.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ending.set)
        earlier = before[signal.Signals(number)]
        if callable(earlier):
            earlier(number, frame)

    try:
        for number in _SIGNALS:
            signal.signal(number, end)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number in _SIGNALS:
            if signal.getsignal(number) is end:
                signal.signal(number, before[number])
