"""What a server uses: its process, and those that it started."""

from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory at this moment, and processor time since the server started."""

    kilobytes: float
    seconds: float


def of_tree(pid: int) -> Footprint:
    """Look at a process and its descendants."""
    server = psutil.Process(pid)
    kilobytes = seconds = 0.0
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess), process.oneshot():
            kilobytes += process.memory_info().rss / 1024
            times = process.cpu_times()
            seconds += times.user + times.system
    return Footprint(kilobytes, seconds)
