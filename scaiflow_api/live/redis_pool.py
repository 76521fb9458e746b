"""Connections to Redis, made when they are needed."""

from typing import Any, Final

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

_ANSWER_WITHIN_S: Final = 1.0
GIVE_UP_AFTER_S: Final = 3.0
"""The bound of one use, whatever Redis does."""
_CONNECTIONS: Final = 16


def pool_of(url: str, **options: Any) -> BlockingConnectionPool:
    """Return a pool for an address. Raises ValueError or TypeError for options that do not exist."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=GIVE_UP_AFTER_S,
        socket_timeout=_ANSWER_WITHIN_S,
        socket_connect_timeout=_ANSWER_WITHIN_S,
        # Once: a connection that was kept open may be one that Redis has closed since.
        retry=Retry(NoBackoff(), 1),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options,
    )
    make_connection: Any = pool.make_connection
    make_connection()  # not opened yet, but it refuses options that do not exist
    return pool
