"""Places are handed out up to a limit, and given back."""

import pytest

from scaiflow_api.kit.slots import NoSlotFree, Slots


def test_slots_are_given_back_and_no_more_than_there_are() -> None:
    slots = Slots(1)
    with slots.one(), pytest.raises(NoSlotFree), slots.one():
        pass
    with slots.one():
        assert slots.taken == 1
    assert slots.taken == 0
