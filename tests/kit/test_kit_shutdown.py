"""A signal sets the event, and still does what it did before."""

import asyncio
import os
import signal

import pytest

from scaiflow_api.kit.shutdown import set_on_signal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_sets_the_event_and_still_does_what_it_did(number: signal.Signals) -> None:
    heard = []
    before = signal.signal(number, lambda *_: heard.append(number))
    try:
        ending = asyncio.Event()
        with set_on_signal(ending):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(2):
                await ending.wait()
        os.kill(os.getpid(), number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)


async def test_outside_of_the_main_thread_the_event_is_never_set() -> None:
    async def enter() -> bool:
        ending = asyncio.Event()
        with set_on_signal(ending):
            return ending.is_set()

    assert await asyncio.to_thread(lambda: asyncio.run(enter())) is False
