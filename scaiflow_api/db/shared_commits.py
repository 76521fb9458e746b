"""Pieces of work that share a commit, for a database with one writer, where each would wait for the others' disk.

While one transaction is being committed, the pieces that arrive wait. All of them are then carried out in one
transaction, each behind a savepoint, so that a piece that fails is undone alone. Nobody is told of success before
the commit that all of them share.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection

Result = TypeVar("Result")
Work: TypeAlias = Callable[[Connection], Any]

_AT_ONCE: Final = 16
"""Pieces in one transaction: on SQLite their statements keep the event loop, some tenths of a millisecond each."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Any = None
    failure: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    work: Work
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    context: Context = field(default_factory=copy_context)
    """The context of the caller, in whose trace the work belongs."""

    def settle(self, outcome: _Outcome) -> None:
        """Give the outcome to the caller, if it still waits."""
        if self.done.cancelled():
            return
        if outcome.failure is None:
            self.done.set_result(outcome.result)
        elif isinstance(outcome.failure, asyncio.CancelledError):
            self.done.cancel()
        else:
            self.done.set_exception(outcome.failure)


class SharedCommits:
    """`transact` carries work out in a transaction of its own, one after the other."""

    def __init__(self, transact: Callable[[Work], Awaitable[Any]]) -> None:
        self._transact = transact
        self._gathered: list[_Piece] = []
        self._task: asyncio.Task[None] | None = None

    async def carry_out(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returned, once it is committed. Raises what it raised, or what `transact` raises.

        A caller that is cancelled before the work began has written nothing; after that it is unknown.
        """
        piece = _Piece(work)
        self._gathered.append(piece)
        if self._task is None:
            self._task = asyncio.create_task(self._commit_all())
        result: Result = await piece.done
        return result

    async def _commit_all(self) -> None:
        try:
            while self._gathered:
                await self._commit_some()
        finally:
            self._task = None
            for piece in self._gathered:  # none, but where this task was cancelled
                piece.done.cancel()

    async def _commit_some(self) -> None:
        taken: list[_Piece] = []

        def carry_out_taken(connection: Connection) -> list[_Outcome]:
            # Only now, so that what arrived during the commit before comes along.
            taken.extend(self._take())
            return _carry_out(connection, taken)

        try:
            outcomes = await self._transact(carry_out_taken)
        except BaseException as failure:
            for piece in taken or self._take():
                piece.settle(_Outcome(failure=failure))
            if not isinstance(failure, Exception):
                raise
        else:
            for piece, outcome in zip(taken, outcomes, strict=True):
                piece.settle(outcome)

    def _take(self) -> list[_Piece]:
        wanted = [piece for piece in self._gathered if not piece.done.cancelled()]
        self._gathered = wanted[_AT_ONCE:]
        return wanted[:_AT_ONCE]


def _carry_out(connection: Connection, pieces: list[_Piece]) -> list[_Outcome]:
    if len(pieces) == 1:
        # It needs no savepoint: if it fails, so does its transaction.
        return [_Outcome(pieces[0].context.run(pieces[0].work, connection))]
    return [_undone_alone(connection, piece) for piece in pieces]


def _undone_alone(connection: Connection, piece: _Piece) -> _Outcome:
    connection.exec_driver_sql("SAVEPOINT piece")
    try:
        outcome = _Outcome(piece.context.run(piece.work, connection))
    except Exception as failure:
        # Where the database gave up the whole transaction there is no savepoint any more, and all pieces fail.
        connection.exec_driver_sql("ROLLBACK TO piece")
        outcome = _Outcome(failure=failure)
    connection.exec_driver_sql("RELEASE piece")
    return outcome
