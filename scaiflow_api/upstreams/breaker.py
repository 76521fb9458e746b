"""Circuit breakers: an upstream that keeps failing is left alone for a while, and so are our own callers.

A breaker belongs to a road: one party's calls to one system at one origin. So a tenant whose ScaiGrid is away, or
whose key or data make ScaiGrid fail, stops its own calls and nobody else's. As usual with circuits, "open" means that
no call is made, and "closed" that calls are made.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final

import structlog
from cachetools import LRUCache

from scaiflow_api.kit.metrics import UPSTREAM_OPENED
from scaiflow_api.upstreams.failures import System, UpstreamLeftAlone

log = structlog.get_logger(__name__)

_TROUBLED_AT_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Road:
    """One party's calls to one system at one origin (`https://host:port`); party None: this service's own."""

    system: System
    origin: str
    party: str | None


class State(StrEnum):
    """Whether a road is used."""

    CLOSED = "closed"
    """As usual; there may have been failures."""
    OPEN = "open"
    """Not at all."""
    HALF_OPEN = "half_open"
    """By one call, which decides."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of a road that failed lately; other roads are not listed."""

    road: Road
    state: State
    failures: int
    """In a row."""


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    shut_until: float | None = None
    """None: closed, in the sense of circuits."""
    probe: int = 0
    """The call that decides, while there is one."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The right to make one call, whose outcome is reported to `Breakers`. `probe` is 0 unless this call decides."""

    road: Road
    probe: int = 0


class Breakers:
    """The state of all roads of this process. Only roads in trouble take memory.

    A road opens after `failures` failed calls in a row (0: never). `cooldown_s` later one call is let through: its
    success closes the road, its failure keeps it open for as long again. If that call has no outcome within this
    time, the next call decides.
    """

    def __init__(
        self, *, failures: int = 5, cooldown_s: float = 15.0, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._cooldown_s = cooldown_s
        self._timer = timer
        self._troubled: LRUCache[Road, _Trouble] = LRUCache(_TROUBLED_AT_MOST)
        self._probes = count(1)

    def enter(self, road: Road) -> Passage:
        """Let a call through. Raises UpstreamLeftAlone while the road is open."""
        trouble = self._troubled.get(road)
        if trouble is None or trouble.shut_until is None:
            return Passage(road)
        now = self._timer()
        if now < trouble.shut_until:
            raise UpstreamLeftAlone(road.system, retry_after_s=trouble.shut_until - now)
        trouble.shut_until = now + self._cooldown_s
        trouble.probe = next(self._probes)
        return Passage(road, trouble.probe)

    def succeeded(self, passage: Passage) -> None:
        """The upstream is there: it did what was asked, or said why not."""
        trouble = self._troubled.get(passage.road)
        if trouble is None:
            return
        if trouble.shut_until is None:
            del self._troubled[passage.road]
        elif passage.probe and passage.probe == trouble.probe:
            del self._troubled[passage.road]
            log.info("upstream is used again", **_told(passage.road))

    def failed(self, passage: Passage) -> None:
        """The upstream did not answer, or answered that it is broken."""
        if not self._limit:
            return
        trouble = self._troubled.get(passage.road)
        if trouble is None:
            trouble = self._troubled[passage.road] = _Trouble()
        if trouble.shut_until is None:
            trouble.failures += 1
            if trouble.failures >= self._limit:
                trouble.shut_until = self._timer() + self._cooldown_s
                UPSTREAM_OPENED.labels(passage.road.system).inc()
                log.warning("upstream is left alone", failures=trouble.failures, **_told(passage.road))
        elif passage.probe and passage.probe == trouble.probe:
            trouble.failures += 1
            trouble.shut_until = self._timer() + self._cooldown_s
            trouble.probe = 0

    def left(self, passage: Passage) -> None:
        """The call ended without saying anything of the upstream; where it was to decide, the next one does."""
        trouble = self._troubled.get(passage.road)
        if trouble is not None and passage.probe and passage.probe == trouble.probe:
            trouble.shut_until = self._timer()
            trouble.probe = 0

    def circuits(self) -> list[Circuit]:
        """Return the roads in trouble. Their number is bounded, but not small: they name tenants and addresses."""
        return [
            Circuit(road, self._state(trouble), trouble.failures)
            for road, trouble in list(self._troubled.items())
        ]

    def left_alone(self) -> Counter[System]:
        """Return for how many parties each system is left alone, at whatever address."""
        return Counter(found.road.system for found in self.circuits() if found.state is not State.CLOSED)

    def _state(self, trouble: _Trouble) -> State:
        if trouble.shut_until is None:
            return State.CLOSED
        return State.HALF_OPEN if trouble.probe or self._timer() >= trouble.shut_until else State.OPEN


def _told(road: Road) -> dict[str, str | None]:
    return {"system": road.system, "origin": road.origin, "party": road.party}
