"""Turns: so many at once, then evenly; one caller's are not another's."""

import pytest
from settable_clock import StopWatch

from scaiflow_api.live.rate import ProcessRate


@pytest.fixture
def watch() -> StopWatch:
    return StopWatch()


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 1000])
async def test_a_minutes_turns_may_be_taken_at_once(watch: StopWatch, per_minute: int) -> None:
    rate = ProcessRate(per_minute, watch)

    assert [await rate.take("a") for _ in range(per_minute)] == [0.0] * per_minute
    wait_s = await rate.take("a")
    assert wait_s == pytest.approx(60 / per_minute)
    watch.seconds += wait_s - 0.001
    assert 0 < await rate.take("a") < 0.01
    watch.seconds += 0.002
    assert await rate.take("a") == 0.0
    assert await rate.take("a") > 0


async def test_who_was_refused_pays_nothing_for_asking(watch: StopWatch) -> None:
    rate = ProcessRate(2, watch)
    for _ in range(50):
        await rate.take("a")

    watch.seconds += 30.001
    assert await rate.take("a") == 0.0


async def test_callers_are_counted_apart(watch: StopWatch) -> None:
    rate = ProcessRate(1, watch)

    assert [await rate.take(who) > 0 for who in ("a", "b", "a", "b", "c")] == [
        False,
        False,
        True,
        True,
        False,
    ]


async def test_over_an_hour_it_is_the_rate(watch: StopWatch) -> None:
    rate, taken = ProcessRate(10, watch), 0
    for _ in range(3600):
        watch.seconds += 1
        taken += await rate.take("a") == 0.0

    assert taken == pytest.approx(600 + 10, abs=2)
