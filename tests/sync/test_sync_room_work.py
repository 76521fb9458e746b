"""The work of a room keeps its order, and whoever brings too much of it waits until there is space, or none comes."""

import asyncio

from scaiflow_api.domains.sync.room_work import Change, Reads, RoomWork


def a_change(update: bytes = b"12345678") -> Change:
    return Change(None, update)


def a_reading() -> Reads:
    return Reads(asyncio.get_running_loop().create_future())


async def test_changes_are_taken_together_up_to_what_must_come_after_them() -> None:
    work = RoomWork(most_bytes=100)
    before, reading, after = [a_change(b"1"), a_change(b"2")], a_reading(), a_change(b"3")
    for change in before:
        await work.add(change)
    work.add_at_once(reading)
    await work.add(after)

    assert work.take_other() is None
    assert work.take_changes() == before
    assert work.take_changes() == []
    assert work.take_other() is reading
    assert work.take_changes() == [after]
    assert not work


async def test_no_more_changes_are_taken_together_than_one_transaction_stores() -> None:
    work = RoomWork(most_bytes=10_000)
    for _ in range(300):
        await work.add(a_change())

    assert [len(work.take_changes()) for _ in range(3)] == [256, 44, 0]


async def test_whoever_brings_too_much_waits_for_space() -> None:
    work = RoomWork(most_bytes=8)
    await work.add(a_change())
    await work.add(a_change())
    third = asyncio.create_task(work.add(a_change()))
    await asyncio.sleep(0)
    assert not third.done()

    work.take_changes()

    assert await third
    assert work.take_changes() == [a_change()]


async def test_nobody_waits_for_space_once_it_is_closed_and_what_is_there_stays() -> None:
    work = RoomWork(most_bytes=8)
    await work.add(a_change())
    await work.add(a_change())
    third = asyncio.create_task(work.add(a_change()))
    await asyncio.sleep(0)

    work.close()

    assert not await third
    assert not await work.add(a_change())
    assert len(work.take_changes()) == 2


async def test_what_is_dropped_is_returned_and_nothing_comes_after_it() -> None:
    work, reading = RoomWork(most_bytes=8), a_reading()
    await work.add(a_change())
    work.add_at_once(reading)

    assert work.drop() == [a_change(), reading]
    assert not work
    assert work.closed


async def test_waiting_ends_with_work_with_a_call_or_with_the_time() -> None:
    work = RoomWork(most_bytes=8)

    assert not await work.wait(0.001)
    await work.add(a_change())
    assert await work.wait(None)
    work.call()
    assert await work.wait(None)
    assert not await work.wait(0.001)
