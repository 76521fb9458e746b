"""A saved version in a draft: what it changes arrives, and what is in the draft alone stays."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map
from sync_flows import edited, flows, histories

from scaiflow_api.domains.sync.document import NO_CHANGE, SERVER_KEYS, epoch_client_id, merge, seed, to_flow
from scaiflow_api.kit.canonical_json import canonical_json

EPOCH = "epoch_1"
SERVER = epoch_client_id(EPOCH)
Flow = dict[str, Any]


def shared(flow: Flow) -> bytes:
    return canonical_json({key: value for key, value in flow.items() if key not in SERVER_KEYS})


def state_of(*updates: bytes) -> bytes:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc.get_update()


def flow_in(*updates: bytes) -> Flow:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return to_flow(doc)


def merged(state: bytes, base: Flow, new: Flow) -> bytes:
    return state_of(state, merge(state, base, new, client_id=SERVER))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_version_that_changes_nothing_changes_nothing(history: tuple[Flow, Flow, Flow]) -> None:
    base, draft, other = history
    state = merged(seed(base, EPOCH), base, draft)

    assert merge(state, base, base, client_id=SERVER) == NO_CHANGE
    assert merge(state, other, other, client_id=SERVER) == NO_CHANGE


@settings(max_examples=60, deadline=None)
@given(histories())
def test_a_draft_that_nobody_edited_becomes_the_version(history: tuple[Flow, Flow, Flow]) -> None:
    base, new, newer = history

    once = merged(seed(base, EPOCH), base, new)
    twice = merged(once, new, newer)

    assert canonical_json(flow_in(once)) == shared(new)
    assert canonical_json(flow_in(twice)) == shared(newer)


@settings(max_examples=60, deadline=None)
@given(flows(), flows())
def test_so_it_does_where_the_version_is_another_flow(base: Flow, new: Flow) -> None:
    assert canonical_json(flow_in(merged(seed(base, EPOCH), base, new))) == shared(new)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_merging_again_changes_nothing(history: tuple[Flow, Flow, Flow]) -> None:
    base, draft, new = history
    state = merged(seed(base, EPOCH), base, draft)

    once = merged(state, base, new)

    assert merge(once, base, new, client_id=SERVER) == NO_CHANGE, (flow_in(state), flow_in(once))


NAMES = {"nodes": "id", "edges": "id", "inputs": "id", "outputs": "id", "variables": "name", "tests": "name"}
Leaves = dict[tuple[str, ...], Any]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Leaves:
    """Return what a flow says, place by place; an empty list of nodes is as good as none."""
    if len(path) in (1, 3) and path[-1] in NAMES and isinstance(value, list):
        value = {f"#{item[NAMES[path[-1]]]}": item for item in value}
    if len(path) == 1 and value == {}:
        return {}
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {where: leaf for key, item in value.items() for where, leaf in leaves(item, (*path, key)).items()}


@settings(max_examples=60, deadline=None)
@given(histories())
def test_no_unsaved_edit_is_reverted_and_all_else_arrives(history: tuple[Flow, Flow, Flow]) -> None:
    base, draft, new = history
    state = merged(seed(base, EPOCH), base, draft)

    found = leaves(flow_in(merged(state, base, new)))

    before, unsaved, saved = (
        leaves({key: value for key, value in flow.items() if key not in SERVER_KEYS}) for flow in history
    )
    edited_here = {path for path in before.keys() | unsaved.keys() if differs(before, unsaved, path)}
    saved_there = {path for path in before.keys() | saved.keys() if differs(before, saved, path)}
    for path in edited_here:
        both_changed_a_list = path in saved_there and isinstance(unsaved.get(path), list)
        if not both_changed_a_list and not found_inside(path, found):
            assert not differs(unsaved, found, path), path
    units = {path[:2] for path in edited_here} | {path[:1] for path in edited_here if len(path) == 1}
    for path in saved_there:
        related = path[:2] in units or path[:1] in units or found_inside(path, found)
        if not related:
            assert not differs(saved, found, path), path


def found_inside(path: tuple[str, ...], found: Leaves) -> bool:
    """What was an empty object there may have got something into it."""
    return any(other[: len(path)] == path and len(other) > len(path) for other in found)


def differs(first: Leaves, second: Leaves, path: tuple[str, ...]) -> bool:
    sides = [canonical_json(side[path]) if path in side else None for side in (first, second)]
    return sides[0] != sides[1]


def a_draft(content: Flow) -> Doc[Any]:
    doc: Doc[Any] = Doc(client_id=7)
    doc.apply_update(seed(content, EPOCH))
    return doc


def node(node_id: str, **more: Any) -> Flow:
    return {"id": node_id, "type": "llm_rigid", "label": node_id, "position": {"x": 0, "y": 0}, **more}


def nodes_of(flow: Flow) -> list[str]:
    return [item["id"] for item in flow["nodes"]]


BASE: Flow = {"id": "f", "name": "F", "version": "1.0.0", "nodes": [node("a"), node("b"), node("c")]}


def test_of_two_who_change_one_value_the_unsaved_edit_stays() -> None:
    doc = a_draft(BASE)
    nodes = doc.get("flow", type=Map)["nodes"]
    nodes["a"]["label"] = "typed in the canvas"
    new = {**BASE, "nodes": [node("a", label="saved"), node("b", label="saved"), node("c")]}

    found = flow_in(merged(doc.get_update(), BASE, new))

    assert [item["label"] for item in found["nodes"]] == ["typed in the canvas", "saved", "c"]


def test_a_node_that_somebody_edits_outlives_its_removal_and_one_that_somebody_removed_stays_away() -> None:
    doc = a_draft(BASE)
    nodes = doc.get("flow", type=Map)["nodes"]
    nodes["a"]["position"]["x"] = 5
    del nodes["b"]
    new = {**BASE, "nodes": [node("b", label="saved")]}

    assert nodes_of(flow_in(merged(doc.get_update(), BASE, new))) == ["a"]


def test_a_node_that_both_added_is_there_once_with_what_both_said() -> None:
    doc = a_draft(BASE)
    doc.get("flow", type=Map)["nodes"]["d"] = Map({"type": "llm_rigid", "label": "mine", "$index": "a3"})
    new = {**BASE, "nodes": [*BASE["nodes"], node("d", label="theirs")]}

    found = flow_in(merged(doc.get_update(), BASE, new))["nodes"]

    assert [(item["id"], item["label"], item.get("position")) for item in found][3:] == [
        ("d", "mine", {"x": 0, "y": 0})
    ]


@pytest.mark.parametrize(
    "places", [["a0", "a0", "a0"], ["", "ö", "\U0001f600"], [None, 5, "a1"], ["zzz", "A", "a0"]]
)
def test_a_new_node_comes_where_it_belongs_whatever_places_clients_wrote(places: list[Any]) -> None:
    doc = a_draft(BASE)
    nodes = doc.get("flow", type=Map)["nodes"]
    for node_id, place in zip("abc", places, strict=True):
        if place is None:
            del nodes[node_id]["$index"]
        else:
            nodes[node_id]["$index"] = place
    order = nodes_of(to_flow(doc))
    new = {**BASE, "nodes": [node("a"), node("new"), node("newer"), node("b"), node("c")]}

    found = nodes_of(flow_in(merged(doc.get_update(), BASE, new)))

    assert [node_id for node_id in found if node_id in order] == order
    assert found[found.index("a") :][:3] == ["a", "new", "newer"]


def test_entries_that_have_no_names_are_merged_one_by_one() -> None:
    def with_options(*options: Any) -> Flow:
        return {**BASE, "nodes": [node("a", config={"options": list(options)})]}

    base = with_options({"x": 1}, {"x": 2}, {"x": 3})
    state = merged(
        seed(base, EPOCH), base, with_options({"x": 1}, {"x": 2, "mine": True}, {"x": 3}, {"x": 4})
    )
    new = with_options({"x": 0}, {"x": 2}, {"between": 1}, {"x": 3, "theirs": True})

    found = flow_in(merged(state, base, new))["nodes"][0]["config"]["options"]

    assert found == [{"x": 0}, {"x": 2, "mine": True}, {"between": 1}, {"x": 3, "theirs": True}, {"x": 4}]


@settings(max_examples=40, deadline=None)
@given(flows(), st.integers(0, 2**32))
def test_edits_of_a_client_that_was_away_meet_a_merge_in_any_order(base: Flow, seed_of_edits: int) -> None:
    random = Random(seed_of_edits)
    first, new = seed(base, EPOCH), edited(random, base)
    away = a_draft(base)
    flow = away.get("flow", type=Map)
    flow["nodes"]["mine"] = Map({"type": "llm_rigid", "label": "mine", "$index": "a0"})
    edits = away.get_update()
    update = merge(first, base, new, client_id=SERVER)

    one, other = flow_in(first, update, edits), flow_in(first, edits, update)

    assert canonical_json(one) == canonical_json(other)
    assert nodes_of(one).count("mine") == 1
