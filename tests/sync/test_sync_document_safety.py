"""Updates that would end the process that reads them are known before it does."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment
from sync_flows import flows

from scaiflow_api.domains.sync.document import is_safe, open_log, seed, to_flow

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))


def an_item(content: bytes) -> bytes:
    """An update that puts a content under `a` of the map `flow`."""
    return b"\x01\x01\x07\x00" + bytes([content[0] | 0x20]) + b"\x01\x04flow\x01a" + content[1:] + b"\x00"


DEEP = {
    "lists": an_item(b"\x08\x01" + b"\x75\x01" * 100_000 + b"\x7e"),
    "objects": an_item(b"\x08\x01" + b"\x76\x01\x01a" * 100_000 + b"\x7e"),
    "lists after others": an_item(b"\x08\x01" + b"\x75\x02\x7e" * 100_000 + b"\x7e"),
    "the options of a document": an_item(b"\x09\x01g" + b"\x75\x01" * 100_000 + b"\x7e"),
    "what is cut off": an_item(b"\x08\x01" + b"\x75\x01" * 100_000),
}


@pytest.mark.parametrize("update", DEEP.values(), ids=list(DEEP))
def test_what_is_nested_too_deeply_is_not_read(update: bytes) -> None:
    assert not is_safe(update)
    assert to_flow(open_log([seed({"nodes": []}, "e"), update])) == {"nodes": []}


def test_nesting_as_in_a_flow_is_safe() -> None:
    assert is_safe(an_item(b"\x08\x01" + b"\x75\x01" * 60 + b"\x7e"))
    wide = b"\x75\x02" + b"\x75\x01\x7e" * 2
    assert is_safe(an_item(b"\x08\x01" + b"\x75\xd0\x0f" + wide * 2000))


@settings(max_examples=30, deadline=None)
@given(flows())
def test_seeds_are_safe(flow: dict[str, Any]) -> None:
    assert is_safe(seed(flow | {"x": ["u" * 600, {"v": "v" * 600}]}, "e"))


def test_whatever_the_library_writes_is_safe() -> None:
    doc: Doc[Any] = Doc()
    other: Doc[Any] = Doc()
    flow = doc.get("flow", type=Map)
    flow["seen"] = "u" * 600  # so that it is looked at closely
    flow["all"] = [None, True, False, 1, -70, 2**40, 2**60, 1.5, 1e300, "text", b"bytes", {"a": [1]}, []]
    flow["types"] = Map({"a": Array([1, Map()]), "t": Text("abc"), "x": XmlFragment([XmlElement("b")])})
    flow["types"]["t"].insert(1, "x", {"bold": True})
    flow["types"]["t"].insert_embed(0, {"image": "x"})
    flow["doc"] = Doc()
    other.apply_update(doc.get_update())
    other.get("flow", type=Map)["types"]["a"].insert(1, "between")
    del flow["all"]
    doc.apply_update(other.get_update())

    assert is_safe(doc.get_update())
    assert is_safe(other.get_update())


def test_bytes_that_are_no_update_are_left_out() -> None:
    flow = orjson.loads(EXAMPLES[0].read_bytes())
    good = seed(flow, "e")

    assert to_flow(open_log([b"", b"\xff" * 9, good, good[:-50], b"u" * 600])) == to_flow(open_log([good]))


def test_half_of_a_bad_update_is_not_kept() -> None:
    """The library notices only in the middle that a value cannot have something inside it."""
    doc: Doc[Any] = Doc(client_id=7)
    flow = doc.get("flow", type=Map)
    flow["a"] = "no map"
    first, before = doc.get_update(), doc.get_state()
    # `b` goes under the root, and `c` inside of `a`, which is a text.
    inside = b"\x28\x01\x04flow\x01b\x01\x7e" + b"\x28\x00\x07\x00\x01c\x01\x7e"
    bad = b"\x01\x02\x07\x01" + inside + b"\x00"

    assert doc.get_state() == before
    with pytest.raises(RuntimeError, match="parent"):
        doc.apply_update(bad)
    assert to_flow(open_log([first, bad])) == {"a": "no map"}
