"""Presence on a real Redis: the contract, what is left behind, and a Redis that goes away and comes back."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from presence_contract import ALICE, BOB, PassTime, PresenceContract, here, person
from redis.asyncio import Redis
from redis_server import URL, Cable

from scaiflow_api.live.errors import PresenceUnavailable
from scaiflow_api.live.in_redis import RedisPresence
from scaiflow_api.live.presence import TTL_S

pytestmark = pytest.mark.services


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    client = Redis.from_url(URL)
    yield client
    await client.aclose()


@pytest.fixture
async def presence() -> AsyncIterator[RedisPresence]:
    opened = RedisPresence(URL)
    yield opened
    await opened.close()


@pytest.fixture
def flow() -> str:
    return f"flow_{secrets.token_hex(6)}"


class TestRedisPresence(PresenceContract):
    @pytest.fixture
    def pass_time(self, redis: Redis, flow: str) -> PassTime:
        async def aged(seconds: float) -> None:
            """Redis's clock cannot be put forward; the heartbeats can be put back."""
            key = f"scaiflow:presence:tnt_acme:{flow}"
            for who, heartbeat in (await redis.hgetall(key)).items():
                seen, _, introduction = heartbeat.partition(b" ")
                await redis.hset(key, who, b"%d %s" % (int(seen) - seconds * 1000, introduction))

        return aged


async def test_a_key_names_tenant_and_flow_and_ends_by_itself(
    presence: RedisPresence, redis: Redis, flow: str
) -> None:
    await presence.announce("tnt_acme", flow, ALICE)

    assert await redis.keys(f"*{flow}*") == [f"scaiflow:presence:tnt_acme:{flow}".encode()]
    assert 0 < await redis.pttl(f"scaiflow:presence:tnt_acme:{flow}") <= TTL_S * 1000


async def test_when_the_last_one_leaves_nothing_is_left(
    presence: RedisPresence, redis: Redis, flow: str
) -> None:
    await presence.announce("tnt_acme", flow, ALICE)
    await presence.leave("tnt_acme", flow, ALICE.who)

    assert await redis.keys(f"*{flow}*") == []


async def test_what_has_expired_goes_with_the_next_heartbeat(
    presence: RedisPresence, redis: Redis, flow: str
) -> None:
    key = f"scaiflow:presence:tnt_acme:{flow}"
    await presence.announce("tnt_acme", flow, ALICE)
    ((who, heartbeat),) = (await redis.hgetall(key)).items()
    await redis.hset(key, who, b"1 " + heartbeat.partition(b" ")[2])
    await presence.announce("tnt_acme", flow, BOB)

    assert await redis.hlen(key) == 1


async def test_what_one_process_is_told_the_other_knows(presence: RedisPresence, flow: str) -> None:
    other = RedisPresence(URL)
    await presence.announce("tnt_acme", flow, ALICE)
    await other.announce("tnt_acme", flow, BOB)
    await other.leave("tnt_acme", flow, ALICE.who)

    assert await here(presence, flow) == {BOB}
    await other.close()


async def test_more_tasks_than_connections_wait_for_each_other(presence: RedisPresence, flow: str) -> None:
    await asyncio.gather(*(presence.announce("tnt_acme", flow, person(number % 50)) for number in range(200)))

    assert len(await here(presence, flow)) == 50


async def test_after_redis_was_away_it_works_again(flow: str) -> None:
    cable = Cable()
    await cable.mend()
    presence = RedisPresence(cable.url)
    await presence.announce("tnt_acme", flow, ALICE)

    await cable.cut()
    with pytest.raises(PresenceUnavailable):
        await presence.announce("tnt_acme", flow, BOB)
    with pytest.raises(PresenceUnavailable):
        await presence.check()

    await cable.mend()
    await presence.check()
    assert await here(presence, flow) == {ALICE}
    await presence.close()
    await cable.cut()


async def test_a_script_that_redis_forgot_is_sent_again(
    presence: RedisPresence, redis: Redis, flow: str
) -> None:
    await presence.announce("tnt_acme", flow, ALICE)
    await redis.script_flush()
    await presence.announce("tnt_acme", flow, BOB)

    assert await here(presence, flow) == {ALICE, BOB}
