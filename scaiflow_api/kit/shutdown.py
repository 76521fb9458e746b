"""Learning that the process was told to end before its server begins to wait for open requests.

A server lets requests finish. A stream has no end of its own, so it would hold the server up until its time limit.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def set_on_signal(ending: asyncio.Event) -> Iterator[None]:
    """Set the event as soon as SIGTERM or SIGINT arrives; what the signal did before, it still does.

    Enter it on the main thread's event loop. On any other thread, as in tests, the event is never set.
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
