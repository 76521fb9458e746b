"""Turns in a real Redis: two processes count together, keys end by themselves, and a Redis that is away."""

import asyncio
import secrets

import pytest
from redis.asyncio import Redis
from redis_server import URL, Cable

from scaiflow_api.live.rate_in_redis import RedisRate

pytestmark = pytest.mark.services


async def test_two_processes_count_together() -> None:
    name = secrets.token_hex(6)
    one, two = RedisRate(URL, name, 10), RedisRate(URL, name, 10)
    try:
        waits = await asyncio.gather(*(rate.take("a") for rate in (one, two) for _ in range(10)))

        assert sum(wait == 0 for wait in waits) == 10
        assert all(5 < wait <= 6 for wait in waits if wait)
        assert await two.take("b") == 0
        async with Redis.from_url(URL) as redis:
            assert 50_000 < await redis.pttl(f"scaiflow:rate:{name}:a") <= 60_000
            assert 0 < await redis.pttl(f"scaiflow:rate:{name}:b") <= 6_000
    finally:
        await one.close()
        await two.close()


async def test_while_redis_is_away_each_process_counts_alone() -> None:
    cable = Cable()
    await cable.mend()
    rate = RedisRate(cable.url, secrets.token_hex(6), 2)
    try:
        assert await rate.take("a") == 0
        await cable.cut()
        assert [await rate.take("a") > 0 for _ in range(3)] == [False, False, True]
        await cable.mend()
        assert await rate.take("a") == 0
    finally:
        await rate.close()
        await cable.cut()
