"""How long a change takes to everybody else, while nothing happens and while others join."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from benchmarks.coediting.contenders import Target
from benchmarks.coediting.driver import Driver
from benchmarks.coediting.footprint import of_tree

PER_SECOND = 25
JOIN_EVERY_MS = 250


@dataclass(slots=True)
class Laps:
    """What rounds of one kind came to."""

    ms: list[float] = field(default_factory=list)
    undelivered: int = 0
    processor_s: float = 0.0
    join_ms: list[float] = field(default_factory=list)

    def percentile_ms(self, percent: int) -> float:
        return quantiles(self.ms, n=100)[percent - 1] if len(self.ms) > 1 else float("nan")

    @property
    def processor_us(self) -> float:
        """Processor time of the server for an update that arrived."""
        return self.processor_s / max(len(self.ms), 1) * 1e6


@dataclass(frozen=True, slots=True)
class Side:
    """A server with the two clients that drive it, and the room that they are in."""

    target: Target
    watching: Driver
    joining: Driver
    room: str


def compared(
    sides: Sequence[Side], *, observers: int, seconds: float, rounds: int
) -> dict[tuple[str, bool], Laps]:
    """Return the laps by name and by whether the room was being joined; all take turns."""
    laps = {(side.target.name, joined): Laps() for side in sides for joined in (False, True)}
    for side in sides:
        side.watching.ask("watch", room=side.room, observers=observers)
        side.watching.ask("write", count=10, perSecond=PER_SECOND)  # what is done once
    for _ in range(rounds):
        for joined in (False, True):
            for side in sides:
                _round(side, laps[side.target.name, joined], seconds, joined=joined)
    for side in sides:
        side.watching.ask("unwatch")
    return laps


def _round(side: Side, laps: Laps, seconds: float, *, joined: bool) -> None:
    if joined:
        side.joining.ask("join", room=side.room, everyMs=JOIN_EVERY_MS)
    before = of_tree(side.target.process.pid)
    wrote = side.watching.ask("write", count=round(seconds * PER_SECOND), perSecond=PER_SECOND)
    laps.processor_s += of_tree(side.target.process.pid).seconds - before.seconds
    laps.ms += wrote["laps"]
    laps.undelivered += wrote["undelivered"]
    if joined:
        told = side.joining.ask("joined")
        laps.join_ms += told["laps"]
