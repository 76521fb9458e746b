"""A process whose every step beyond itself is counted, so that a test can make it fail, stop or die at any of them.

A step is a call of the store, the beginning, a statement or the commit of a transaction, or a request to ScaiGrid.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from typing import Any

import httpx
import respx
from played_grid import PlayedGrid
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import await_only

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.session import Database
from scaiflow_api.storage import BlobStore, StoreUnavailable
from scaiflow_api.storage.blobs import BlobInfo


class Crash(BaseException):
    """The process is gone: nothing that it would still do happens."""


class Fault(Enum):
    """What a step meets."""

    REFUSED = "refused"
    """It fails, and has done nothing; the next one succeeds."""
    LOST = "answer lost"
    """It does its work, and seems to have failed."""
    OUTAGE = "outage"
    """It fails, and so do all further ones of the same system."""
    CRASH = "crash"
    """It does its work, and is the last thing that the process does."""
    HELD = "held"
    """It waits, before it does anything, until `go_on` is set; `arrived` tells that it does."""


class Steps:
    """Counts steps from 1; the armed one meets a fault."""

    def __init__(self) -> None:
        self.arm()

    def arm(self, at: int = 0, fault: Fault | None = None) -> None:
        """Begin to count anew."""
        self.taken: list[str] = []
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        self._at, self._fault = at, fault
        self._away: str | None = None
        self._dead = False

    def recover(self) -> None:
        """Let all be well again. What was counted stays."""
        self._at, self._away, self._dead = 0, None, False

    async def hold(self) -> None:
        """Wait here if the step that comes next is to be held."""
        if self._fault is Fault.HELD and len(self.taken) + 1 == self._at:
            self.arrived.set()
            await self.go_on.wait()

    @contextmanager
    def step(self, system: str, what: str, failure: Callable[[], Exception]) -> Iterator[None]:
        """Do one step in the block; `failure` makes what it raises when it is to fail."""
        if self._dead:
            raise Crash
        self.taken.append(f"{system} {what}")
        here = len(self.taken) == self._at
        if self._away == system or (here and self._fault in {Fault.REFUSED, Fault.OUTAGE}):
            self._away = system if self._fault is Fault.OUTAGE else None
            raise failure()
        yield
        if here and self._fault is Fault.CRASH:
            self._dead = True
            raise Crash
        if here and self._fault is Fault.LOST:
            raise failure()


class SteppedBlobs:
    """A store of which every call is a step."""

    def __init__(self, inner: BlobStore, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps
        self.check, self.close = inner.check, inner.close

    @asynccontextmanager
    async def _step(self, what: str) -> AsyncIterator[None]:
        await self._steps.hold()
        with self._steps.step("store", what, StoreUnavailable):
            yield

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        async with self._step("put"):
            await self._inner.put(key, data, if_absent=if_absent)

    async def get(self, key: str) -> bytes:
        async with self._step("get"):
            return await self._inner.get(key)

    async def delete(self, key: str) -> None:
        async with self._step("delete"):
            await self._inner.delete(key)

    async def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        async with self._step("list"):
            found = [info async for info in self._inner.keys(prefix)]
        for info in found:
            yield info


def count_steps(db: Database, steps: Steps) -> None:
    """Make every transaction, statement and commit of an open database a step."""
    _count_statements(db._reader, steps)
    _count_statements(db._writer, steps)
    write, transact = db.write, db._transact

    async def begin() -> None:
        await steps.hold()
        with steps.step("database", "begin", DatabaseUnavailable):
            pass

    @asynccontextmanager
    async def stepped_write() -> AsyncIterator[AsyncSession]:
        await begin()
        async with write() as session:
            yield session

    async def stepped_transact(work: Callable[[Connection], Any]) -> Any:
        await begin()
        return await transact(work)

    db.write = stepped_write  # type: ignore[method-assign]
    db._transact = stepped_transact  # type: ignore[method-assign]
    if db._shared is not None:
        db._shared._transact = stepped_transact


def _count_statements(engine: AsyncEngine, steps: Steps) -> None:
    dialect: Any = engine.sync_engine.dialect

    def stepped(what: str, work: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **named: Any) -> None:
            await_only(steps.hold())
            with steps.step("database", what, lambda: dialect.loaded_dbapi.OperationalError("away")):
                work(*args, **named)

        return call

    dialect.do_execute = stepped("statement", dialect.do_execute)
    dialect.do_executemany = stepped("statements", dialect.do_executemany)
    dialect.do_commit = stepped("commit", dialect.do_commit)


class SteppedGrid(PlayedGrid):
    """A second address of a played ScaiGrid, at which every request is a step."""

    def __init__(self, router: respx.MockRouter, base_url: str, same: PlayedGrid, steps: Steps) -> None:
        super().__init__(router, base_url)
        self.cores, self.manifests, self._numbers = same.cores, same.manifests, same._numbers
        self.queues = same.queues
        self._counted = steps

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await self._counted.hold()
        with self._counted.step("scaigrid", request.method, lambda: httpx.ReadTimeout("away")):
            return await super()._answer(request)
