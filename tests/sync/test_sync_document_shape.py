"""A flow as a shared document: nothing is lost on the way there and back, and the same flow gives the same bytes."""

import base64
import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from compiler import compiler_random_flows
from hypothesis import given, settings
from pycrdt import Doc, Map
from sync_flows import flows

from scaiflow_api.domains.sync.document import (
    SERVER_KEYS,
    epoch_client_id,
    merge,
    seed,
    to_flow,
)
from scaiflow_api.domains.sync.protocol import clients_of
from scaiflow_api.flowgraph import FlowDocument, parse_document
from scaiflow_api.kit.canonical_json import canonical_json

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))


SEEDED: dict[str, Any] = {
    "nodes": [{"id": "b", "position": {"x": 1.5, "y": 2}}, {"id": "a", "config": {"$list": [{}, 1]}}],
    "edges": [{"id": "e", "source": {"node": "b"}}],
    "tests": [{"name": "greets", "input": {}}],
    "config": {"core_identity": {"models": [{"role": "fast", "ref": "scaigrid"}]}},
    "metadata": {"created": None, "tags": ["x"], "notes": [{"by": "alice"}]},
}
SEEDS = [
    base64.b64decode(
        "ASfguq6jsOAdACcBBGZsb3cGY29uZmlnAScA4Lquo7DgHQANY29yZV9pZGVudGl0eQEnAOC6rqOw4B0BBm1vZGVscwEnAOC6rqOw4B0C"
        "BGZhc3QBKADguq6jsOAdAwYkaW5kZXgBdwJhMCgA4Lquo7DgHQMDcmVmAXcIc2NhaWdyaWQnAQRmbG93BWVkZ2VzAScA4Lquo7DgHQYB"
        "ZQEoAOC6rqOw4B0HBiRpbmRleAF3AmEwJwDguq6jsOAdBwZzb3VyY2UBKADguq6jsOAdCQRub2RlAXcBYicBBGZsb3cIbWV0YWRhdGEB"
        "KADguq6jsOAdCwdjcmVhdGVkAX4nAOC6rqOw4B0LBW5vdGVzASgA4Lquo7DgHQ0FJGxpc3QBeCcA4Lquo7DgHQ0CYTABKADguq6jsOAd"
        "DwJieQF3BWFsaWNlKADguq6jsOAdCwR0YWdzAXUBdwF4JwEEZmxvdwVub2RlcwEnAOC6rqOw4B0SAWIBKADguq6jsOAdEwYkaW5kZXgB"
        "dwJhMCcA4Lquo7DgHRMGY29uZmlnASgA4Lquo7DgHRUHJGFic2VudAF4JwDguq6jsOAdEwhwb3NpdGlvbgEoAOC6rqOw4B0XAXgBfD/A"
        "AAAoAOC6rqOw4B0XAXkBfEAAAAAnAOC6rqOw4B0SAWEBKADguq6jsOAdGgYkaW5kZXgBdwJhMScA4Lquo7DgHRoGY29uZmlnAScA4Lqu"
        "o7DgHRwGJCRsaXN0ASgA4Lquo7DgHR0FJGxpc3QBeCcA4Lquo7DgHR0CYTABKADguq6jsOAdHQJhMQF8P4AAACcBBGZsb3cFdGVzdHMB"
        "JwDguq6jsOAdIQZncmVldHMBKADguq6jsOAdIgYkaW5kZXgBdwJhMCcA4Lquo7DgHSIFaW5wdXQBJwEEZmxvdwl2YXJpYWJsZXMBKADg"
        "uq6jsOAdJQckYWJzZW50AXgA"
    ),
]
"""What was ever made of it, oldest first: drafts that began so are stored."""


def opened(*updates: bytes) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc


def back_again(flow: dict[str, Any]) -> dict[str, Any]:
    return {key: flow[key] for key in SERVER_KEYS if key in flow} | to_flow(opened(seed(flow, "epoch_1")))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_back_as_it_was(path: Path) -> None:
    flow = orjson.loads(path.read_bytes())

    assert canonical_json(back_again(flow)) == canonical_json(flow)


@settings(max_examples=60, deadline=None)
@given(flows())
def test_any_flow_comes_back_as_it_was(flow: dict[str, Any]) -> None:
    assert isinstance(parse_document(flow), FlowDocument), "the strategy draws flows"

    assert canonical_json(back_again(flow)) == canonical_json(flow)


@settings(max_examples=20, deadline=None)
@given(compiler_random_flows.flows())
def test_a_sound_flow_comes_back_as_it_was(flow: dict[str, Any]) -> None:
    assert canonical_json(back_again(flow)) == canonical_json(flow)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed([*value])}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=20, deadline=None)
@given(flows())
def test_equal_flows_have_equal_seeds(flow: dict[str, Any]) -> None:
    assert (
        seed(reversed_keys(flow), "epoch_1") == seed(flow, "epoch_1") == seed({**flow, "id": "x"}, "epoch_1")
    )
    assert seed(flow, "epoch_2") != seed(flow, "epoch_1")


def test_a_seed_has_the_same_bytes_in_every_process() -> None:
    assert seed(SEEDED, "epoch_1") == SEEDS[-1], (
        "add what is made now; the others are stored, and must be read"
    )


@pytest.mark.parametrize("stored", SEEDS)
def test_a_seed_of_any_version_is_read_as_it_was_meant(stored: bytes) -> None:
    assert canonical_json(to_flow(opened(stored))) == canonical_json(SEEDED)

    changed = copy.deepcopy(SEEDED)
    changed["nodes"][0]["position"]["x"] = 7
    del changed["edges"][0]
    changed["config"]["core_identity"]["models"].append({"role": "primary", "ref": "scaigrid"})
    update = merge(stored, SEEDED, changed, client_id=epoch_client_id("epoch_1"))
    assert canonical_json(to_flow(opened(stored, update))) == canonical_json(changed)


def test_maps_are_in_maps_as_the_page_for_clients_says() -> None:
    flow = orjson.loads((EXAMPLES[0].parent / "customer-support.flow.json").read_bytes())

    root = opened(seed(flow, "epoch_1")).get("flow", type=Map)

    assert "id" not in root
    assert "version" not in root
    node = root["nodes"][flow["nodes"][1]["id"]]
    assert (node["$index"], node["type"], "id" in node) == ("a1", flow["nodes"][1]["type"], False)
    assert isinstance(node["config"], Map)
    assert isinstance(root["config"]["core_identity"]["models"]["primary"], Map)


def test_what_may_be_made_by_two_at_once_is_there_from_the_start() -> None:
    flow = {"id": "f", "name": "F", "version": "1.0.0"}
    one, other = opened(seed(flow, "e")), opened(seed(flow, "e"))
    one.get("flow", type=Map)["nodes"]["a"] = Map({"label": "a"})
    other.get("flow", type=Map)["nodes"]["b"] = Map({"label": "b"})

    assert to_flow(opened(seed(flow, "e"))) == {}
    both = to_flow(opened(one.get_update(), other.get_update()))
    assert sorted(item["id"] for item in both["nodes"]) == ["a", "b"]


def test_the_epoch_is_told_by_the_client_id() -> None:
    doc = opened(seed({"name": "A", "nodes": []}, "epoch_1"))
    own = epoch_client_id("epoch_1")

    assert 2**32 <= own < 2**53
    assert own != epoch_client_id("epoch_2")
    assert [*clients_of(doc.get_state())] == [own]
