"""SCIR bundles: what is written is read again, and nothing else is read."""

import copy
from random import Random
from typing import Any

import ormsgpack
import pytest
from compiler.compiler_random_flows import flows
from compiler_modules import a_module, every_kind, modules, says
from compiler_mutations import ways
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import compile_flow, ir
from scaiflow_api.compiler.bundle.framing import (
    HEADER,
    MAX_BYTES,
    MAX_CONTAINERS,
    BundleError,
    read_bundle,
    write_bundle,
)
from scaiflow_api.compiler.bundle.modules import write_module
from scaiflow_api.flowgraph import FlowTooLarge

SLOW = [HealthCheck.too_slow]
SHARED = ["kind", "node_id", "result_binding", "source_location", "data_bindings"]
CALL = ["goal", "output_type", "llm_role"]
BOUND = ["input_bindings", "context_bindings", "guidance", "constraints"]
LOOP = ["max_iterations", "collect", "body", "outputs"]
KEYS = {
    "rigid": ["statements"],
    "guarded": [*CALL, "guard", "validate", *BOUND, "on_validation_failure"],
    "flexible": [*CALL, *BOUND, "examples", "on_failure", "budget", "identity_ref"],
    "match": ["subject", "arms", "else_body", "on_error"],
    "foreach": ["items", "item_var", "index_var", "max_concurrent", *LOOP],
    "while": ["condition", *LOOP],
    "parallel": ["branches", "max_concurrent", "fail_fast", "merge_order"],
    "checkpoint": [
        *("checkpoint_type", "prompt", "options", "sections", "assignee", "priority", "timeout"),
        *("on_timeout", "hitl_target"),
    ],
    "core_call": ["target", "flow_name", "input_bindings", "instance_key", "version", "timeout", "is_async"],
    "try": ["body", "catch"],
}
STATEMENT_KEYS = {
    "expression": ["kind", "expression"],
    "assign": ["kind", "name", "value"],
    "plugin_call": ["kind", "alias", "method", "args", "binding", "timeout"],
}
MODULE_KEYS = [
    *("ir_version", "name", "version", "runtime_version", "mode", "entity_key", "identity", "models"),
    *("plugins", "capabilities", "scaiqueue", "variables", "types", "triggers", "flows", "metadata"),
]
TRIGGER_KEYS = ["kind", "name", "target_flow", "node_id", "method", "path", "auth", "cron", "timezone"]
METADATA_KEYS = [
    *("source_id", "source_version", "scaicore_target", "publish_as_model"),
    *("model_visibility_group_ids", "graph"),
]


def packed(module: ir.Module) -> Any:
    """Return the plain map of a module, free to be changed."""
    return ormsgpack.unpackb(write_bundle(module)[len(HEADER) :])


def bundle_of(values: Any) -> bytes:
    return HEADER + ormsgpack.packb(values, option=ormsgpack.OPT_NON_STR_KEYS)


def complaint(data: bytes) -> str:
    with pytest.raises(BundleError) as refused:
        read_bundle(data)
    return refused.value.message


def outcome(data: bytes) -> ir.Module | str:
    """Return the module, or why there is none."""
    try:
        return read_bundle(data)
    except BundleError as refused:
        return refused.message


