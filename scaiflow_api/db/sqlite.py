"""SQLite for an event loop: a short question is answered on the spot, everything else in a thread.

Most statements take SQLite some microseconds; handing one to a thread and its answer back takes a hundred, and
several milliseconds while the loop is busy, because threads of one interpreter wait for each other. So a SELECT
begins on the loop. After `SHORT` steps of SQLite's machine, about a millisecond, it is broken off and asked anew in
a thread, one of the connection's own; nothing was changed, so only that millisecond is lost. Beginning a
transaction is done likewise, where another process may be writing. Inserting given values, and updating, which this
product does row by row, happen on the loop without a limit: a write that is broken off takes its transaction with
it. So do savepoints. Everything else, above all what waits for the disk, as a commit does, goes to the thread at
once, as one piece of work for each statement.

`Driver` takes the place of the module that SQLAlchemy's `sqlite+aiosqlite` dialect would use.
"""

import asyncio
import random
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import AdaptedConnection
from sqlalchemy.util import await_only

Result = TypeVar("Result")

SHORT: Final = 50_000
FEW_ROWS: Final = 100
"""So many are inserted where the loop is; a row takes some microseconds."""
_BROKEN_OFF: Final = frozenset({sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY})


class Driver:
    """What the dialect expects of a database module. `patience_s`: how long to wait for another process's writing."""

    paramstyle = "qmark"
    has_stop = True
    sqlite_version = sqlite3.sqlite_version
    sqlite_version_info = sqlite3.sqlite_version_info
    PARSE_COLNAMES = sqlite3.PARSE_COLNAMES
    PARSE_DECLTYPES = sqlite3.PARSE_DECLTYPES
    Binary = sqlite3.Binary
    Error = sqlite3.Error
    DatabaseError = sqlite3.DatabaseError
    IntegrityError = sqlite3.IntegrityError
    NotSupportedError = sqlite3.NotSupportedError
    OperationalError = sqlite3.OperationalError
    ProgrammingError = sqlite3.ProgrammingError

    def __init__(self, *, patience_s: float) -> None:
        self._patience_s = patience_s

    def connect(self, path: str, **options: Any) -> "SQLiteConnection":
        return SQLiteConnection(path, self._patience_s, options)


class SQLiteConnection(AdaptedConnection):
    """A connection that SQLAlchemy sees as blocking while the event loop goes on."""

    __slots__ = ("_on_the_spot", "_patience_s", "_thread")

    def __init__(self, path: str, patience_s: float, options: dict[str, Any]) -> None:
        self._patience_s = patience_s
        self._on_the_spot = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        options = {**options, "isolation_level": None, "timeout": 0, "check_same_thread": False}
        try:
            self._connection: Any = self._in_thread(lambda: sqlite3.connect(path, **options))
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self._connection.set_progress_handler(lambda: self._on_the_spot, SHORT)

    @property
    def isolation_level(self) -> None:
        """None: the driver begins no transaction by itself. The dialect may say so once more."""
        return

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        assert level is None

    def cursor(self, server_side: bool = False) -> "SQLiteCursor":
        return SQLiteCursor(self)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> "SQLiteCursor":
        cursor = self.cursor()
        cursor.execute(statement, values)
        return cursor

    def create_function(self, *arguments: Any, **options: Any) -> None:
        self._connection.create_function(*arguments, **options)

    def begin_immediate(self) -> None:
        """Begin a transaction that holds the write lock from its first moment."""
        self.briefly(lambda: self._connection.execute("BEGIN IMMEDIATE"))

    def commit(self) -> None:
        if self._connection.in_transaction:
            self.patiently(self._connection.commit)

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self.patiently(self._connection.rollback)

    def close(self) -> None:
        try:
            self._in_thread(self._end)
        finally:
            self._thread.shutdown(wait=False)

    def terminate(self) -> None:
        """Close at once, also where nothing can be awaited."""
        self._connection.interrupt()
        self._thread.submit(self._end)
        self._thread.shutdown(wait=False)

    def _end(self) -> None:
        # Closed with a cursor still in somebody's hands, SQLite keeps the transaction, and its lock, until that goes.
        if self._connection.in_transaction:
            self._connection.rollback()
        self._connection.close()

    def briefly(self, work: Callable[[], Result]) -> Result:
        """Work on the loop, or in the thread when it takes long or meets another process's lock."""
        self._on_the_spot = True
        try:
            return work()
        except sqlite3.OperationalError as error:
            if _kind_of(error) not in _BROKEN_OFF:
                raise
        finally:
            self._on_the_spot = False
        return self.patiently(work)

    def patiently(self, work: Callable[[], Result]) -> Result:
        """Work in the thread, where waiting for another process harms nobody."""

        def wait_and_work() -> Result:
            give_up = time.monotonic() + self._patience_s
            while True:
                try:
                    return work()
                except sqlite3.OperationalError as error:
                    if _kind_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                        raise
                # SQLite's own waiting sleeps ever longer, and whoever came last is served first.
                time.sleep(random.uniform(0.001, 0.005))  # noqa: S311 - only spreads the crowd

        return self._in_thread(wait_and_work)

    def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await_only(self._finish(work))

    async def _finish(self, work: Callable[[], Result]) -> Result:
        """Wait for the thread, also when cancelled: a connection with work left in it would stop whoever is next."""
        # Not by the loop's `run_in_executor`: keeping that from being cancelled takes two more futures and another
        # turn of the loop for each commit.
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()
        done = self._thread.submit(work)
        done.add_done_callback(lambda _: loop.call_soon_threadsafe(_tell, told))
        try:
            await told
        except asyncio.CancelledError:
            while not done.done():
                self._connection.interrupt()
                await asyncio.wait((asyncio.wrap_future(done),), timeout=0.05)
            done.exception()
            raise
        return done.result()


class SQLiteCursor:
    """The answer to one statement, read whole."""

    server_side = False
    arraysize = 1

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection
        self._cursor: sqlite3.Cursor = connection.driver_connection.cursor()
        self._rows: deque[Any] = deque()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        def work() -> list[Any]:
            return self._cursor.execute(statement, values).fetchall()

        match statement[:6]:
            case "SELECT":
                found = self._connection.briefly(work)
            case "INSERT" | "UPDATE" if "SELECT" not in statement:
                found = work()
            case (
                "SAVEPO" | "RELEAS" | "ROLLBA"
            ):  # of savepoints: the transaction goes on, and nothing is written
                found = work()
            case _:
                found = self._connection.patiently(work)
        self._rows = deque(found)

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        def work() -> None:
            self._cursor.executemany(statement, rows)

        if statement.startswith("INSERT") and len(rows) <= FEW_ROWS:
            work()
        else:
            self._connection.patiently(work)

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.popleft()

    def setinputsizes(self, *_: Any) -> None:
        """Nothing to tell the driver."""

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """SQLAlchemy's: let go of the driver's cursor, keep the rows. They were read whole."""


def _tell(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _kind_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; what the module itself refuses, text that is no UTF-8, has none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
