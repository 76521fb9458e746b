"""One holder at a time."""

import asyncio

import pytest

from scaiflow_api.db.leases import Leases, LeaseTaken
from scaiflow_api.db.session import Database


@pytest.fixture
def leases(db: Database) -> Leases:
    return Leases(db)


async def test_a_lease_has_one_holder(leases: Leases) -> None:
    assert await leases.take("l", "a", ttl_s=60)
    assert not await leases.take("l", "b", ttl_s=60)
    assert not await leases.take("l", "a", ttl_s=60)
    assert await leases.take("other", "b", ttl_s=60)


async def test_of_many_at_once_one_gets_it(leases: Leases) -> None:
    for _ in range(3):  # first without a row, then with one
        taken = await asyncio.gather(*(leases.take("l", f"h{n}", ttl_s=60) for n in range(20)))
        assert sum(taken) == 1
        await leases.release("l", f"h{taken.index(True)}")


async def test_a_lease_given_back_is_free(leases: Leases) -> None:
    await leases.take("l", "a", ttl_s=60)
    await leases.release("l", "b")
    assert not await leases.take("l", "b", ttl_s=60)
    await leases.release("l", "a")
    assert await leases.take("l", "b", ttl_s=60)


async def test_a_lease_that_ran_out_is_free_and_cannot_be_renewed(leases: Leases) -> None:
    await leases.take("l", "a", ttl_s=-1)
    assert not await leases.renew("l", "a", ttl_s=60)
    assert await leases.take("l", "b", ttl_s=60)
    assert not await leases.renew("l", "a", ttl_s=60)


async def test_a_lease_is_as_long_as_was_asked(leases: Leases) -> None:
    await leases.take("l", "a", ttl_s=0.2)
    assert not await leases.take("l", "b", ttl_s=60)
    await asyncio.sleep(0.25)  # the clock is the database's
    assert await leases.take("l", "b", ttl_s=60)


async def test_holding_renews(leases: Leases) -> None:
    async with leases.hold("l", ttl_s=0.3, wait_s=0) as lease:
        await asyncio.sleep(0.6)
        assert not await leases.take("l", "b", ttl_s=60)
        assert not lease.lost
    assert await leases.take("l", "b", ttl_s=60)


async def test_a_holder_learns_that_it_lost_the_lease(leases: Leases) -> None:
    async with leases.hold("l", ttl_s=0.3, wait_s=0) as lease:
        await leases.release("l", lease.holder)
        assert await leases.take("l", "b", ttl_s=60)
        await asyncio.sleep(0.25)
        assert lease.lost
    assert not await leases.take("l", "c", ttl_s=60)  # leaving the block did not take it from b


async def test_who_waits_gets_it_when_it_is_given_back(leases: Leases) -> None:
    order = []

    async def work(name: str) -> None:
        async with leases.hold("l", ttl_s=60, wait_s=10):
            order.append(f"{name} begins")
            await asyncio.sleep(0.05)
            order.append(f"{name} ends")

    await asyncio.gather(work("a"), work("b"))
    assert sorted([order[0][2:], order[1][2:]]) == ["begins", "ends"]
    assert order[0][0] == order[1][0] != order[2][0] == order[3][0]


async def test_waiting_for_a_lease_ends_in_time(leases: Leases) -> None:
    await leases.take("l", "a", ttl_s=60)
    with pytest.raises(LeaseTaken):
        async with leases.hold("l", ttl_s=60, wait_s=0.05):
            pytest.fail("taken")


async def test_a_failing_block_gives_the_lease_back(leases: Leases) -> None:
    with pytest.raises(RuntimeError):
        async with leases.hold("l", ttl_s=60, wait_s=0):
            raise RuntimeError
    assert await leases.take("l", "b", ttl_s=60)
