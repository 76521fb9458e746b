"""A run that has not ended: whether it goes on or waits for people, and how it is ended from outside."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import orjson

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.runtime.checkpoint import Answer, Question
from scaiflow_api.localgrid.runtime.failures import BlockFailed, RunFailed
from scaiflow_api.localgrid.scaicore import checkpoint_table
from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint, new_checkpoint
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.scaicore.journal import Journal


class LiveRun:
    """Implements `People` and `Traffic`. It is suspended while each of its lanes waits for people.

    Its time limit counts the time that it goes on, not the time that it is suspended.
    """

    def __init__(
        self,
        invocation: Invocation,
        journal: Journal,
        clock: Clock,
        limit_s: float,
        root_id: str,
        asked: Mapping[str, Checkpoint],
    ) -> None:
        """Take what a run that is taken up again has `asked`, by place."""
        self.invocation = invocation
        self.journal = journal
        self.limit_s = limit_s
        self.root_id = root_id
        self.called: list[LiveRun] = []
        """The runs that it called and waits for."""
        self.task: asyncio.Task[Execution] | None = None
        self._clock = clock
        self._asked = asked
        self._answers: dict[str, Answer] = {
            place: c.answer for place, c in self._asked.items() if c.answer is not None
        }
        self._futures: dict[str, asyncio.Future[Answer]] = {}
        self._lanes = 1
        self._waits: list[str | LiveRun] = []
        """Checkpoints, and suspended runs that it called: one for each lane that waits."""
        self._limit: asyncio.Timeout | None = None
        self._left_s: float | None = None
        self._reason: RunFailed | None = None
        self._changed = asyncio.Event()

    @property
    def id(self) -> str:
        return self.journal.execution_id

    @property
    def is_suspended(self) -> bool:
        return len(self._waits) == self._lanes

    @property
    def checkpoint_id(self) -> str | None:
        """The first checkpoint that it waits for, be it of a run that it called."""
        for wait in self._waits:
            found = wait if isinstance(wait, str) else wait.checkpoint_id
            if found is not None:
                return found
        return None

    @property
    def state(self) -> Execution:
        """The execution as it stands, or how it ended."""
        if self.task is not None and self.task.done():
            return self.task.result()
        if self.is_suspended:
            return Execution(id=self.id, status="SUSPENDED", checkpoint_id=self.checkpoint_id)
        return Execution(id=self.id, status="RUNNING")

    def start(self, task: asyncio.Task[Execution]) -> None:
        self.task = task
        task.add_done_callback(lambda _: self._notify())

    # Waiting

    def lanes(self, more: int) -> None:
        """Note that so many lanes began, or ended."""
        with self._change():
            self._lanes += more

    async def ask(self, place: str, question: Question) -> Answer:
        """Suspend the lane until the checkpoint of this place is answered; it is made where there is none."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._futures[place] = future
        if place in self._answers:
            return self._answers.pop(place)
        checkpoint = self._asked.get(place) or await self._new(place, question)
        try:
            with self._waiting_for(checkpoint.id):
                return await future
        except asyncio.CancelledError:
            self._withdraw(checkpoint.id)
            raise

    def answer(self, place: str, answer: Answer) -> None:
        """Let the lane go on that waits there; one that has not come there yet will not wait."""
        future = self._futures.get(place)
        if future is None:
            self._answers[place] = answer
        elif not future.done():
            future.set_result(answer)

    async def outcome_of(self, called: "LiveRun") -> Execution:
        """Wait for a run that this one called; as long as that one is suspended so is the lane that waits."""
        task = called.task
        assert task is not None
        self.called.append(called)
        try:
            while not task.done():
                changed = called._changed
                if called.is_suspended:
                    with self._waiting_for(called):
                        await changed.wait()
                else:
                    await changed.wait()
        finally:
            self.called.remove(called)
        return task.result()

    async def standstill(self) -> None:
        """Wait until the run is suspended or has ended."""
        while not (self.is_suspended or (self.task is not None and self.task.done())):
            await self._changed.wait()

    async def _new(self, place: str, question: Question) -> Checkpoint:
        now = self._clock.now()
        checkpoint = new_checkpoint(self.invocation, self.id, place, question, now)
        try:
            orjson.dumps(checkpoint.details)
        except orjson.JSONEncodeError as error:
            raise BlockFailed(
                "EVALUATION_ERROR", f"the question cannot be written as JSON: {error}"
            ) from None
        self.journal.write(partial(checkpoint_table.insert, checkpoint=checkpoint, now=now))
        try:
            await self.journal.settle()
        except asyncio.CancelledError:
            self._withdraw(checkpoint.id)
            raise
        return checkpoint

    def _withdraw(self, checkpoint_id: str) -> None:
        now = self._clock.now()
        self.journal.write(partial(checkpoint_table.withdraw, checkpoint_id=checkpoint_id, now=now))

    @contextmanager
    def _waiting_for(self, wait: "str | LiveRun") -> Iterator[None]:
        with self._change():
            self._waits.append(wait)
        try:
            yield
        finally:
            with self._change():
                self._waits.remove(wait)

    @contextmanager
    def _change(self) -> Iterator[None]:
        before = self.is_suspended
        yield
        if self.is_suspended != before:
            self._pause() if self.is_suspended else self._go_on()
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # Limits

    @contextmanager
    def limited_by(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Let a time limit, entered by the run's task, be this run's."""
        self._limit = limit
        if self._reason is not None:
            limit.reschedule(asyncio.get_running_loop().time())
        try:
            yield
        finally:
            self._limit = None

    def end(self, reason: RunFailed) -> None:
        """Have the run fail, wherever it is. One that is just ending ends by itself."""
        self._reason = self._reason or reason
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def why_ended(self) -> RunFailed:
        """Return why the limit ended the run."""
        return self._reason or RunFailed("RUN_TIMEOUT", f"the run took longer than {self.limit_s:g} s")

    def close(self) -> None:
        """Stop with the process, to be taken up again by the next one."""
        self.journal.close()
        if self.task is not None:
            self.task.cancel()

    def _pause(self) -> None:
        when = None if self._limit is None or self._limit.expired() else self._limit.when()
        if self._limit is not None and when is not None and self._reason is None:
            self._left_s = when - asyncio.get_running_loop().time()
            self._limit.reschedule(None)

    def _go_on(self) -> None:
        left_s, self._left_s = self._left_s, None
        if left_s is not None and self._limit is not None and self._reason is None:
            self._limit.reschedule(asyncio.get_running_loop().time() + left_s)
