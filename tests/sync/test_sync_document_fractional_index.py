"""Places in a list: there is always room for another, at the ends and between."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.domains.sync.document.fractional_index import first_places, places_between


def test_the_first_places_are_those_of_the_package_for_canvases() -> None:
    places = first_places(62 + 62 * 62 + 1)

    assert (places[0], places[61], places[62], places[-1]) == ("a0", "az", "b00", "c000")
    assert places == sorted(places)
    assert places_between(None, "a0", 2) == ["Zy", "Zz"]
    assert places_between("a0", "a1", 1) == ["a0V"]
    assert places_between("az", None, 1) == ["b00"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 40)), max_size=25))
def test_what_is_put_between_stands_between(inserts: list[tuple[int, int]]) -> None:
    places = first_places(2)
    for at, count in inserts:
        at %= len(places) + 1
        low, high = (places[at - 1] if at else None), (places[at] if at < len(places) else None)
        found = places_between(low, high, count)
        assert found is not None
        places[at:at] = found

    assert places == sorted(set(places))


@settings(max_examples=300, deadline=None)
@given(st.none() | st.text(max_size=4), st.none() | st.text("0Aaz", max_size=5), st.integers(0, 4))
def test_foreign_places_give_no_room_or_good_places(low: str | None, high: str | None, count: int) -> None:
    found = places_between(low, high, count)

    if found is not None:
        all_of_them = [*([] if low is None else [low]), *found, *([] if high is None else [high])]
        assert all_of_them == sorted(set(all_of_them))
