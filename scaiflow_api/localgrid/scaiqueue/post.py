"""What queues do for those who know them by their slugs, and who may wait for a message: the runs of Cores."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.scaiqueue import claims, messages, publishing, queues, scopes
from scaiflow_api.localgrid.scaiqueue.message import Actor, Message, NewMessage
from scaiflow_api.localgrid.scaiqueue.queues import Queue
from scaiflow_api.localgrid.scaiqueue.scopes import Scope
from scaiflow_api.localgrid.store import Store

_T = TypeVar("_T")

KEPT_MESSAGES = 50_000
"""Of those that have ended, older ones are dropped at start."""

_LOOK_EVERY_S = 0.5
"""A message may also become visible because time passes, which nobody announces."""


class Post:
    """Publishes to the queues of a tenant and takes from them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._arrival = asyncio.Event()

    def announce(self) -> None:
        """Wake those who wait: there may be something to claim."""
        self._arrival.set()
        self._arrival = asyncio.Event()

    async def forget_old(self) -> None:
        """Drop messages that have ended, but for the newest."""
        await self._store.write(
            lambda connection: connection.execute(
                "DELETE FROM queue_messages WHERE state IN ('completed', 'expired')"
                " AND seq <= (SELECT max(seq) FROM queue_messages) - ?",
                (KEPT_MESSAGES,),
            )
        )

    async def publish(
        self, tenant_id: str, scope_slug: str, queue_slug: str, new: NewMessage, source: Actor
    ) -> Message:
        """Publish and return the message, or the earlier one with its key. Raises GridError."""
        message = await self._write(
            tenant_id,
            scope_slug,
            queue_slug,
            lambda connection, scope, queue, now: publishing.publish(
                connection, scope, queue, new, source, now
            )[0],
        )
        self.announce()
        return message

    async def take(
        self,
        tenant_id: str,
        scope_slug: str,
        queue_slug: str,
        consumer: Actor,
        *,
        most: int,
        wait_s: float,
        complete: bool,
    ) -> list[Message]:
        """Claim up to `most` messages; wait up to `wait_s` seconds for the first one. Raises GridError.

        With `complete` they are completed in the same transaction.
        """

        def take(connection: sqlite3.Connection, scope: Scope, queue: Queue, now: float) -> list[Message]:
            taken = claims.claim(connection, scope, queue, consumer, most=most, now=now)
            if not complete:
                return taken
            return [
                claims.complete(connection, scope, message.id, consumer, result=None, now=now)
                for message in taken
            ]

        end = time.monotonic() + wait_s
        while True:
            arrival = self._arrival
            taken = await self._write(tenant_id, scope_slug, queue_slug, take)
            left = end - time.monotonic()
            if taken or left <= 0:
                return taken
            await _wait(arrival, min(left, _LOOK_EVERY_S))

    async def _write(
        self,
        tenant_id: str,
        scope_slug: str,
        queue_slug: str,
        work: Callable[[sqlite3.Connection, Scope, Queue, float], _T],
    ) -> _T:
        now = self._clock.now().timestamp()

        def write(connection: sqlite3.Connection) -> _T:
            scope = scopes.get_by_slug(connection, tenant_id, scope_slug)
            messages.settle(connection, scope, now)
            return work(connection, scope, queues.get_by_slug(connection, scope.id, queue_slug), now)

        return await self._store.write(write)


async def _wait(arrival: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(arrival.wait(), seconds)
    except TimeoutError:
        return
