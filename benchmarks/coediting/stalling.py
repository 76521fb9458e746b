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
    more_mb: float
    """Memory of the server."""
    closed: int | None
    """The code with which it was closed; None: it was not."""


def compared(target: Target, watching: Driver, stalled: Driver, room: str, *, seconds: float) -> Stalled:
    """Have one driver watch a room, and another stall in it."""
    watching.ask("watch", room=room, observers=OBSERVERS)
    before = _written(watching, seconds)
    memory = target.footprint().kilobytes
    stalled.ask("stall", room=room)
    meanwhile = _written(watching, seconds)
    more_mb = (target.footprint().kilobytes - memory) / 1024
    closed = stalled.ask("unstall")["closed"]
    watching.ask("unwatch")
    return Stalled(before, meanwhile, more_mb, closed)


def _written(watching: Driver, seconds: float) -> Laps:
    wrote = watching.ask("write", count=round(seconds * PER_SECOND), perSecond=PER_SECOND, bytes=BYTES)
    return Laps(wrote["laps"], wrote["undelivered"])
