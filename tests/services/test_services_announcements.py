"""Announcements through a real Redis: between two processes, and after the way there was cut."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import pytest
from redis_server import URL, Cable

from scaiflow_api.live import Announcements, open_announcements

pytestmark = pytest.mark.services


@pytest.fixture
def topic() -> str:
    return f"draft:{secrets.token_hex(6)}"


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Announcements]]:
    made: list[Announcements] = []

    def announcements(url: str) -> Announcements:
        made.append(open_announcements(url))
        return made[-1]

    yield announcements
    for each in made:
        await each.close()


async def said(announcements: Announcements, topic: str, message: bytes, heard: list[bytes]) -> None:
    """Say something until it is heard: whoever subscribes is not there at once."""
    async with asyncio.timeout(10):
        while message not in heard:
            announcements.publish(topic, message)
            await asyncio.sleep(0.02)


async def test_another_process_hears_and_nobody_hears_itself_twice(
    opened: Callable[[str], Announcements], topic: str
) -> None:
    one, other = opened(URL), opened(URL)
    heard: list[bytes] = []
    own: list[bytes] = []
    one.subscribe(topic, own.append)
    other.subscribe(topic, heard.append)
    await said(one, topic, b"hello", heard)
    own.clear()
    one.publish(topic, b"once")
    await said(one, topic, b"last", heard)

    assert own.count(b"once") == heard.count(b"once") == 1
    other.unsubscribe(topic, heard.append)
    one.publish(topic, b"unheard")
    await asyncio.sleep(0.1)
    assert b"unheard" not in heard


async def test_it_goes_on_when_redis_is_back(opened: Callable[[str], Announcements], topic: str) -> None:
    cable = Cable()
    await cable.mend()
    one, other = opened(cable.url), opened(URL)
    here: list[bytes] = []
    there: list[bytes] = []
    one.subscribe(topic, here.append)
    other.subscribe(topic, there.append)
    await said(one, topic, b"before", there)

    await cable.cut()
    one.publish(topic, b"meanwhile")  # to whom it can reach
    assert here[-1] == b"meanwhile"
    await cable.mend()

    await said(one, topic, b"after", there)
    await said(other, topic, b"back", here)
    await cable.cut()
