"""Promises that hold for every document, sound or broken."""

import copy
from random import Random
from typing import Any

import orjson
import pytest
from compiler.compiler_random_flows import flows
from compiler_documents import a_flow, a_node, a_text, an_entry
from compiler_mutations import at, ways
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import Compiled, CompileError, compile_flow, read_manifest, validate_flow
from scaiflow_api.flowgraph import FlowTooLarge

SLOW = [HealthCheck.too_slow]
TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["{{", "{{ a", "in"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def compiled(document: Any) -> Compiled | None:
    try:
        return compile_flow(document)
    except CompileError:
        return None


def mutate(document: Any, rng: Random, replacement: Any) -> None:
    """Delete, replace or double something, anywhere."""
    way = rng.choice(ways(document))
    parent = at(document, way[:-1])
    match rng.choice(["delete", "replace", "swap", "double"]):
        case "delete":
            del parent[way[-1]]
        case "replace":
            parent[way[-1]] = replacement
        case "swap":
            parent[way[-1]] = copy.deepcopy(at(document, rng.choice(ways(document))))
        case "double":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[way[-1]]))


def shuffled(value: Any, rng: Random) -> Any:
    """Return an equal value whose objects have their keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(flows(max_nodes=6), st.integers(0, 2**32), st.lists(ANYTHING, min_size=1, max_size=4))
def test_broken_documents_give_findings_and_never_raise(
    document: Any, seed: int, replacements: list[Any]
) -> None:
    rng = Random(seed)
    for replacement in replacements:
        mutate(document, rng, replacement)

    found = validate_flow(document)

    assert (compiled(document) is not None) == all(item.severity == "warning" for item in found)


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(ANYTHING)
def test_any_value_can_be_validated(value: Any) -> None:
    assert all(item.severity in ("error", "warning") for item in validate_flow(value))


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(flows(), st.integers(0, 2**32))
def test_the_order_of_keys_changes_no_byte(document: Any, seed: int) -> None:
    first, second = compile_flow(document), compile_flow(shuffled(document, Random(seed)))

    assert first.body == second.body
    assert first.module == second.module


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(st.dictionaries(TEXTS, SCALARS | NUMBERS | st.lists(TEXTS)), TEXTS, TEXTS)
def test_any_text_survives_the_manifest(extra: dict[str, Any], name: str, goal: str) -> None:
    flexible = a_node(
        "node_a", "llm_flexible", config={"goal": "\\" + goal.replace("{{", "") + "!"}, note=extra
    )
    document = a_flow([an_entry(), flexible], ("entry", "node_a"), metadata={"more": extra})
    document["name"] = name

    result = compile_flow(document)

    assert read_manifest(str(result.body)) == result.module


@pytest.mark.parametrize("levels", [100, 100_000])
def test_absurd_nesting_is_refused_not_followed(levels: int) -> None:
    value: Any = []
    for _ in range(levels):
        value = [value]

    with pytest.raises(FlowTooLarge):
        validate_flow({"nodes": value})


def test_a_manifest_that_no_runtime_would_read_is_not_written() -> None:
    value: Any = [0] * 120_000
    for _ in range(50):
        value = {"a": value}
    node = a_node("node_a", "llm_flexible", config={"goal": "Go.", "input_bindings": {"deep": value}})

    with pytest.raises(FlowTooLarge) as refused:
        compile_flow(a_flow([an_entry(), node], ("entry", "node_a")))

    assert refused.value.fields["limit"] == "manifest bytes"


def test_compiling_does_not_change_the_document() -> None:
    document = a_flow([an_entry(), a_text("a")], ("entry", "a"))
    before = orjson.dumps(document)

    compile_flow(document)

    assert orjson.dumps(document) == before


def test_an_unknown_format_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="unknown output format 'pdf'"):
        compile_flow(a_flow([an_entry()]), "pdf")
