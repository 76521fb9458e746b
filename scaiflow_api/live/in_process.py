"""Presence in the memory of one process: the default, for an installation that runs only one."""

import time
from collections.abc import Callable
from typing import Final, TypeAlias

from scaiflow_api.live.presence import MOST_PEOPLE, TTL_S, Peer, Person, Who

MOST_ENTRIES: Final = 20_000
"""Heartbeats kept in all, some 10 MB; beyond it the oldest is forgotten."""

_FlowKey: TypeAlias = tuple[str, str]


class ProcessPresence:
    """Nothing awaits between a look and its change, so each method is one step for all tasks.

    Everything is kept in the order of the heartbeats, so what has expired, or has to make room, stands in front: each
    heartbeat removes it, and nothing has to run in the background.
    """

    def __init__(
        self, seconds: Callable[[], float] = time.monotonic, *, most_entries: int = MOST_ENTRIES
    ) -> None:
        """Take a clock that nobody sets: a wall clock put back would keep people here who have gone."""
        self._seconds = seconds
        self._most_entries = most_entries
        self._flows: dict[_FlowKey, dict[Who, tuple[Person, float]]] = {}
        self._seen: dict[tuple[_FlowKey, Who], float] = {}

    def __len__(self) -> int:
        """Return how many heartbeats are kept."""
        return len(self._seen)

    async def announce(self, tenant_id: str, flow_id: str, person: Person) -> None:
        flow, now = (tenant_id, flow_id), self._seconds()
        self._forget(flow, person.who)  # to stand last again
        self._forget_expired(now)
        here = self._flows.setdefault(flow, {})
        here[person.who] = person, now
        self._seen[flow, person.who] = now
        if len(here) > MOST_PEOPLE:
            self._forget(flow, next(iter(here)))
        if len(self._seen) > self._most_entries:
            self._forget(*next(iter(self._seen)))

    async def peers(self, tenant_id: str, flow_id: str) -> list[Peer]:
        now = self._seconds()
        here = self._flows.get((tenant_id, flow_id), {})
        return [Peer(person, now - seen) for person, seen in here.values() if now - seen < TTL_S]

    async def leave(self, tenant_id: str, flow_id: str, who: Who) -> None:
        self._forget((tenant_id, flow_id), who)

    async def check(self) -> None:
        """Return: memory is always there."""

    async def close(self) -> None:
        """Do nothing: memory needs no closing."""

    def _forget_expired(self, now: float) -> None:
        while self._seen:
            oldest, seen = next(iter(self._seen.items()))
            if now - seen < TTL_S:
                return
            self._forget(*oldest)

    def _forget(self, flow: _FlowKey, who: Who) -> None:
        if self._seen.pop((flow, who), None) is None:
            return
        here = self._flows[flow]
        del here[who]
        if not here:
            del self._flows[flow]
