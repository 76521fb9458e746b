"""The readable form: one text for one meaning, in the order in which people think of a flow."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from compiler_random_flows import flows
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import validate_flow
from scaiflow_api.compiler.readable import readable_json
from scaiflow_api.flowgraph import FlowGraph, Node
from scaiflow_api.kit.canonical_json import canonical_json

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([1.0, 2.5, -0.0, 1e300]) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "nodes", "type", "config", "position", "a"]), inner, max_size=4
        )
    ),
)


def shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, list):
        return [shuffled(item, random) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    random.shuffle(keys)
    return {key: shuffled(value[key], random) for key in keys}


@settings(deadline=None, max_examples=60)
@given(flows(), st.integers(0, 2**32))
def test_a_flow_has_one_readable_form_that_means_the_same(document: Any, seed: int) -> None:
    text = readable_json(document)

    assert canonical_json(json.loads(text)) == canonical_json(document)
    assert readable_json(shuffled(document, Random(seed))) == text
    assert readable_json(json.loads(text)) == text
    assert validate_flow(json.loads(text)) == validate_flow(document)


@settings(deadline=None)
@given(VALUES)
def test_what_is_no_flow_has_one_too(value: Any) -> None:
    assert canonical_json(json.loads(readable_json(value))) == canonical_json(value)


def test_keys_come_in_the_order_of_the_models_and_unknown_ones_after_them() -> None:
    document = {
        "zeta": 1,
        "alpha": 2,
        "nodes": [
            {
                "more": 1,
                "config": {
                    "extra": 1,
                    "output_schema": {"b": "string", "a": "string"},
                    "llm_role": "x",
                    "goal": "g",
                },
                "position": {"y": 1.0, "x": 0.5},
                "type": "llm_flexible",
                "id": "n",
            }
        ],
        "config": {
            "core_identity": {
                "models": [{"model": "m", "fallback": [{"model": "m", "ref": "r"}], "role": "r"}]
            }
        },
        "name": "é",
        "$schema": "s",
    }

    text = readable_json(document).decode()

    read = json.loads(text)
    assert list(read) == ["$schema", "name", "nodes", "config", "alpha", "zeta"]
    (node,) = read["nodes"]
    assert list(node) == ["id", "type", "position", "config", "more"]
    assert list(node["position"]) == ["x", "y"]
    assert list(node["config"]) == ["goal", "llm_role", "output_schema", "extra"]
    assert list(node["config"]["output_schema"]) == ["a", "b"]
    (model,) = read["config"]["core_identity"]["models"]
    assert list(model) == ["role", "model", "fallback"]
    assert list(model["fallback"][0]) == ["ref", "model"]
    assert '"y": 1\n' in text
    assert '"é"' in text
    assert text.startswith('{\n  "$schema"')
    assert text.endswith("}\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_known_key_of_the_examples_keeps_its_place(path: Path) -> None:
    read = json.loads(readable_json(json.loads(path.read_text())))

    order = [field.alias or name for name, field in FlowGraph.model_fields.items()]
    assert list(read) == [key for key in order if key in read]
    for node in read["nodes"]:
        assert list(node) == [key for key in Node.model_fields if key in node]


@pytest.mark.parametrize("value", [{"a": 2**53 + 1}, {"a": float("nan")}, {"a": "\ud800"}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"canonical|integer|number"):
        readable_json(value)
