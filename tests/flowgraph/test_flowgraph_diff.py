"""The structural diff: nothing is missed, nothing is made up, and layout is told from behaviour."""

import copy
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.flowgraph import FlowDocument, parse_document
from scaiflow_api.flowgraph.changes import compare, same
from scaiflow_api.flowgraph.diff import FlowDiff, diff_flows
from scaiflow_api.kit.canonical_json import canonical_json

JSON = Any

SMALL = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, "", "a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def a_flow() -> JSON:
    return {
        "id": "flow_1",
        "name": "Flow",
        "version": "1.0.0",
        "nodes": [
            {
                "id": "entry",
                "type": "entry_api",
                "label": "In",
                "position": {"x": 0, "y": 0},
                "outputs": [{"id": "out_request", "label": "request"}],
            },
            {
                "id": "say",
                "type": "llm_rigid",
                "label": "Say",
                "position": {"x": 1, "y": 0},
                "config": {"template": "a", "more": {"k": [1, 2]}},
            },
            {"id": "end", "type": "llm_rigid", "label": "End", "position": {"x": 2, "y": 0}},
        ],
        "edges": [
            {
                "id": "e1",
                "type": "sequential",
                "source": {"node": "entry", "port": "out_request"},
                "target": {"node": "say", "port": "in"},
            },
            {
                "id": "e2",
                "type": "sequential",
                "source": {"node": "say", "port": "out"},
                "target": {"node": "end", "port": "in"},
            },
        ],
        "variables": [{"name": "count", "type": "int"}, {"name": "text", "type": "string"}],
        "config": {
            "core_identity": {
                "models": [
                    {"role": "primary", "ref": "scaigrid", "model": "a"},
                    {"role": "fast", "ref": "scaigrid", "model": "b"},
                ]
            }
        },
        "tests": [{"name": "one", "input": {"a": 1}, "expect": {"b": 2}}],
    }


def change(path: str, value: JSON = ...) -> JSON:
    """Return the flow with the value at a path replaced, or removed when there is none."""
    document = a_flow()
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = document
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return document


def seen(part: JSON) -> list[tuple[str, str, str]]:
    """Return what changed in one part: (where, path, how)."""
    found = []
    for where in ("nodes", "edges", "variables"):
        for item in part[where]["changed"]:
            found += [(item["name"], entry["path"], entry["change"]) for entry in item["changes"]]
        found += [(item.get("id") or item["name"], "", "added") for item in part[where]["added"]]
        found += [(item.get("id") or item["name"], "", "removed") for item in part[where]["removed"]]
        if part[where]["reordered"]:
            found.append((where, "", "moved"))
    return found + [("document", entry["path"], entry["change"]) for entry in part["document"]]


def diffed(new: JSON) -> FlowDiff:
    assert isinstance(parse_document(new), FlowDocument)
    return diff_flows(a_flow(), new)


