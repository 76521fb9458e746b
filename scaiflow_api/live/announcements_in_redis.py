"""Announcements through Redis's publish and subscribe, for several processes.

One connection listens, another publishes. Either is made anew, for as long as it takes, when it breaks; what is said
meanwhile is lost, as announcements may be.
"""

import asyncio
import secrets
from collections import deque
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from scaiflow_api.live.announcements import ProcessAnnouncements, Receive
from scaiflow_api.live.redis_pool import pool_of

log = structlog.get_logger(__name__)

_PREFIX: Final = "scaiflow:announcements:"
_ASK_AGAIN_S: Final = 1.0
_ANSWER_WITHIN_S: Final = 5.0
_LISTEN_S: Final = 20.0
"""How long it listens in silence before it asks whether Redis is still there."""
_MOST_WAITING: Final = 1_000
_AWAY = (RedisError, OSError, TimeoutError)


class RedisAnnouncements:
    """Receivers in this process need no Redis. Every message carries who sent it, so that nobody hears itself."""

    def __init__(self, url: str) -> None:
        """Raise ValueError or TypeError for options that do not exist. Connections are made when they are needed."""
        self._redis = Redis.from_pool(pool_of(url, health_check_interval=_LISTEN_S))
        self._here = ProcessAnnouncements()
        self._me = secrets.token_bytes(8)
        self._own_topic = f"{_PREFIX}process:{self._me.hex()}"
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MOST_WAITING)
        self._said = asyncio.Event()
        self._listener: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changes: set[asyncio.Task[None]] = set()

    def publish(self, topic: str, message: bytes) -> None:
        self._start()
        self._here.publish(topic, message)
        self._waiting.append((_PREFIX + topic, self._me + message))
        self._said.set()

    def subscribe(self, topic: str, receive: Receive) -> None:
        self._start()
        first = topic not in self._here.topics
        self._here.subscribe(topic, receive)
        if first:
            self._tell_redis("subscribe", topic)

    def unsubscribe(self, topic: str, receive: Receive) -> None:
        self._here.unsubscribe(topic, receive)
        if topic not in self._here.topics:
            self._tell_redis("unsubscribe", topic)

    async def close(self) -> None:
        for task in [*self._tasks, *self._changes]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._changes, return_exceptions=True)
        await self._redis.aclose()

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._speak())]

    def _tell_redis(self, verb: str, topic: str) -> None:
        """Change what the connection listens to, if there is one; a new one begins with all topics."""
        if self._listener is None:
            return

        async def change(listener: Any) -> None:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    await getattr(listener, verb)(_PREFIX + topic)
            except _AWAY:
                log.warning("redis did not change what it announces", topic=topic)

        task = asyncio.create_task(change(self._listener))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _speak(self) -> None:
        while True:
            await self._said.wait()
            self._said.clear()
            messages, self._waiting = list(self._waiting), deque(maxlen=_MOST_WAITING)
            pipeline = self._redis.pipeline(transaction=False)
            for topic, message in messages:
                pipeline.publish(topic, message)
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    await pipeline.execute()
            except _AWAY as error:
                log.warning(
                    "announcements lost: redis does not answer", lost=len(messages), cause=repr(error)
                )
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as listener:
                    begun: set[str] = set()
                    while missing := self._wanted() - begun:  # more may be wanted while Redis is told
                        await listener.subscribe(*missing)
                        begun |= missing
                    self._listener = listener
                    while True:
                        self._hand_on(await listener.get_message(timeout=_LISTEN_S))
            except _AWAY as error:
                log.warning("no announcements: redis does not answer", cause=repr(error))
            finally:
                self._listener = None
            await asyncio.sleep(_ASK_AGAIN_S)

    def _wanted(self) -> set[str]:
        return {self._own_topic, *(_PREFIX + topic for topic in self._here.topics)}

    def _hand_on(self, message: dict[str, Any] | None) -> None:
        if message is None or message["type"] != "message":
            return
        topic = message["channel"].decode().removeprefix(_PREFIX)
        sender, said = message["data"][: len(self._me)], message["data"][len(self._me) :]
        if sender != self._me:
            self._here.publish(topic, said)
