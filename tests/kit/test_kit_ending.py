"""The end of the process is known before its server waits for what is open."""

import asyncio
import os
import signal

import pytest

from scaiflow_api.kit.ending import announced
from scaiflow_api.kit.slots import NoSlotFree, Slots


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_announced_and_does_what_it_did(number: signal.Signals) -> None:
    heard = []
    before = signal.signal(number, lambda *_: heard.append(number))
    try:
        ending = asyncio.Event()
        with announced(ending):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(2):
                await ending.wait()
        os.kill(os.getpid(), number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)


async def test_outside_of_the_main_thread_nothing_is_announced() -> None:
    async def enter() -> bool:
        ending = asyncio.Event()
        with announced(ending):
            return ending.is_set()

    assert await asyncio.to_thread(lambda: asyncio.run(enter())) is False


def test_slots_are_given_back_and_no_more_than_there_are() -> None:
    slots = Slots(1)
    with slots.one(), pytest.raises(NoSlotFree), slots.one():
        pass
    with slots.one():
        assert slots.taken == 1
    assert slots.taken == 0
