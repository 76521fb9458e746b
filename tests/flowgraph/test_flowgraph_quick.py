"""The quick yes: said to what people save, and never where the whole check says no, or stores something else."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.flowgraph import (
    DEFAULT_LIMITS,
    FlowDocument,
    FlowTooLarge,
    Limits,
    parse_document,
    sound_text,
)

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
MINIMAL = {"id": "flow_a", "name": "A", "version": "1.0.0"}
NODE = {"id": "node_a", "type": "llm_rigid", "label": "A", "position": {"x": 1, "y": 2.5}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(["a", "b", "a b", "a\n", 1])
PORTS = st.lists(st.fixed_dictionaries({"id": NAMES}), max_size=2)
NODES = st.fixed_dictionaries(
    {
        "id": NAMES,
        "type": st.sampled_from(["llm_rigid", "llm_rigged"]),
        "label": st.sampled_from(["A", "A\0", None]),
        "position": st.sampled_from([{"x": 0, "y": 0}, {"x": 1.5, "y": True}, {"x": 1.0, "y": 2}]),
    },
    optional={"config": JSON, "inputs": PORTS, "x": JSON},
)
ENDS = st.fixed_dictionaries({"node": NAMES, "port": NAMES})
EDGES = st.fixed_dictionaries(
    {"id": NAMES, "type": st.sampled_from(["sequential", "if"]), "source": ENDS, "target": ENDS}
)
DOCUMENTS = st.fixed_dictionaries(
    {"id": NAMES, "name": NAMES, "version": st.sampled_from(["1.0.0", "1"])},
    optional={
        "nodes": st.lists(NODES, max_size=2) | JSON,
        "edges": st.lists(EDGES, max_size=2) | JSON,
        "variables": JSON,
        "config": JSON,
        "x": JSON,
    },
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_get_it(path: Path) -> None:
    document = orjson.loads(path.read_bytes())

    text = sound_text(document, DEFAULT_LIMITS)

    found = parse_document(document)
    assert isinstance(found, FlowDocument)
    assert text == found.text


@settings(deadline=None)
@given(DOCUMENTS)
def test_it_is_a_yes_of_the_whole_check(document: dict[str, Any]) -> None:
    text = sound_text(document, DEFAULT_LIMITS)

    if text is not None:
        found = parse_document(document)
        assert isinstance(found, FlowDocument)
        assert text == found.text


@pytest.mark.parametrize(
    "broken",
    [
        {"nodes": [{**NODE, "type": "llm_rigged"}]},
        {"nodes": [NODE, NODE]},
        {"nodes": {}},
        {"edges": [{}]},
        {"variables": [{"name": "V", "type": "int"}]},
        {"x": float("nan")},
        {"x": [2**53 + 1]},
        {"name": "A\0"},
        {"id": "a\n"},
    ],
    ids=range(9),
)
def test_it_is_never_remembered_for_what_is_wrong(broken: dict[str, Any]) -> None:
    assert sound_text({**MINIMAL, "nodes": [NODE]}, DEFAULT_LIMITS) is not None

    for _ in range(2):
        assert sound_text({**MINIMAL, **broken}, DEFAULT_LIMITS) is None


def test_a_limit_holds_for_parts_that_are_remembered() -> None:
    document = {**MINIMAL, "nodes": [NODE]}
    assert sound_text(document, DEFAULT_LIMITS) is not None

    assert sound_text(document, Limits(max_bytes=100)) is None
    assert sound_text(document, Limits(max_nesting=3)) is None
    with pytest.raises(FlowTooLarge):
        sound_text(document, Limits(max_nodes=0))


def test_a_part_whose_text_is_that_of_a_remembered_one_is_not_taken_for_it() -> None:
    holding_null = {**MINIMAL, "nodes": [{**NODE, "config": {"x": None}}]}
    holding_nan = {**MINIMAL, "nodes": [{**NODE, "config": {"x": float("nan")}}]}

    assert sound_text(holding_null, DEFAULT_LIMITS) is not None
    assert sound_text(holding_nan, DEFAULT_LIMITS) is None


def test_entries_are_counted_in_a_document_that_has_room_for_too_many() -> None:
    node = {**NODE, "inputs": [0] * 100_001}

    with pytest.raises(FlowTooLarge):
        sound_text({**MINIMAL, "variables": [0] * 100_001}, DEFAULT_LIMITS)
    with pytest.raises(FlowTooLarge):
        sound_text({**MINIMAL, "nodes": [node]}, DEFAULT_LIMITS)