def maps_with_a_kind(value: Any) -> list[Any]:
    """Return all blocks and statements of a plain map."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict) and "kind" in value else []
    return found + [part for item in inner for part in maps_with_a_kind(item)]


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def with_graph(graph: Any) -> ir.Module:
    metadata = ir.Metadata(source_id=None, source_version=None, scaicore_target=None, graph=graph)
    return a_module(says("node_a"), metadata=metadata)


def test_every_kind_of_block_is_read_as_it_was_written() -> None:
    module = every_kind()

    assert {type(block).kind for block in ir.walk(module.flows[0].body)} == KEYS.keys()
    assert read_bundle(write_bundle(module)) == module


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(modules())
def test_any_module_is_read_as_it_was_written(module: ir.Module) -> None:
    data = write_bundle(module)

    again = read_bundle(data)

    assert again == module
    assert write_bundle(again) == data


@settings(deadline=None, max_examples=50, suppress_health_check=SLOW)
@given(flows())
def test_compiled_flows_are_read_as_they_were_written(document: Any) -> None:
    module = compile_flow(document).module

    assert read_bundle(write_bundle(module)) == module


def test_a_bundle_begins_with_its_header_and_holds_the_map() -> None:
    data = write_bundle(every_kind())

    assert data[:8] == b"SCIR\x01\x00\x00\x00"
    assert data[8:] == ormsgpack.packb(write_module(every_kind()))


def test_keys_stand_in_the_documented_order_and_all_are_there() -> None:
    values = packed(every_kind())
    flow = values["flows"][0]

    assert list(values) == MODULE_KEYS
    assert list(values["metadata"]) == METADATA_KEYS
    assert [list(trigger) for trigger in values["triggers"]] == [TRIGGER_KEYS] * 3
    assert list(flow) == ["name", "params", "body", "outputs"]
    found = maps_with_a_kind(flow["body"])
    assert {item["kind"] for item in found} == KEYS.keys() | STATEMENT_KEYS.keys()
    for item in found:
        kind = item["kind"]
        assert list(item) == (STATEMENT_KEYS.get(kind) or [*SHARED, *KEYS[kind]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The bundle must begin with the four bytes SCIR."),
        (b"SCI", "The bundle must begin with the four bytes SCIR."),
        (b"core:\n  name: x", "The bundle must begin with the four bytes SCIR."),
        (b"SCIR", "The bundle ends within its header of 8 bytes."),
        (b"SCIR\x01\0\0", "The bundle ends within its header of 8 bytes."),
        (b"SCIR\x02\0\0\0\x80", "The bundle has the version 2; only version 1 can be read."),
        (b"SCIR\x01\0\1\0\x80", "The three bytes after the version of the bundle must be zero."),
        (HEADER, "The bundle is cut short."),
        (HEADER + b"\x81", "The bundle is cut short."),
        (HEADER + b"\xdf\xff\xff\xff\xff", "The bundle is cut short."),
        (HEADER + b"\xdd\xff\xff", "The bundle is cut short."),
        (HEADER + b"\xdb\xff\xff\xff\xffab", "The bundle is cut short."),
        (HEADER + b"\x80\xc0\xc0", "The bundle has 2 bytes too many after its map."),
        (HEADER + b"\x90", "module must be a mapping."),
        (HEADER + b"\xc0", "module must be a mapping."),
        (HEADER + b"\x80", "ir_version is missing."),
        (
            HEADER + b"\x81\xa1a\xc4\x01x",
            "The bundle holds a value of a type that JSON does not have (0xc4).",
        ),
        (
            HEADER + b"\x81\xa1a\xd4\x01x",
            "The bundle holds a value of a type that JSON does not have (0xd4).",
        ),
        (HEADER + b"\xc1", "The bundle holds a value of a type that JSON does not have (0xc1)."),
        (HEADER + b"\x81\xa1a\xca\x7f\x80\0\0", "The bundle holds a number that is not finite."),
        (bundle_of({"a": float("nan")}), "The bundle holds a number that is not finite."),
        (bundle_of({"a": float("-inf")}), "The bundle holds a number that is not finite."),
        (HEADER + b"\x81\xa1a" * 200 + b"\xc0", "The bundle is nested more than 128 levels deep."),
        (HEADER + b"\x91" * 1_000_000, "The bundle is nested more than 128 levels deep."),
        (HEADER + b"\0" * MAX_BYTES, f"The bundle is larger than {MAX_BYTES:,} bytes."),
    ],
)
def test_what_is_no_bundle_is_refused_with_the_reason(data: bytes, message: str) -> None:
    assert complaint(data) == message


@pytest.mark.parametrize("payload", [b"\x81\x01\x02", b"\x81\xa1\xff\xc0", b"\x81\xa3\xed\xa0\x80\xc0"])
def test_keys_that_are_no_text_and_texts_that_are_no_utf8_are_refused(payload: bytes) -> None:
    assert complaint(HEADER + payload).startswith("The bundle is not readable MessagePack: ")


def test_a_bundle_of_countless_empty_lists_is_refused_before_they_are_built() -> None:
    count = MAX_CONTAINERS + 1
    payload = b"\x81\xa1a\xdd" + count.to_bytes(4) + b"\x90" * count

    assert complaint(HEADER + payload) == f"The bundle has more than {MAX_CONTAINERS:,} lists and maps."


def test_a_module_may_nest_to_the_limit_and_no_further() -> None:
    module = with_graph(nested(126))

    assert read_bundle(write_bundle(module)) == module
    with pytest.raises(FlowTooLarge) as refused:
        write_bundle(with_graph(nested(127)))
    assert refused.value.fields["limit"] == "bundle nesting"
    deeper = packed(module)
    deeper["metadata"]["graph"] = [deeper["metadata"]["graph"]]
    assert complaint(bundle_of(deeper)) == "The bundle is nested more than 128 levels deep."


def test_a_module_beyond_the_size_of_a_bundle_is_not_written() -> None:
    module = with_graph("x" * MAX_BYTES)

    with pytest.raises(FlowTooLarge) as refused:
        write_bundle(module)

    assert refused.value.fields["limit"] == "bundle bytes"


@pytest.mark.parametrize("value", [{1: 2}, 2**64, object(), "\ud800"])
def test_a_module_that_holds_more_than_json_is_a_mistake_of_its_maker(value: Any) -> None:
    with pytest.raises(TypeError):
        write_bundle(with_graph({"a": value}))


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        (("name",), None, "name is missing."),
        (("name",), 1, "name must be text."),
        (("ir_version",), "9.9", "ir_version must be '0.1'."),
        (("identity", "persona"), [], "identity.persona must be text."),
        (("models",), {}, "models must be a list."),
        (("models", 0), "a", "models must be a list of mappings."),
        (("variables",), [1], "variables must be a list of mappings."),
        (("scaiqueue",), 1, "scaiqueue must be a mapping."),
        (("metadata",), None, "metadata must be a mapping."),
        (("metadata", "publish_as_model"), 1, "metadata.publish_as_model must be true or false."),
        (("triggers", 1), 1, "triggers[1] must be a mapping."),
        (("triggers", 1, "target_flow"), 1, "triggers[1].target_flow must be text."),
        (("flows", 0, "params"), {"a": 1}, "flows[0].params must be a mapping of names to texts."),
        (
            ("flows", 0, "outputs", 0, "successors"),
            [1],
            "flows[0].outputs[0].successors must be a list of texts.",
        ),
        (("flows", 0, "body", 3), "x", "flows[0].body[3] must be a mapping."),
        (("flows", 0, "body", 3, "kind"), None, "flows[0].body[3].kind is missing."),
        (("flows", 0, "body", 3, "kind"), 3, "flows[0].body[3].kind must be text."),
        (("flows", 0, "body", 3, "data_bindings"), {"a": None}, None),
        (
            ("flows", 0, "body", 3, "source_location"),
            "x",
            "flows[0].body[3].source_location must be a mapping.",
        ),
        (("flows", 0, "body", 2, "statements", 0, "args"), [], None),
        (
            ("flows", 0, "body", 2, "statements", 0, "kind"),
            "model_call",
            "flows[0].body[2].statements[0].kind must be one of expression, assign, plugin_call.",
        ),
        (
            ("flows", 0, "body", 5, "on_error"),
            "ignore",
            "flows[0].body[5].on_error must be one of fail, continue.",
        ),
        (("flows", 0, "body", 5, "arms", 0, "compares"), 1, None),
        (
            ("flows", 0, "body", 7, "max_iterations"),
            2.0,
            "flows[0].body[7].max_iterations must be a whole number of at least 1.",
        ),
        (("flows", 0, "body", 7, "max_concurrent"), True, None),
        (("flows", 0, "body", 7, "body", 0, "kind"), "rigidd", None),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(
    way: tuple[Any, ...], value: Any, message: str | None
) -> None:
    values = packed(every_kind())
    parent = values
    for key in way[:-1]:
        parent = parent[key]
    parent[way[-1]] = value

    said = complaint(bundle_of(values))

    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in way).removeprefix(".")
    assert said.startswith(place if message is None else message)
    assert message is None or said == message


def test_an_unknown_kind_of_block_is_refused_with_those_that_are_known() -> None:
    values = packed(every_kind())
    values["flows"][0]["body"][3]["kind"] = "adaptive"

    assert complaint(bundle_of(values)) == f"flows[0].body[3].kind must be one of {', '.join(KEYS)}."


def test_keys_of_later_versions_are_tolerated() -> None:
    module, values = every_kind(), packed(every_kind())
    for item in [values, values["metadata"], *maps_with_a_kind(values)]:
        item["later"] = {"x": [1]}

    assert read_bundle(bundle_of(values)) == module


def test_no_cut_bundle_is_read() -> None:
    data = write_bundle(every_kind())

    for end in range(len(data)):
        complaint(data[:end])


@settings(deadline=None, max_examples=300, suppress_health_check=SLOW)
@given(st.integers(0, 2**32))
def test_damaged_bundles_are_read_or_refused_and_never_raise_anything_else(seed: int) -> None:
    rng = Random(seed)
    data = bytearray(write_bundle(every_kind()))
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)

    found = outcome(bytes(data))

    if isinstance(found, str):
        assert found.endswith(".")
    else:
        assert read_bundle(write_bundle(found)) == found


@settings(deadline=None, max_examples=300, suppress_health_check=SLOW)
@given(st.integers(0, 2**32))
def test_maps_with_wrong_values_are_read_or_refused_and_never_raise_anything_else(seed: int) -> None:
    rng = Random(seed)
    values = copy.deepcopy(packed(every_kind()))
    *way, last = rng.choice(ways(values))
    parent = values
    for key in way:
        parent = parent[key]
    parent[last] = rng.choice(
        [None, True, 0, -1, 1.5, "", "x", [], {}, [None], [[]], {"a": None}, [{"kind": "try"}]]
    )

    found = outcome(bundle_of(values))

    assert isinstance(found, ir.Module) or found.endswith(".")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=64))
def test_any_bytes_are_refused(data: bytes) -> None:
    complaint(HEADER + data)
