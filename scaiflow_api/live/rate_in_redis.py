"""A rate limit that several processes share, in Redis and by its clock."""

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from scaiflow_api.live.rate import WINDOW_S, ProcessRate
from scaiflow_api.live.redis_pool import pool_of

log = structlog.get_logger(__name__)

_GIVE_UP_AFTER_S: Final = 1.0
"""A sign-in waits no longer than this for its count."""

_TAKE: Final = """
-- As ProcessRate, in microseconds. Returns 0, or how long until there is a turn.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local even = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + interval
if even - now > window then
  return math.ceil(even - now - window)
end
redis.call('SET', KEYS[1], string.format('%.0f', even), 'PX', math.ceil((even - now) / 1000))
return 0
"""


class RedisRate:
    """Keys are `scaiflow:rate:<name>:<who>` and end by themselves. While Redis is away each process counts alone."""

    def __init__(self, url: str, name: str, per_minute: int) -> None:
        """Raise ValueError or TypeError for options that do not exist. Connections are made when they are needed."""
        self._redis = Redis.from_pool(pool_of(url))
        self._take = self._redis.register_script(_TAKE)
        self._prefix = f"scaiflow:rate:{name}:"
        self._interval_us = int(WINDOW_S * 1_000_000) // per_minute
        self._alone = ProcessRate(per_minute)

    async def take(self, who: str) -> float:
        try:
            async with asyncio.timeout(_GIVE_UP_AFTER_S):
                wait_us = await self._take(
                    keys=[self._prefix + who], args=[self._interval_us, int(WINDOW_S * 1_000_000)]
                )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("redis does not answer, turns are counted in this process", cause=repr(error))
            return await self._alone.take(who)
        return int(wait_us) / 1_000_000

    async def close(self) -> None:
        await self._redis.aclose()
