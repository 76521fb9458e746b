"""Answers that are kept for a moment and got once for a crowd."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from scaiflow_api.kit.recent_answers import RecentAnswers


class Source:
    """Gives b"1", b"2", … and waits for `go` before each."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.asked = 0
        self.ended = 0
        self.failure: Exception | None = None

    async def get(self) -> bytes:
        self.asked += 1
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        if self.failure is not None:
            raise self.failure
        return str(self.asked).encode()


class Moment:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    return Source()


async def test_an_answer_is_kept_for_its_seconds(source: Source) -> None:
    moment = Moment()
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=5, max_bytes=10_000, timer=moment)
    assert [await kept.of("a", source.get) for _ in range(2)] == [b"1", b"1"]
    moment.now = 5.1
    assert await kept.of("a", source.get) == b"2"
    assert await kept.of("b", source.get) == b"3"


@pytest.mark.parametrize(("seconds", "max_bytes"), [(0, 10_000), (5, 0), (5, 1_024)])
async def test_nothing_is_kept_where_nothing_may_be(source: Source, seconds: float, max_bytes: int) -> None:
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=seconds, max_bytes=max_bytes)
    assert [await kept.of("a", source.get) for _ in range(2)] == [b"1", b"2"]


async def test_the_oldest_goes_when_there_is_no_room(source: Source) -> None:
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=60, max_bytes=3_000)
    for key in ("a", "b", "c"):
        await kept.of(key, source.get)
    assert [await kept.of(key, source.get) for key in ("b", "c", "a")] == [b"2", b"3", b"4"]


async def test_a_crowd_gets_one_answer_or_one_failure(source: Source) -> None:
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=60, max_bytes=10_000)
    assert set(await asyncio.gather(*(kept.of("a", source.get) for _ in range(5)))) == {b"1"}
    source.failure = OSError("away")
    found = await asyncio.gather(*(kept.of("b", source.get) for _ in range(5)), return_exceptions=True)
    assert {type(failure) for failure in found} == {OSError}
    assert source.asked == 2
    source.failure = None
    assert await kept.of("b", source.get) == b"3"


async def started(ask: Callable[[], Awaitable[bytes]]) -> "asyncio.Task[bytes]":
    task = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_who_leaves_takes_nothing_from_those_who_wait(source: Source) -> None:
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=60, max_bytes=10_000)
    source.go.clear()
    first, second = [await started(lambda: kept.of("a", source.get)) for _ in range(2)]
    first.cancel()
    await asyncio.sleep(0)
    source.go.set()
    assert await second == b"1"


async def test_when_nobody_waits_any_more_the_call_ends(source: Source) -> None:
    kept: RecentAnswers[bytes] = RecentAnswers(seconds=60, max_bytes=10_000)
    source.go.clear()
    tasks = [await started(lambda: kept.of("a", source.get)) for _ in range(2)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert (source.asked, source.ended) == (1, 1)
    source.go.set()
    assert await kept.of("a", source.get) == b"2"
