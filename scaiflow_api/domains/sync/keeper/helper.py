"""The API's side of a helper process: questions go through one socket, and are answered in their order by another.

The library that reads drafts crashes on some updates that somebody made up. As a helper works on one question at a
time, the one that it did not survive is known: the first without an answer. That one fails with `HelperCrashed`, the
others with `HelperLost`, and so do all where it ended before it was at work.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from scaiflow_api.domains.sync.keeper.wire import ANSWERED, AT_WORK, HEAD, UNKNOWN_DRAFT, packed, unpacked
from scaiflow_api.domains.sync.varints import Malformed

log = structlog.get_logger(__name__)

_LONGEST_S: Final = 30.0
"""A question that takes longer sent the library round in circles, or waits behind one that did."""
_END_WITHIN_S: Final = 5.0
_READ_AT_ONCE: Final = 4 * 1024 * 1024
"""What may have come before it is taken: a draft of 2 MB should not come in pieces that each wait for the loop."""


_ENVIRONMENT: Final = frozenset(
    (
        "PATH",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "SYSTEMROOT",
    )
)
"""What it inherits: no secret, because somebody who can make the library crash may make it do something else."""


class HelperLost(Exception):
    """The process ended before it came to this question, or does not hold this draft."""


class HelperCrashed(HelperLost):
    """The process ended over this very question."""


@dataclass(eq=False)
class _Running:
    """A process, our ends of the sockets that are its input and its output, and what it was asked."""

    process: "subprocess.Popen[bytes]"
    questions: asyncio.StreamWriter
    answers: asyncio.StreamReader
    unused: asyncio.StreamWriter
    """The other direction of the second socket."""
    asked: deque[asyncio.Future[Any]] = field(default_factory=deque)
    at_work: bool = False
    """It has begun to take questions: what ends it now is the one that it works on."""

    @classmethod
    async def started(cls, module: str) -> "_Running":
        our_questions, its_questions = socket.socketpair()
        our_answers, its_answers = socket.socketpair()
        with its_questions, its_answers:
            # The event loop's own way copies the tables of all our memory, and stands still meanwhile: 20 to 70 ms.
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - half a millisecond; our own module
                (sys.executable, "-m", module),
                stdin=its_questions.fileno(),
                stdout=its_answers.fileno(),
                env={name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
                start_new_session=True,  # a Ctrl-C is for the API, which then closes the socket
            )
        _, questions = await asyncio.open_unix_connection(sock=our_questions)
        # Two, for what fails in writing must not keep us from reading what was answered before.
        answers, unused = await asyncio.open_unix_connection(sock=our_answers, limit=_READ_AT_ONCE)
        return cls(process, questions, answers, unused)

    def close(self) -> None:
        """Ask nothing more. What was asked is answered, and then the process ends."""
        self.questions.close()

    async def ended(self) -> int:
        """Return the status that the process ended with; after a while it is made to end."""
        self.questions.close()
        self.unused.close()
        try:
            return await asyncio.to_thread(self.process.wait, _END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)


class Helper:
    """One process, `python -m module`: started when it is first asked, and again after it ended."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._listeners: set[asyncio.Task[None]] = set()
        self.crashes = 0

    async def ask(self, *question: Any) -> Any:
        """Return the answer. Raises HelperLost, HelperCrashed, and Malformed where it says so."""
        running = await self._started()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        running.asked.append(answer)
        running.questions.write(packed(question))
        try:
            with suppress(ConnectionError):  # the listener sees it too, and says so
                await running.questions.drain()
            if not (await asyncio.wait({answer}, timeout=_LONGEST_S))[0]:
                running.process.kill()
            outcome, found = await answer
        finally:
            answer.cancel()
        if outcome == ANSWERED:
            return found
        if found == UNKNOWN_DRAFT:
            raise HelperLost
        raise Malformed(found)

    async def start(self) -> None:
        """Have the process started, so that it need not be when it is asked."""
        await self._started()

    @property
    def runs(self) -> bool:
        return self._running is not None

    async def close(self) -> None:
        """End the process; it has its time for what it was asked."""
        if (running := self._running) is not None:
            running.close()
            _, left = await asyncio.wait(
                self._listeners, timeout=_LONGEST_S if running.asked else _END_WITHIN_S
            )
            if left:
                running.process.kill()
        await asyncio.gather(*self._listeners)

    async def _started(self) -> _Running:
        async with self._starting:
            if self._running is None:
                self._running = await _Running.started(self._module)
                listener = asyncio.create_task(self._listen(self._running))
                self._listeners.add(listener)
                listener.add_done_callback(self._listeners.discard)
        return self._running

    async def _listen(self, running: _Running) -> None:
        asked = running.asked
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            running.at_work = await running.answers.readexactly(HEAD.size) == AT_WORK
            while True:
                head = await running.answers.readexactly(HEAD.size)
                body = await running.answers.readexactly(HEAD.unpack(head)[0])
                answer = asked.popleft()
                if not answer.done():
                    answer.set_result(unpacked(body))
        if self._running is running:
            self._running = None
        status = await running.ended()
        if asked:
            self.crashes += 1
            log.error("a helper ended over a question", helper=self._module, status=status, asked=len(asked))
        for position, answer in enumerate(asked):
            if not answer.done():
                answer.set_exception(HelperLost() if position or not running.at_work else HelperCrashed())