EDGE = a_flow()["edges"][0] | {"id": "e3"}
MODELS = a_flow()["config"]["core_identity"]["models"]


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (change("nodes/1/config/template", "b"), ("say", "config.template", "changed")),
        (change("nodes/1/config/more/k/1", 3), ("say", "config.more.k[1]", "changed")),
        (change("nodes/1/config/more/k", [1]), ("say", "config.more.k", "changed")),
        (change("nodes/1/config/more"), ("say", "config.more", "removed")),
        (change("nodes/1/config", {}), ("say", "config.template", "removed")),
        (change("nodes/1/config"), ("say", "config.template", "removed")),
        (change("nodes/2/config", {"template": "x"}), ("end", "config.template", "added")),
        (change("nodes/2/unknown", None), ("end", "unknown", "added")),
        (change("nodes/0/label", "API"), ("entry", "label", "changed")),
        (change("nodes/0/outputs/0/type", "object"), ("entry", "outputs[out_request].type", "added")),
        (change("nodes/0/outputs/1", {"id": "more"}), ("entry", "outputs[more]", "added")),
        (change("nodes/1/type", "llm_flexible"), ("say", "type", "changed")),
        (change("edges/2", EDGE), ("e3", "", "added")),
        (change("edges/1"), ("e2", "", "removed")),
        (change("edges/1/condition", "x"), ("e2", "condition", "added")),
        (change("edges/0/target/node", "end"), ("e1", "target.node", "changed")),
        (change("edges", a_flow()["edges"][::-1]), ("edges", "", "moved")),
        (change("nodes", a_flow()["nodes"][::-1]), ("nodes", "", "moved")),
        (change("variables/0/default", 1), ("count", "default", "added")),
        (change("variables/1"), ("text", "", "removed")),
        (change("name", "Other"), ("document", "name", "changed")),
        (change("scaicore_target", "0.3"), ("document", "scaicore_target", "added")),
        (change("unknown", 1), ("document", "unknown", "added")),
        (change("config/publish_as_model", True), ("document", "config.publish_as_model", "added")),
        (
            change("config/core_identity/models/1/model", "c"),
            ("document", "config.core_identity.models[fast].model", "changed"),
        ),
        (
            change("config/core_identity/models", MODELS[::-1]),
            ("document", "config.core_identity.models", "moved"),
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_can_change_a_run_is_behaviour(new: JSON, found: tuple[str, str, str]) -> None:
    result = diffed(new).as_dict()

    assert found in seen(result["behaviour"])
    assert seen(result["layout"]) == []


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (change("nodes/1/position/x", 5), ("say", "position.x", "changed")),
        (change("nodes/1/label", "Speak"), ("say", "label", "changed")),
        (change("nodes/0/outputs/0/label", "r"), ("entry", "outputs[out_request].label", "changed")),
        (change("nodes/2/config", {}), ("end", "config", "added")),
        (change("nodes/2/inputs", []), ("end", "inputs", "added")),
        (change("edges/1/condition", None), ("e2", "condition", "added")),
        (change("variables/0/description", "d"), ("count", "description", "added")),
        (change("variables/0/default", None), ("count", "default", "added")),
        (change("variables", a_flow()["variables"][::-1]), ("variables", "", "moved")),
        (change("metadata", {"author": "me"}), ("document", "metadata", "added")),
        (change("version", "1.0.1"), ("document", "version", "changed")),
        (change("id", "flow_2"), ("document", "id", "changed")),
        (change("$schema", "x"), ("document", "$schema", "added")),
        (change("scaicore_target", "0.2"), ("document", "scaicore_target", "added")),
        (change("config/plugins", []), ("document", "config.plugins", "added")),
        (change("config/publish_as_model", False), ("document", "config.publish_as_model", "added")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_only_people_see_is_layout(new: JSON, found: tuple[str, str, str]) -> None:
    result = diffed(new).as_dict()

    assert seen(result["behaviour"]) == []
    assert seen(result["layout"]) == [found]


def test_the_tests_are_apart() -> None:
    result = diffed(change("tests/0/expect/b", 3))

    assert not result.behaviour
    assert not result.layout
    (item,) = result.as_dict()["tests"]["changed"]
    assert item == {"name": "one", "changes": [{"path": "expect.b", "change": "changed", "old": 2, "new": 3}]}


def test_old_and_new_are_given_only_where_they_are() -> None:
    result = diffed(change("nodes/1/config/more")).as_dict()

    (item,) = result["behaviour"]["nodes"]["changed"]
    assert item["changes"] == [{"path": "config.more", "change": "removed", "old": {"k": [1, 2]}}]


def test_a_list_that_is_empty_is_one_that_is_absent() -> None:
    old, new = change("tests", []), change("tests")

    result = diff_flows(old, new)

    assert not result.behaviour
    assert [entry.path for entry in result.layout.document] == ["tests"]


@settings(deadline=None, max_examples=300)
@given(SMALL, SMALL)
def test_values_are_the_same_exactly_when_their_canonical_forms_are(old: JSON, new: JSON) -> None:
    assert same(old, new) is (canonical_json(old) == canonical_json(new))
    assert same(old, copy.deepcopy(old))


@settings(deadline=None, max_examples=300)
@given(SMALL, SMALL)
def test_a_comparison_read_backwards_is_the_comparison_of_the_sides_exchanged(old: JSON, new: JSON) -> None:
    forth = {(entry.path, entry.kind) for entry in compare(old, new)}
    back = {(entry.path, entry.kind) for entry in compare(new, old)}
    turned = {"added": "removed", "removed": "added"}

    assert {(path, turned.get(kind, kind)) for path, kind in back if kind != "moved"} == {
        item for item in forth if item[1] != "moved"
    }


PLACES = [
    "nodes/1/config",
    "nodes/1/config/more",
    "nodes/2/config",
    "nodes/2/inputs",
    "edges/0/condition",
    "config",
    "config/plugins",
    "config/extra",
    "metadata",
    "variables/0/default",
    "tests/0/input",
    "tests",
    "extra",
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), SMALL, st.sampled_from(PLACES), SMALL)
def test_it_is_empty_exactly_when_the_documents_are_one(
    place: str, value: JSON, other_place: str, other: JSON
) -> None:
    old, new = change(place, value), change(other_place, other)
    if not all(isinstance(parse_document(document), FlowDocument) for document in (old, new)):
        return

    result = diff_flows(old, new)

    assert bool(result) is (canonical_json(old) != canonical_json(new))
    assert result.as_dict()["equal"] is not bool(result)
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_of_keys_changes_nothing(seed: int) -> None:
    random = Random(seed)

    def shuffled(value: JSON) -> JSON:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    new = change("nodes/1/config", {"b": 1, "a": {"z": 1, "y": 2}})

    assert diff_flows(a_flow(), shuffled(a_flow())).as_dict()["equal"]
    assert json.dumps(diff_flows(shuffled(a_flow()), shuffled(new)).as_dict(), sort_keys=True) == json.dumps(
        diff_flows(a_flow(), new).as_dict(), sort_keys=True
    )
