"""Transactions: short ones, opened where they are needed and closed before anything else is awaited.

There is no transaction per request. A handler's service reads, leaves the transaction, talks to the object store
or an upstream, and then writes; so a commit has always happened before the answer, and nothing is held open
while something slow is waited for.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.kept_sessions import Sessions
from scaiflow_api.db.shared_commits import SharedCommits
from scaiflow_api.db.sqlite import Driver, SQLiteConnection
from scaiflow_api.db.statements import trace_statements

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

_PATIENCE_S = 10
"""How long to wait for a connection that is in use."""

# SQLAlchemy wraps what its statements meet, but not what our own BEGIN meets.
_UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, sqlite3.OperationalError, OSError)
# Of PostgreSQL's errors it makes no such kinds; their codes tell: no connection, read-only after a failover, a
# deadlock, no room, a lock not given, stopped by the operator, a broken disk.
_NOT_NOW = ("08", "25006", "40", "53", "55P03", "57", "58")


class Database:
    """A database, with one pool of connections for reading and one for writing."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_timeout_ms: int = 5000,
        deadline_s: float = 30.0,
        traced: bool = False,
    ) -> None:
        self._deadline_s = deadline_s
        common: dict[str, Any] = {
            "pool_pre_ping": not url.startswith("sqlite"),
            "max_overflow": 0,
            "pool_timeout": _PATIENCE_S,
        }
        if url.startswith("sqlite"):
            common["module"] = Driver(patience_s=busy_timeout_ms / 1000)
        # Reading takes no transaction: each statement sees what is committed, as in PostgreSQL's default anyway.
        self._reader = create_async_engine(
            url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, pool_size=pool_size, **common
        )
        self._readers = Sessions(self._reader, size=pool_size, patience_s=_PATIENCE_S)
        self._turn: AbstractAsyncContextManager[Any] = nullcontext()
        self._shared: SharedCommits | None = None
        if self.dialect == "sqlite":
            self._shared = SharedCommits(self._transact)
            # SQLite has one writer; waiting in line here is fair, its own busy handler sleeps and is not.
            self._turn = asyncio.Lock()
            pool_size = 1
        elif self.dialect != "postgresql":
            # As PostgreSQL does by itself. What MariaDB does by itself also locks the gaps in which a statement found
            # nothing, and two transactions that then fill the same gap are a deadlock (docs/adr/0032).
            common["isolation_level"] = "READ COMMITTED"
        self._writer = create_async_engine(url, pool_size=pool_size, **common)
        if self.dialect == "sqlite":
            for engine in (self._reader, self._writer):
                event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._writer.sync_engine, "begin", _begin_immediate)
        if self.dialect in ("mysql", "mariadb"):
            for engine in (self._reader, self._writer):
                event.listen(engine.sync_engine, "do_connect", _connect_asyncmy)
        if traced:
            for engine in (self._reader, self._writer):
                trace_statements(engine.sync_engine)
        self._writers = Sessions(self._writer, size=pool_size, patience_s=_PATIENCE_S)

    @property
    def dialect(self) -> str:
        return self._reader.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for questions; each sees what is committed when it is asked.

        Raises DatabaseUnavailable, also when the block takes longer than the deadline.
        """
        with _translated():
            async with asyncio.timeout(self._deadline_s), self._readers.session() as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that commits at the end of the block, or rolls back.

        Raises DatabaseUnavailable, also when the block takes longer than the deadline; if that was while it
        committed, nobody knows whether it did.

        On SQLite it takes the write lock at its beginning: two deferred transactions that both read and then
        write lose an update.
        """
        with _translated():
            async with (
                asyncio.timeout(self._deadline_s),
                self._turn,
                self._writers.session() as session,
                session.begin(),
            ):
                yield session

    async def ask(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` finds out through one connection. It awaits nothing. Raises as `read`.

        Going in and out of SQLAlchemy once for several statements saves more than SQLite needs to answer them.
        """
        async with self.read() as session:
            return await session.run_sync(lambda inner: work(inner.connection()))

    async def carry_out(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` through one connection, in a transaction. It awaits nothing. Raises as `write`.

        On SQLite the transaction may be that of others too, who do not see whether `work` fails.
        """
        if self._shared is None:
            return await self._transact(work)
        with _translated():
            async with asyncio.timeout(self._deadline_s):
                return await self._shared.carry_out(work)

    async def _transact(self, work: Callable[[Connection], Result]) -> Result:
        with _translated():
            async with asyncio.timeout(self._deadline_s), self._turn, self._writers.session() as session:
                return await session.run_sync(_in_transaction, work)

    async def check(self) -> None:
        """Raise DatabaseUnavailable unless the database answers."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._readers.close()
        await self._writers.close()
        await self._reader.dispose()
        await self._writer.dispose()


class _translated:  # noqa: N801 - reads as a verb at its use
    """Turns a database that is away into our error; a fault of ours stays a bug, a cancellation stays one."""

    def __enter__(self) -> None:
        self._cancelled = _cancellations()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        away = isinstance(error, _UNREACHABLE) or (isinstance(error, DBAPIError) and _passes(error))
        if not away:
            return
        if _cancellations() > self._cancelled:
            # Undoing a cancelled block failed too, and its error took the place of the cancellation.
            raise asyncio.CancelledError from error
        log.error("database does not answer", exc_info=error)
        raise DatabaseUnavailable from None


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _passes(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state.startswith(_NOT_NOW)


def _in_transaction(session: Session, work: Callable[[Connection], Result]) -> Result:
    connection = session.get_bind()
    assert isinstance(connection, Connection), "sessions are kept with their connection"
    with connection.begin():
        return work(connection)


def _connect_asyncmy(dialect: Any, _: object, address: Any, options: Any) -> Any:
    try:
        return dialect.connect(*address, **options)
    except RuntimeError as error:
        # What asyncmy raises where the server hung up before it had set up its socket.
        raise ConnectionError(str(error)) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The cache, in KiB, is as large as needed: looking up thousands of flows in lists must not read a file each time.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16384"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    driver = cast("SQLiteConnection", connection.connection.dbapi_connection)
    driver.begin_immediate()
