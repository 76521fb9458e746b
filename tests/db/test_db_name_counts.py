"""What is counted of a name: its letters, and that it is there."""

from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.db.name_counts import counted_parts, is_counted

TEXTS = st.text(alphabet="aab é漢😀", max_size=40)


@given(TEXTS, TEXTS)
def test_a_part_is_counted_where_a_name_holds_it(key: str, part: str) -> None:
    if is_counted(part):
        assert (part.encode() in counted_parts(key)) == (part in key)


def test_counted_parts_are_few_and_short() -> None:
    assert counted_parts("") == {b""}
    assert counted_parts("banana") == {b"", b"a", b"b", b"n"}
    assert max(map(len, counted_parts("é漢😀\U0010ffff"))) == 4
