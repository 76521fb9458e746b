"""What one reader that stops reading costs the others, and the server."""

from dataclasses import dataclass

from benchmarks.coediting.contenders import Target
from benchmarks.coediting.driver import Driver
from benchmarks.coediting.propagation import PER_SECOND, Laps

OBSERVERS = 10
BYTES = 128 * 1024
"""Of an update: in six seconds more than buffers of the system and our bound of 8 MiB hold."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The others' laps, before and with the reader that stalls; what became of it."""

    before: Laps
    meanwhile: Laps
    waited_mb: float
    """What came to it when it read again: from the system's buffers, some 6 MB, and from the server's."""
    closed: int | None
    """The code with which it was closed; None: it was not."""


def compared(target: Target, watching: Driver, stalled: Driver, room: str, *, seconds: float) -> Stalled:
    """Have one driver watch a room, and another stall in it."""
    watching.ask("watch", room=room, observers=OBSERVERS)
    before = _written(watching, seconds)
    stalled.ask("stall", room=room)
    meanwhile = _written(watching, seconds)
    found = stalled.ask("unstall")
    watching.ask("unwatch")
    return Stalled(before, meanwhile, found["waited"] / 1e6, found["closed"])


def _written(watching: Driver, seconds: float) -> Laps:
    wrote = watching.ask("write", count=round(seconds * PER_SECOND), perSecond=PER_SECOND, bytes=BYTES)
    return Laps(wrote["laps"], wrote["undelivered"])
