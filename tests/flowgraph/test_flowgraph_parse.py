"""Documents: what is a flow, what is not, and that nothing is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.flowgraph import (
    DEFAULT_LIMITS,
    FlowDocument,
    FlowGraph,
    FlowTooLarge,
    Limits,
    Problem,
    parse,
    parse_document,
    sound_text,
)
from scaiflow_api.kit.canonical_json import canonical_json, normalized

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)
MINIMAL = {"id": "flow_a", "name": "A", "version": "1.0.0"}
NODE = {"id": "node_a", "type": "llm_rigid", "label": "A", "position": {"x": 1, "y": 2.5}}


def problems(document: object) -> list[Problem]:
    found = parse_document(document)
    assert isinstance(found, list)
    return found


def flow(document: object) -> FlowGraph:
    found = parse_document(document)
    assert isinstance(found, FlowDocument), found
    assert (found.graph.nodes, found.graph.edges) == ([], [])
    return FlowGraph.model_validate(found.value)


def written(graph: FlowGraph) -> Any:
    """Return every key that the graph was given, unknown ones included, and no other."""
    return graph.model_dump(mode="json", by_alias=True, exclude_unset=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_comes_back_as_it_was(path: Path) -> None:
    document = orjson.loads(path.read_bytes())

    assert written(flow(document)) == document


def test_the_smallest_flow_has_the_defaults_of_the_schema() -> None:
    graph = flow(MINIMAL)

    assert (graph.nodes, graph.scaicore_target, graph.config.publish_as_model) == ([], "0.2", False)
    assert written(graph) == MINIMAL


def test_unknown_keys_are_kept_everywhere() -> None:
    document = {
        **MINIMAL,
        "x": 1,
        "nodes": [{**NODE, "x": 1, "position": {"x": 1, "y": 2, "z": 3}, "inputs": [{"id": "in", "x": [1]}]}],
        "edges": [
            {
                "id": "e",
                "type": "data",
                "source": {"node": "a", "port": "b", "x": 1},
                "target": {"node": "a", "port": "b"},
                "x": None,
            }
        ],
        "variables": [{"name": "v", "type": "int", "x": 1}],
        "config": {"x": {"y": 1}, "core_identity": {"x": 1, "models": [{**MODEL, "x": 1}]}},
        "tests": [{"name": "t", "input": {}, "expect": {}, "x": 1}],
        "metadata": {"unknown_steps": [{"a": 1}]},
    }

    assert written(flow(document)) == document


MODEL = {"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}


def with_node(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL, "nodes": [{**NODE, **changes}]}


def with_model(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL, "config": {"core_identity": {"models": [{**MODEL, **changes}]}}}


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        ([], "", "SF001"),
        (None, "", "SF001"),
        ({"id": "a", "name": "b"}, "version", "SF002"),
        ({**MINIMAL, "id": "a b"}, "id", "SF004"),
        ({**MINIMAL, "id": "a\n"}, "id", "SF004"),
        ({**MINIMAL, "version": "1.0"}, "version", "SF004"),
        ({**MINIMAL, "version": "01.0.0"}, "version", "SF004"),
        ({**MINIMAL, "version": "1.0.0-rc.01"}, "version", "SF004"),
        ({**MINIMAL, "name": "a\0b"}, "name", "SF007"),
        ({**MINIMAL, "name": "\ud800"}, "name", "SF007"),
        ({**MINIMAL, "x": [{"y": "\udc00"}]}, "x[0].y", "SF007"),
        ({**MINIMAL, "x": {"a\0": 1}}, "x", "SF007"),
        ({**MINIMAL, "x": [1, 2**53 + 1]}, "x[1]", "SF008"),
        ({**MINIMAL, "x": float("nan")}, "x", "SF008"),
        ({**MINIMAL, "x": float("-inf")}, "x", "SF008"),
        ({**MINIMAL, "x": (1,)}, "x", "SF001"),
        ({**MINIMAL, "x": {1: 2}}, "x", "SF001"),
        ({**MINIMAL, "nodes": {}}, "nodes", "SF003"),
        ({**MINIMAL, "nodes": [1]}, "nodes[0]", "SF003"),
        (with_node(type="llm_rigged"), "nodes[0].type", "SF006"),
        (with_node(id="x" * 129), "nodes[0].id", "SF004"),
        (with_node(position={"x": False, "y": 1}), "nodes[0].position.x", "SF003"),
        (with_node(position={"x": "1", "y": 1}), "nodes[0].position.x", "SF003"),
        (with_node(config=[]), "nodes[0].config", "SF003"),
        (with_node(inputs=[{"id": "a"}, {"id": "a"}]), "nodes[0].inputs[1].id", "SF005"),
        ({**MINIMAL, "nodes": [NODE, NODE]}, "nodes[1].id", "SF005"),
        ({**MINIMAL, "variables": [{"name": "V", "type": "int"}]}, "variables[0].name", "SF004"),
        (
            {**MINIMAL, "tests": [{"name": "a", "input": {}, "expect": {}}] * 2},
            "tests[1].name",
            "SF005",
        ),
        ({**MINIMAL, "tests": [{"name": "a", "input": [], "expect": {}}]}, "tests[0].input", "SF003"),
        (with_model(role="Primary"), "config.core_identity.models[0].role", "SF004"),
        (with_model(temperature=2.1), "config.core_identity.models[0].temperature", "SF004"),
        (with_model(modalities=["smell"]), "config.core_identity.models[0].modalities[0]", "SF004"),
        (
            with_model(fallback=[{"ref": "openai"}]),
            "config.core_identity.models[0].fallback[0].model",
            "SF002",
        ),
        ({**MINIMAL, "config": {"core_identity": {"models": []}}}, "config.core_identity.models", "SF004"),
        (
            {**MINIMAL, "config": {"core_identity": {"models": [MODEL, MODEL]}}},
            "config.core_identity.models[1].role",
            "SF005",
        ),
        (
            {**MINIMAL, "config": {"scaiqueue": {"queues": [{"slug": "q", "max_retries": 101}]}}},
            "config.scaiqueue.queues[0].max_retries",
            "SF004",
        ),
        ({**MINIMAL, "config": {"bunker": {"lifecycle": "eternal"}}}, "config.bunker.lifecycle", "SF004"),
    ],
    ids=range(37),
)
def test_what_is_no_flow_is_reported_with_its_place(document: object, path: str, code: str) -> None:
    assert [(found.path, found.code) for found in problems(document)] == [(path, code)]


def test_all_problems_are_reported_at_once() -> None:
    document = {"name": 3, "version": "x", "nodes": [NODE, NODE, {"id": "?"}]}

    places = [found.path for found in problems(document)]

    assert places == [
        "id",
        "name",
        "version",
        "nodes[2].id",
        "nodes[2].type",
        "nodes[2].label",
        "nodes[2].position",
        "nodes[1].id",
    ]


def test_an_unknown_kind_is_answered_with_the_nearest_one() -> None:
    (found,) = problems(with_node(type="llm_flexibel"))

    assert (found.message, found.fix) == (
        "unknown node kind 'llm_flexibel'",
        "did you mean 'llm_flexible'?",
    )


@pytest.mark.parametrize(("kind", "shown"), [(None, "null"), (True, "true"), ({"a": [1]}, '{"a": [1]}')])
def test_what_is_no_text_is_shown_as_json(kind: object, shown: str) -> None:
    assert [found.message for found in problems(with_node(type=kind))] == [f"unknown node kind {shown}"]


@pytest.mark.parametrize(
    ("document", "fix"),
    [
        ({**MINIMAL, "edges": [{"type": "conditionl"}]}, "did you mean 'conditional'?"),
        (with_model(modalities=["structured"]), "did you mean 'structured_output'?"),
        ({**MINIMAL, "edges": [{"type": "CONDITIONAL"}]}, "did you mean 'conditional'?"),
        ({**MINIMAL, "edges": [{"type": "nothing alike"}]}, None),
        ({**MINIMAL, "edges": [{"type": 1}]}, None),
    ],
)
def test_a_value_that_is_none_of_a_list_is_answered_with_the_nearest_one(
    document: object, fix: str | None
) -> None:
    assert [found.fix for found in problems(document) if "must be one of" in found.message] == [fix]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    queues = [{"slug": "q", "max_retries": 5.0}]

    assert flow({**MINIMAL, "config": {"scaiqueue": {"queues": queues}}}).config.scaiqueue is not None


def test_a_fault_far_down_a_list_is_named_by_its_place() -> None:
    nodes: list[Any] = [{**NODE, "id": f"n{number}"} for number in range(250)]
    nodes[230]["label"] = None

    (problem,) = problems({**MINIMAL, "nodes": nodes, "edges": []})

    assert (problem.path, problem.message) == ("nodes[230].label", "label must be text")


def test_an_unfinished_flow_is_a_flow() -> None:
    edge = {
        "id": "e",
        "type": "conditional",
        "source": {"node": "?", "port": ""},
        "target": {"node": "", "port": ""},
    }

    assert flow({**MINIMAL, "name": "", "edges": [edge]}).edges[0].condition is None


@settings(deadline=None)
@given(
    JSON
    | st.fixed_dictionaries({}, optional=dict.fromkeys([*MINIMAL, "nodes", "edges", "config", "tests"], JSON))
)
def test_any_value_is_a_flow_or_has_problems(value: object) -> None:
    found = parse_document(value)

    assert isinstance(found, FlowDocument) or (found and all(item.code.startswith("SF0") for item in found))


@settings(deadline=None)
@given(JSON)
def test_a_flow_comes_with_its_canonical_form(value: object) -> None:
    document = {**MINIMAL, "x": value}
    found = parse_document(document)

    if isinstance(found, FlowDocument):
        assert found.text == canonical_json(document)
        assert orjson.loads(found.text) == found.value == normalized(document)


@pytest.mark.parametrize(
    ("limits", "limit", "maximum"),
    [
        (Limits(max_nodes=1), "nodes", 1),
        (Limits(max_edges=1), "edges", 1),
        (Limits(max_nesting=3), "nesting", 3),
        (Limits(max_bytes=200), "bytes", 200),
    ],
)
def test_a_document_beyond_a_limit_is_refused_with_its_name(limits: Limits, limit: str, maximum: int) -> None:
    edge = {
        "id": "e",
        "type": "data",
        "source": {"node": "a", "port": "b"},
        "target": {"node": "a", "port": "b"},
    }
    document = {**MINIMAL, "nodes": [NODE, {**NODE, "id": "b"}], "edges": [edge, {**edge, "id": "f"}]}

    with pytest.raises(FlowTooLarge) as refused:
        parse_document(document, limits=limits)

    detail = refused.value.detail()
    assert (refused.value.status, detail["error"]) == (413, "flow_too_large")
    assert (detail["limit"], detail["maximum"]) == (limit, maximum)
    assert detail["actual"] > maximum


def test_too_many_bytes_are_refused_before_they_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*given: object) -> None:
        raise AssertionError("comes too late")

    monkeypatch.setattr(parse, "copy_of", unreachable)

    with pytest.raises(FlowTooLarge):
        parse_document(MINIMAL, limits=Limits(max_bytes=20))


def test_a_document_at_its_limits_is_accepted() -> None:
    value: object = "x"
    for _ in range(63):
        value = [value]
    document = {**MINIMAL, "x": value}
    size = len(orjson.dumps(document))

    assert flow(document).id == "flow_a"
    assert isinstance(parse_document(document, limits=Limits(max_bytes=size)), FlowDocument)


def test_absurd_nesting_is_refused_without_recursion() -> None:
    value: object = {}
    for _ in range(200_000):
        value = [value]

    with pytest.raises(FlowTooLarge):
        parse_document({"x": value})


def test_the_number_of_reported_problems_is_bounded() -> None:
    document = {**MINIMAL, "nodes": [{**NODE, "inputs": [{}] * 100_000}], "x": ["\0"] * 5}

    assert len(problems({**document, "x": 1})) <= 1000
    assert len(problems({**MINIMAL, "x": ["\0"] * 100_000})) <= 1000


@pytest.mark.parametrize(
    "document",
    [
        {"variables": [[]] * 4},
        {"tests": [[]] * 4},
        {"nodes": [{**NODE, "inputs": [[]] * 2}, {"outputs": [1] * 2}, []]},
        {"config": {"plugins": [[]] * 4}},
        {"config": {"capabilities": [[]] * 4}},
        {"config": {"core_identity": {"models": [[]] * 2}, "scaiqueue": {"queues": [[]] * 2}}},
    ],
)
def test_entries_beyond_their_number_are_refused_before_each_is_found_wrong(
    document: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Millions of empty lists fit into a document, and the fault of each takes more memory than itself."""
    monkeypatch.setattr(parse, "MAX_ENTRIES", 3)

    with pytest.raises(FlowTooLarge) as refused:
        parse_document({**MINIMAL, **document})

    assert (refused.value.detail()["maximum"], refused.value.detail()["actual"]) == (3, 4)


@pytest.mark.parametrize("check", [parse_document, lambda document: sound_text(document, DEFAULT_LIMITS)])
def test_lists_and_objects_are_counted_and_brackets_in_texts_are_not(
    check: Callable[[dict[str, Any]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {**MINIMAL, "metadata": {"a": [[], {}], "b": '[[{{"[[{{'}}
    monkeypatch.setattr(parse, "MAX_CONTAINERS", 5)
    assert check(document)

    monkeypatch.setattr(parse, "MAX_CONTAINERS", 4)
    with pytest.raises(FlowTooLarge) as refused:
        check(document)

    detail = refused.value.detail()
    assert (detail["limit"], detail["maximum"], detail["actual"]) == ("lists and objects", 4, 5)
