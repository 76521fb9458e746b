"""What a server uses: its process, and those that it started."""

from contextlib import suppress
from dataclasses import dataclass

import psutil

_VALIDATOR = "scaiflow_api.domains.sync.findings"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory at this moment, and processor time since the server started."""

    kilobytes: float
    seconds: float
    validating_s: float
    """Part of `seconds`: what ours spends on telling all what is wrong with the flow, which the peers do not."""


def of_tree(pid: int) -> Footprint:
    """Look at a process and its descendants."""
    server = psutil.Process(pid)
    kilobytes = seconds = validating_s = 0.0
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess), process.oneshot():
            kilobytes += process.memory_info().rss / 1024
            times = process.cpu_times()
            seconds += times.user + times.system
            if _VALIDATOR in process.cmdline():
                validating_s += times.user + times.system
    return Footprint(kilobytes, seconds, validating_s)
