"""Hash chains: whatever is done to a chain is found, and said where."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.kit.hash_chain import GENESIS, ChainCheck, Finding, Head, digest

Record = dict[str, Any]
Act = Literal["change", "remove", "swap", "duplicate", "cut", "replace", "renumber"]


def chain(length: int) -> list[Record]:
    records: list[Record] = []
    previous = GENESIS
    for seq in range(1, length + 1):
        record = {"seq": seq, "what": f"event {seq}", "prev_hash": previous}
        previous = record["hash"] = digest(record)
        records.append(record)
    return records


def head_of(records: list[Record]) -> Head:
    return Head(records[-1]["seq"], records[-1]["hash"]) if records else Head(0, GENESIS)


def found(
    records: list[Record], head: Head | None, *, gaps: bool = False, noted: Head | None = None
) -> list[Finding]:
    check = ChainCheck(gaps=gaps, noted=noted)
    for record in sorted(records, key=lambda record: int(record["seq"])):
        check.feed(record)
    check.close(head)
    return check.findings


def sealed(record: Record, **changed: Any) -> Record:
    """A forged record whose own hash is right."""
    forged = {**record, **changed}
    return {**forged, "hash": digest(forged)}


@pytest.mark.parametrize("length", [0, 1, 2, 50])
def test_a_chain_as_it_was_written_is_whole(length: int) -> None:
    records = chain(length)

    assert found(records, head_of(records)) == []
    assert found(records, head_of(records), noted=head_of(records[: length // 2])) == []


@given(data=st.data(), length=st.integers(3, 25))
def test_any_single_act_on_a_chain_is_found(data: st.DataObject, length: int) -> None:
    records = chain(length)
    head = head_of(records)
    act: Act = data.draw(
        st.sampled_from(["change", "remove", "swap", "duplicate", "cut", "replace", "renumber"])
    )
    place = data.draw(st.integers(0, length - 2))
    match act:
        case "change":
            name = data.draw(st.sampled_from(["what", "prev_hash", "hash"]))
            records[place] = {**records[place], name: "0" * 63 + "x"}
        case "remove":
            del records[place]
        case "swap":
            other = data.draw(st.integers(place + 1, length - 1))
            here, there = records[place]["seq"], records[other]["seq"]
            records[place] = {**records[place], "seq": there}
            records[other] = {**records[other], "seq": here}
        case "duplicate":
            records.append({**records[place], "seq": length + 1})
        case "cut":
            del records[place + 1 :]
        case "replace":
            records[place] = sealed(records[place], what="something harmless")
        case "renumber":
            del records[place]
            records = [{**record, "seq": seq} for seq, record in enumerate(records, start=1)]

    assert found(records, head)


def test_a_changed_record_is_named() -> None:
    records = chain(9)
    records[4]["what"] = "something else"

    assert found(records, head_of(records)) == [Finding("changed", 5, 5)]


def test_removed_records_are_named_together() -> None:
    records = chain(9)

    assert found(records[:2] + records[5:], head_of(records)) == [Finding("removed", 3, 5)]
    assert found(records[2:], head_of(records)) == [Finding("removed", 1, 2)]
    assert found(records[:7], head_of(records)) == [Finding("removed", 8, 9)]
    assert found([], head_of(records)) == [Finding("removed", 1, 9)]


def test_records_that_changed_places_are_named_with_their_own() -> None:
    records = chain(9)
    records[2]["seq"], records[6]["seq"] = 7, 3

    first, second = found(records, head_of(records))

    assert (first, second) == (Finding("moved", 3, 3, shift=4), Finding("moved", 7, 7, shift=-4))
    assert str(first) == "row 3 was written as row 7"


def test_records_that_closed_up_over_a_gap_are_named_together() -> None:
    records = chain(300)
    head = head_of(records)
    del records[9]
    closed = [{**record, "seq": seq} for seq, record in enumerate(records, start=1)]

    moved, cut = found(closed, head)

    assert str(moved) == "rows 10 to 299 were written as rows 11 to 300"
    assert cut == Finding("removed", 300, 300)


def test_a_forged_record_is_found_by_the_next_one_and_the_last_by_the_head() -> None:
    records = chain(9)
    head = head_of(records)

    inside = [*records[:4], sealed(records[4], what="x"), *records[5:]]
    assert found(inside, head) == [Finding("unlinked", 6, 6)]
    at_the_end = [*records[:8], sealed(records[8], what="x")]
    assert found(at_the_end, head) == [Finding("head", 9, 9)]


def test_records_behind_the_head_and_a_lost_head_are_found() -> None:
    records = chain(9)

    assert found(records, head_of(records[:7])) == [Finding("inserted", 8, 9)]
    assert found(records, None) == [Finding("head", 9, 9)]


def test_a_chain_that_was_written_anew_is_found_by_a_head_that_was_noted() -> None:
    records = chain(9)
    noted = head_of(records[:6])
    forged: list[Record] = []
    for record in records:
        previous = forged[-1]["hash"] if forged else GENESIS
        what = "something harmless" if record["seq"] == 3 else record["what"]
        forged.append(sealed(record, what=what, prev_hash=previous))

    assert found(forged, head_of(forged)) == []
    assert found(forged, head_of(forged), noted=noted) == [Finding("noted", 6, 6)]
    assert found(forged[:4], head_of(forged[:4]), noted=noted) == [Finding("removed", 5, 6)]


def test_an_excerpt_may_have_gaps_but_no_changes() -> None:
    records = chain(9)
    excerpt = [records[1], records[4], records[5]]

    assert found(excerpt, head_of(excerpt), gaps=True) == []
    excerpt[1]["what"] = "x"
    assert found(excerpt, head_of(excerpt), gaps=True) == [Finding("changed", 5, 5)]


def test_a_record_that_comes_twice_is_found() -> None:
    records = chain(3)

    assert found([*records, records[1]], head_of(records)) == [Finding("inserted", 2, 2)]


def test_records_without_canonical_json_are_changed_ones() -> None:
    records = chain(3)
    records[1]["what"] = float("nan")

    assert found(records, head_of(records)) == [Finding("changed", 2, 2)]


def test_thousands_of_changed_records_take_no_longer_each_than_a_hundred() -> None:
    records = [{**record, "what": "x"} for record in chain(5000)]

    assert found(records, head_of(records)) == [Finding("changed", 1, 5000)]
