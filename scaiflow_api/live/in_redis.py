"""Presence in Redis, for several processes. Time is Redis's, so that processes with different clocks agree."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from scaiflow_api.live.errors import PresenceUnavailable
from scaiflow_api.live.presence import MOST_PEOPLE, TTL_S, Peer, Person, Who
from scaiflow_api.live.redis_pool import GIVE_UP_AFTER_S, pool_of

log = structlog.get_logger(__name__)

_ANNOUNCE: Final = """
-- A hash per flow: who -> "<milliseconds of the heartbeat> <introduction>". What is out of date goes with each
-- heartbeat, all of it when none came for as long as one is valid.
local flow, who, introduction = KEYS[1], ARGV[1], ARGV[2]
local ttl_ms, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', flow, who, string.format('%d %s', now, introduction))
redis.call('PEXPIRE', flow, ttl_ms)

local kept, fields = {}, redis.call('HGETALL', flow)
for i = 1, #fields, 2 do
  local seen = tonumber(string.match(fields[i + 1], '^%d+'))
  if now - seen < ttl_ms then
    kept[#kept + 1] = {seen, fields[i]}
  else
    redis.call('HDEL', flow, fields[i])
  end
end
if #kept > most then
  table.sort(kept, function(a, b) return a[1] < b[1] end)
  local spare = #kept - most
  for i = 1, #kept do
    if spare > 0 and kept[i][2] ~= who then
      redis.call('HDEL', flow, kept[i][2])
      spare = spare - 1
    end
  end
end
"""


class RedisPresence:
    """Keys are `scaiflow:presence:<tenant>:<flow>`; each has a time to live, so nothing is left behind."""

    def __init__(self, url: str) -> None:
        """Raise ValueError or TypeError for options that do not exist. Connections are made when they are needed."""
        self._redis = Redis.from_pool(pool_of(url))
        self._announce = self._redis.register_script(_ANNOUNCE)

    async def announce(self, tenant_id: str, flow_id: str, person: Person) -> None:
        introduction = orjson.dumps([person.display_name, person.color])
        async with _bounded("announce"):
            await self._announce(
                keys=[_key(tenant_id, flow_id)],
                args=[orjson.dumps(person.who), introduction, TTL_S * 1000, MOST_PEOPLE],
            )

    async def peers(self, tenant_id: str, flow_id: str) -> list[Peer]:
        async with _bounded("peers"):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            pipeline.hgetall(_key(tenant_id, flow_id))
            (seconds, micros), fields = await pipeline.execute()
        now = seconds + micros / 1_000_000
        found = [_peer(who, heartbeat, now) for who, heartbeat in fields.items()]
        return [peer for peer in found if peer.ago_s < TTL_S]

    async def leave(self, tenant_id: str, flow_id: str, who: Who) -> None:
        async with _bounded("leave"):
            await _answer(self._redis.hdel(_key(tenant_id, flow_id), orjson.dumps(who)))

    async def check(self) -> None:
        async with _bounded("check"):
            await _answer(self._redis.ping())

    async def close(self) -> None:
        await self._redis.aclose()


def _key(tenant_id: str, flow_id: str) -> str:
    return f"scaiflow:presence:{tenant_id}:{flow_id}"


def _peer(who: bytes, heartbeat: bytes, now: float) -> Peer:
    tenant_id, user_id = orjson.loads(who)
    seen_ms, _, introduction = heartbeat.partition(b" ")
    return Peer(
        Person(tenant_id, user_id, *orjson.loads(introduction)),
        # Redis's clock may have been set back, or another server have taken over.
        max(0.0, now - int(seen_ms) / 1000),
    )


async def _answer(awaited: Any) -> None:
    """Await a command; the client's types also allow for a client that does not await."""
    await awaited


@asynccontextmanager
async def _bounded(action: str) -> AsyncIterator[None]:
    """Turn a Redis that is away, or slow, or refuses, into our error."""
    try:
        async with asyncio.timeout(GIVE_UP_AFTER_S):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        log.error(  # noqa: TRY400 - the place in the client says nothing
            "redis does not answer", action=action, cause=repr(error)
        )
        raise PresenceUnavailable from None
