"""Clients write into a shared document what they like: it can be read, judged and merged into all the same."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment

from scaiflow_api.domains.sync.document import (
    TooMuch,
    count_entries,
    epoch_client_id,
    merge,
    read_flow,
    seed,
    to_flow,
)
from scaiflow_api.flowgraph import FlowDocument, FlowTooLarge, parse_document

Flow = dict[str, Any]
NODE = {"id": "a", "type": "llm_rigid", "label": "A", "position": {"x": 0, "y": 0}}
BASE: Flow = {"id": "f", "name": "F", "version": "1.0.0", "nodes": [NODE], "edges": []}
NEW: Flow = {**BASE, "nodes": [{**NODE, "label": "B", "config": {"k": [{"x": 1}]}}, {**NODE, "id": "b"}]}
SERVER = {"id": "f", "name": "F", "version": "1.0.0"}


def a_draft() -> tuple[Doc[Any], Map[Any]]:
    doc: Doc[Any] = Doc(client_id=7)
    doc.apply_update(seed(BASE, "e"))
    return doc, doc.get("flow", type=Map)


def judged(doc: Doc[Any]) -> str:
    """Read and judge a draft, and merge into it; whatever is in it, nothing is raised."""
    found = to_flow(doc)
    for node_list in (found.get("nodes"), found.get("edges")):
        if isinstance(node_list, list):
            ids = [item["id"] for item in node_list if isinstance(item, dict) and "id" in item]
            assert len(ids) == len({str(item_id) for item_id in ids}), "a node id is there twice"
    orjson.dumps(found)
    with suppress(TooMuch):
        merge(doc.get_update(), BASE, NEW, client_id=epoch_client_id("e"))
    try:
        return "flow" if isinstance(parse_document(found | SERVER), FlowDocument) else "problems"
    except FlowTooLarge:
        return "too large"


def nested(depth: int) -> Map[Any]:
    value: Map[Any] = Map({"end": 1})
    for _ in range(depth):
        value = Map({"in": value})
    return value


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ATTACKS: dict[str, tuple[Callable[[Map[Any]], None], str]] = {
    "scalars for lists": (lambda flow: flow.update({"nodes": 5, "edges": "x", "config": True}), "problems"),
    "a plain list of nodes": (lambda flow: flow.update({"nodes": [NODE, NODE]}), "flow"),
    "a shared list of nodes": (lambda flow: flow.update({"nodes": Array([Map(NODE), Map(NODE)])}), "flow"),
    "plain objects": (lambda flow: flow.update({"nodes": {"a": NODE}}), "problems"),
    "a plain node": (lambda flow: flow["nodes"].update({"z": NODE}), "flow"),
    "an id that says another": (lambda flow: flow["nodes"].update({"z": Map({**NODE, "id": "a"})}), "flow"),
    "a list without names": (
        lambda flow: flow.update({"nodes": Map({"$list": True, "a0": Map(NODE), "a1": Map(NODE)})}),
        "flow",
    ),
    "a node that is a number": (lambda flow: flow["nodes"].update({"n": 5}), "problems"),
    "a node that is a text": (lambda flow: flow["nodes"].update({"n": Text("x")}), "problems"),
    "a text type for a text": (lambda flow: flow["nodes"]["a"].update({"label": Text("typed")}), "flow"),
    "xml": (lambda flow: flow.update({"x": XmlFragment([XmlElement("b")])}), "flow"),
    "bytes": (lambda flow: flow["nodes"]["a"].update({"label": b"\xff"}), "problems"),
    "a document in the document": (lambda flow: flow.update({"nodes": Doc()}), "problems"),
    "no number": (lambda flow: flow["nodes"]["a"]["position"].update({"x": float("nan")}), "problems"),
    "a number beyond": (lambda flow: flow.update({"x": 2**60}), "problems"),
    "a NUL": (lambda flow: flow["nodes"]["a"].update({"label": "a\0b"}), "problems"),
    "no place": (lambda flow: flow["nodes"]["a"].update({"$index": None}), "flow"),
    "a bad id": (lambda flow: flow["nodes"].update({"no such id!": Map(NODE)}), "problems"),
    "an empty node": (lambda flow: flow["nodes"].update({"z": Map()}), "problems"),
    "marks everywhere": (
        lambda flow: flow.update({"nodes": Map({"$absent": True, "$list": 1, "$index": "a"}), "$list": True}),
        "flow",
    ),
    "the server's keys": (lambda flow: flow.update({"id": 1, "version": [], "name": None}), "flow"),
    "maps in maps": (lambda flow: flow.update({"x": nested(230)}), "too large"),
    "lists in lists": (lambda flow: flow.update({"x": deep(500)}), "too large"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_draft_is_read_and_judged(attack: str) -> None:
    doc, flow = a_draft()
    change, verdict = ATTACKS[attack]
    with doc.transaction():
        change(flow)

    assert judged(doc) == verdict


@pytest.mark.parametrize(
    "value",
    [Map({f"k{number}": 1 for number in range(100)}), [0] * 100, [[]] * 50 + [[0] * 50], {"a": [0] * 99}],
    ids=["map", "list", "lists", "object"],
)
def test_entries_are_counted_whatever_they_are_in(value: Any) -> None:
    doc, flow = a_draft()
    entries = 1 + count_entries(to_flow(doc))
    flow["x"] = value

    with pytest.raises(TooMuch):
        read_flow(doc, max_entries=entries + 50)


def test_entries_of_a_shared_list_are_counted_too() -> None:
    doc, flow = a_draft()
    flow["x"] = Array([0] * 100)

    with pytest.raises(TooMuch):
        read_flow(doc, max_entries=90)


def test_what_cannot_be_read_is_reported_with_its_place() -> None:
    doc, flow = a_draft()
    flow["nodes"]["a"]["label"] = b"x"
    flow["edges"] = [{"id": "e"}, {"id": "e"}]

    found = read_flow(doc)

    assert [(item.path, item.code) for item in found.problems] == [
        ("nodes.a.label", "SF001"),
        ("edges", "SF005"),
    ]


def test_an_empty_document_is_an_empty_flow() -> None:
    assert to_flow(Doc()) == {}
    assert judged(Doc()) == "flow"


VALUES = st.recursive(
    st.sampled_from([None, True, 1, 1.5, "x", "a0", b"b", float("inf"), 2**62]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "id", "$index", "$list"]), inner, max_size=3)
        | st.builds(
            Map,
            st.dictionaries(
                st.sampled_from(["a", "b", "id", "$index", "$list", "$absent", ""]), inner, max_size=4
            ),
        )
        | st.builds(Array, st.lists(inner, max_size=3))
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.sampled_from(["nodes", "edges", "a", "config", "tests", "position", "x"]),
                min_size=1,
                max_size=3,
            ),
            VALUES,
        ),
        max_size=4,
    )
)
def test_whatever_the_library_lets_clients_write_is_read_without_an_error(
    writes: list[tuple[list[str], Any]],
) -> None:
    doc, target = a_draft()
    for path, value in writes:
        place: Any = target
        for key in path[:-1]:
            place = place[key] if key in place and isinstance(place[key], Map) else place
        try:
            place[path[-1]] = value
        except (ValueError, TypeError, AssertionError):
            continue  # what the library itself does not write

    judged(doc)
