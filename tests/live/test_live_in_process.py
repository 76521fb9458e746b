"""Presence in the memory of a process: the contract, and that nothing is kept for longer than it counts."""

import pytest
from presence_contract import PassTime, PresenceContract, here, person

from scaiflow_api.live.in_process import ProcessPresence
from scaiflow_api.live.presence import TTL_S


class StopWatch:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    async def forward(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def watch() -> StopWatch:
    return StopWatch()


@pytest.fixture
def presence(watch: StopWatch) -> ProcessPresence:
    return ProcessPresence(watch, most_entries=300)


class TestProcessPresence(PresenceContract):
    @pytest.fixture
    def pass_time(self, watch: StopWatch) -> PassTime:
        return watch.forward


async def test_what_has_expired_takes_no_memory(presence: ProcessPresence, watch: StopWatch) -> None:
    for number in range(200):
        await presence.announce("tnt_acme", f"flow_{number}", person(number))
    await watch.forward(TTL_S)
    await presence.announce("tnt_acme", "flow_new", person(0))

    assert len(presence) == 1


async def test_who_left_takes_no_memory(presence: ProcessPresence) -> None:
    await presence.announce("tnt_acme", "flow_1", person(1))
    await presence.leave("tnt_acme", "flow_1", person(1).who)

    assert len(presence) == 0


async def test_beyond_the_bound_the_oldest_makes_room_whatever_its_flow(presence: ProcessPresence) -> None:
    for number in range(301):
        await presence.announce("tnt_acme", f"flow_{number}", person(number))

    assert len(presence) == 300
    assert await here(presence, "flow_0") == set()
    assert await here(presence, "flow_1") == {person(1)}
