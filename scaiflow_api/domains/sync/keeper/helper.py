"""The API's side of a helper process: questions go down a pipe, and are answered in their order.

The library that reads drafts crashes on some updates that somebody made up. As a helper works on one question at a
time, the one that it did not survive is known: the first without an answer. Whoever asked that gets `HelperCrashed`,
the others `HelperLost`.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress
from typing import Any, Final

import structlog

from scaiflow_api.domains.sync.keeper.wire import ANSWERED, HEAD, UNKNOWN_DRAFT, packed, unpacked
from scaiflow_api.domains.sync.varints import Malformed

log = structlog.get_logger(__name__)

_LONGEST_S: Final = 30.0
"""Whoever has waited so long sent the library round in circles, or waits for somebody who did."""
_END_WITHIN_S: Final = 5.0


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
"""What it inherits: no secret. Who can make the library crash may make it do something else."""


class HelperLost(Exception):
    """The process ended before it came to this question, or does not hold this draft."""


class HelperCrashed(HelperLost):
    """The process ended over this very question."""


class Helper:
    """One process, `python -m module`: started when it is first asked, and again after it ended."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: Process | None = None
        self._starting = asyncio.Lock()
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._listeners: set[asyncio.Task[None]] = set()
        self.crashes = 0

    async def ask(self, *question: Any) -> Any:
        """Return the answer. Raises HelperLost, HelperCrashed, and Malformed where it says so."""
        process = await self._running()
        assert process.stdin is not None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        process.stdin.write(packed(question))
        try:
            with suppress(ConnectionError):  # the listener sees it too, and says so
                await process.stdin.drain()
            if not (await asyncio.wait({answer}, timeout=_LONGEST_S))[0]:
                self._kill(process)
            outcome, found = await answer
        finally:
            answer.cancel()
        if outcome == ANSWERED:
            return found
        if found == UNKNOWN_DRAFT:
            raise HelperLost
        raise Malformed(found)

    @property
    def runs(self) -> bool:
        return self._process is not None

    async def close(self) -> None:
        """End the process."""
        if (process := self._process) is not None and process.stdin is not None:
            process.stdin.close()
            await self._ended(process)
        await asyncio.gather(*self._listeners)

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    self._module,
                    stdin=PIPE,
                    stdout=PIPE,
                    env={name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
                    start_new_session=True,  # a Ctrl-C is for the API, which then closes the pipe
                )
                self._asked = deque()
                listener = asyncio.create_task(self._listen(self._process, self._asked))
                self._listeners.add(listener)
                listener.add_done_callback(self._listeners.discard)
        return self._process

    async def _listen(self, process: Process, asked: deque[asyncio.Future[Any]]) -> None:
        assert process.stdout is not None
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await process.stdout.readexactly(HEAD.size)
                body = await process.stdout.readexactly(HEAD.unpack(head)[0])
                answer = asked.popleft()
                if not answer.done():
                    answer.set_result(unpacked(body))
        if self._process is process:
            self._process = None
        status = await self._ended(process)
        if asked:
            self.crashes += 1
            log.error("a helper ended over a question", helper=self._module, status=status, asked=len(asked))
        for position, answer in enumerate(asked):
            if not answer.done():
                answer.set_exception(HelperLost() if position else HelperCrashed())

    async def _ended(self, process: Process) -> int:
        """Wait for the process's end, for a while, and else bring it about."""
        try:
            async with asyncio.timeout(_END_WITHIN_S):
                return await process.wait()
        except TimeoutError:
            self._kill(process)
            return await process.wait()

    @staticmethod
    def _kill(process: Process) -> None:
        with suppress(ProcessLookupError):
            process.kill()
