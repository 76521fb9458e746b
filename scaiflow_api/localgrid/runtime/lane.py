"""The ways that a run goes at the same time, and what it must not do twice.

A run that was suspended, or cut off, is taken up again by going through its flow from the start: blocks are
deterministic, and whatever is not (models, other Cores, people, time) is kept in the run's record and answered from
there. For that every step needs a name which is the same each time. Inside of one lane everything has one order, so
a step is named by its lane and its number; lanes that go at the same time do not see one another.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.checkpoint import Answer, Question
from scaiflow_api.localgrid.runtime.events import RuntimeEvent
from scaiflow_api.localgrid.runtime.failures import BlockFailed

Work: TypeAlias = Callable[[], Awaitable[Value]]


class CutOff(BlockFailed):
    """Work that was broken off, by the time limit of its block, when the run first came here."""

    def __init__(self) -> None:
        super().__init__("INTERRUPTED", "it was broken off")


class Record(Protocol):
    """What a run has told and done. Places are names of steps."""

    def emit(self, lane: str, number: int, event: RuntimeEvent) -> None:
        """Take the event of that number in the lane without waiting, unless it was told before; order is kept."""
        ...

    async def pace(self) -> None:
        """Let others have their turn, and wait while events are taken faster than they are kept."""
        ...

    async def once(self, place: str, work: Work) -> Value:
        """Do work that must not be done twice, or return what came of it. Raises BlockFailed."""
        ...

    def failure_at(self, place: str) -> BlockFailed | None:
        """Return the failure that was kept."""
        ...

    def keep_failure(self, place: str, failure: BlockFailed) -> None:
        """Keep a failure that going through the flow again might not meet again."""
        ...


class People(Protocol):
    """Those who answer checkpoints."""

    async def ask(self, place: str, question: Question) -> Answer:
        """Suspend the lane until somebody answers, or nobody did in time."""
        ...


class Traffic(Protocol):
    """Who must know how many lanes there are, to tell when all of them wait for people."""

    def lanes(self, more: int) -> None:
        """Note that so many lanes began, or ended."""
        ...


class Lane:
    """One of the ways that a run goes at the same time."""

    def __init__(self, record: Record, people: People, traffic: Traffic, name: str = "") -> None:
        self.record = record
        self.traffic = traffic
        self._people = people
        self._name = name
        self._events = 0
        self._steps = 0

    def inner(self, place: str, number: int) -> "Lane":
        """Return the lane of one of the things that begin at a place and go on at the same time."""
        return Lane(self.record, self._people, self.traffic, f"{place}.{number}")

    def step(self) -> str:
        """Return the place of the next step."""
        self._steps += 1
        return f"{self._name}/{self._steps}"

    def emit(self, event: RuntimeEvent) -> None:
        self.record.emit(self._name, self._events, event)
        self._events += 1

    async def once(self, work: Work) -> Value:
        """Do work that must not be done twice: everything with an effect outside. Raises BlockFailed."""
        return await self.record.once(self.step(), work)

    async def ask(self, question: Question) -> Answer:
        """Suspend this lane until somebody answers."""
        return await self._people.ask(self.step(), question)
