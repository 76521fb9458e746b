"""The verifier: silent on what the compiler makes, and precise about everything else."""

from typing import Any

import pytest
from compiler.compiler_random_flows import flows
from compiler_modules import a_module, calls, every_kind, modules, on_flags, says, sets
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from scaiflow_api.compiler import compile_flow, ir, verifier
from scaiflow_api.compiler.verifier import verify

SLOW = [HealthCheck.too_slow]
BODY = "flows[0].body"


def found(*body: Any, **more: Any) -> list[tuple[str, str]]:
    """Return code and path of what is wrong with a module of this body."""
    return [(item.code, item.path) for item in verify(a_module(*body, **more))]


def a_loop(*body: ir.AnyBlock, **more: Any) -> ir.ForeachBlock:
    return ir.ForeachBlock(**{"node_id": "node_loop", "items": "[1]", "body": body, **more})


def a_while(**more: Any) -> ir.WhileBlock:
    return ir.WhileBlock(**{"node_id": "node_loop", "condition": "v < 1", "max_iterations": 3, **more})


def branches(*bodies: tuple[ir.AnyBlock, ...], **more: Any) -> ir.ParallelBlock:
    return ir.ParallelBlock(branches=tuple(ir.Branch(edge_id=None, body=body) for body in bodies), **more)


def asks(**more: Any) -> ir.FlexibleBlock:
    return ir.FlexibleBlock(**{"node_id": "node_ask", "goal": "Answer.", "llm_role": "primary", **more})


def waits(**more: Any) -> ir.CheckpointBlock:
    return ir.CheckpointBlock(node_id="node_wait", checkpoint_type="approval", **more)


def test_a_sound_module_of_all_kinds_has_no_violation() -> None:
    assert verify(every_kind()) == []


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(flows())
def test_what_the_compiler_makes_has_no_violation(document: Any) -> None:
    assert verify(compile_flow(document).module) == []


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(modules())
def test_any_module_is_verified_without_raising_and_each_code_is_documented(module: ir.Module) -> None:
    for item in verify(module):
        assert f"| {item.code} |" in (verifier.__doc__ or "")
        assert item.path
        assert item.message.endswith((".", "`"))


def test_a_rigid_block_holds_statements_alone() -> None:
    block = ir.RigidBlock(node_id="node_a", statements=(asks(), says(None), object()))  # type: ignore[arg-type]

    assert found(block) == [
        ("E405", f"{BODY}[0].statements[0]"),
        ("E400", f"{BODY}[0].statements[1]"),
        ("E400", f"{BODY}[0].statements[2]"),
    ]


def test_a_plugin_that_is_a_model_is_no_way_around_it() -> None:
    assert found(calls("node_a", alias="llm")) == [("E405", f"{BODY}[0].statements[0]")]
    plugins = ({"alias": "helper", "endpoint": "plugin://llm"},)
    assert found(calls("node_a", alias="helper"), plugins=plugins) == [("E405", f"{BODY}[0].statements[0]")]


@pytest.mark.parametrize("alias", ["drive", "http", "scaiqueue", "scaibunker"])
def test_plugins_of_the_module_and_of_the_runtime_may_be_called(alias: str) -> None:
    assert found(calls("node_a", alias=alias)) == []


def test_a_plugin_that_nobody_declares_may_not() -> None:
    assert found(calls("node_a", alias="dribe")) == [("E416", f"{BODY}[0].statements[0].alias")]


@pytest.mark.parametrize(
    ("mode", "key", "params", "sound"),
    [
        ("stateless", None, {}, True),
        ("entity", "id", {"id": "string"}, True),
        ("entity", "id", {}, True),
        ("entity", "id", {"name": "string"}, False),
        ("entity", None, {"id": "string"}, False),
    ],
)
def test_the_entity_key_comes_with_the_input(mode: str, key: str | None, params: Any, sound: bool) -> None:
    flow = ir.Flow(name="main", params=params, body=())

    assert found(mode=mode, entity_key=key, flows=(flow,)) == ([] if sound else [("E402", "entity_key")])


def test_a_trigger_is_of_a_known_kind_and_starts_a_flow_that_exists() -> None:
    chat = ir.Trigger(kind="chat", name="chat", target_flow="nobody", node_id=None)

    assert found(triggers=(chat,)) == [("E410", "triggers[0].kind"), ("E410", "triggers[0].target_flow")]


def test_data_comes_from_nodes_or_entries_that_exist() -> None:
    bound = {"a": "node_a", "b": "node_entry", "c": "node_gone"}

    assert found(says("node_a"), says("node_b", data_bindings=bound)) == [
        ("E411", f"{BODY}[1].data_bindings")
    ]


def test_data_may_come_from_a_node_of_the_graph_that_no_flow_reaches() -> None:
    metadata = ir.Metadata(
        source_id=None, source_version=None, scaicore_target=None, graph={"nodes": {"node_far": {}}}
    )

    assert found(says("node_a", data_bindings={"a": "node_far"}), metadata=metadata) == []


def test_outputs_and_merged_results_come_from_where_they_are_said_to() -> None:
    outside = ir.OutputCandidate(node_id="node_a", successors=("node_gone",))
    flow = ir.Flow(name="main", params={}, body=(says("node_a"),), outputs=(outside,))
    assert found(flows=(flow,)) == [("E411", "flows[0].outputs[0]")]

    loop = a_loop(says("node_in"), outputs=(ir.OutputCandidate(node_id="node_a"),))
    assert found(says("node_a"), loop) == [("E411", f"{BODY}[1].outputs[0]")]

    parallel = branches((says("node_in"),), merge_order=("node_in", "node_a"))
    assert found(says("node_a"), parallel) == [("E411", f"{BODY}[1].merge_order[1]")]


READS = says("node_r", "{{ __f }}")
SETS = sets(__f=True)


@pytest.mark.parametrize(
    "body",
    [
        (SETS, READS),
        (sets(__f="{{ __entry }}"), READS),
        (SETS, a_loop(READS)),
        (SETS, branches((READS,), (on_flags(("__f", ())),))),
        (branches((SETS,), ()), READS),
        (on_flags(("true", (SETS,)), else_body=(SETS,)), READS),
        (on_flags(("true", (SETS, READS))),),
        (ir.TryBlock(body=(SETS,), catch=(SETS,)), READS),
        (a_while(body=(SETS, READS)),),
        (says("node_a", "{{ __entry }}"),),
        (says("node_a"), says("node_b", "{{ __f }}", data_bindings={"__f": "node_a"})),
    ],
)
def test_a_flag_that_is_set_on_every_way_may_be_tested(body: Any) -> None:
    assert found(*body) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ((READS, SETS), "[0].statements[0].expression"),
        ((sets(__f="{{ __f }}"),), "[0].statements[0].value"),
        ((a_loop(SETS), READS), "[1].statements[0].expression"),
        ((branches((SETS,), (READS,)),), "[0].branches[1].body[0].statements[0].expression"),
        ((on_flags(("true", (SETS,))), READS), "[1].statements[0].expression"),
        ((on_flags(("__f", (SETS,))),), "[0].arms[0].condition"),
        ((ir.TryBlock(body=(SETS,), catch=()), READS), "[1].statements[0].expression"),
        ((ir.TryBlock(body=(says("node_a"),), catch=(READS,)),), "[0].catch[0].statements[0].expression"),
        ((a_while(condition="__f", body=(SETS,)),), "[0].condition"),
        ((waits(prompt="{{ __f }}"),), "[0].prompt"),
        ((says("node_a", data_bindings={"__f": "node_a"}), READS), "[1].statements[0].expression"),
        ((asks(input_bindings={"a": ["{{ __f }}"]}),), "[0].input_bindings"),
    ],
)
def test_a_flag_that_may_be_unset_may_not(body: Any, path: str) -> None:
    assert found(*body) == [("E412", f"{BODY}{path}")]


def test_a_model_call_has_a_role_of_the_registry() -> None:
    guarded = ir.GuardedBlock(node_id="node_b", goal="Answer.", llm_role="fast")

    assert found(asks(), guarded) == [("E413", f"{BODY}[1].llm_role")]
    assert found(asks(), models=()) == [("E413", f"{BODY}[0].llm_role")]


@pytest.mark.parametrize("role", [["primary"], {"primary": 1}, None, 1])
def test_a_role_of_the_registry_that_is_no_text_is_no_role(role: Any) -> None:
    """A bundle from elsewhere may say anything there."""
    assert found(asks(), models=({"role": role, "ref": "scaigrid", "model": "m"},)) == [
        ("E413", f"{BODY}[0].llm_role")
    ]


@pytest.mark.parametrize("nodes", [[["n"]], [{}], "n", None, 1])
def test_a_graph_from_elsewhere_may_hold_anything(nodes: Any) -> None:
    metadata = replace(a_module().metadata, graph={"nodes": nodes})

    assert found(metadata=metadata) == []


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (a_while(max_iterations=None), "max_iterations"),
        (a_while(max_iterations=0), "max_iterations"),
        (a_loop(max_iterations=-1), "max_iterations"),
        (a_loop(max_concurrent=0), "max_concurrent"),
        (branches(max_concurrent=0), "max_concurrent"),
    ],
)
def test_loops_and_parallels_are_bounded(block: ir.AnyBlock, field: str) -> None:
    assert found(block) == [("E414", f"{BODY}[0].{field}")]


def test_a_node_is_placed_once_wherever_it_stands() -> None:
    assert found(says("node_a"), a_loop(says("node_a"))) == [("E415", f"{BODY}[1].body[0]")]


def test_flows_have_names_of_their_own() -> None:
    flow = ir.Flow(name="main", params={}, body=())

    assert found(flows=(flow, replace(flow, params={"a": "int"}))) == [
        ("E415", "flows[0].name"),
        ("E415", "flows[1].name"),
    ]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        (on_flags(("a >", ())), "arms[0].condition"),
        (ir.MatchBlock(subject="(", arms=()), "subject"),
        (a_loop(items=""), "items"),
        (a_loop(collect="1 +"), "collect"),
        (a_while(condition=""), "condition"),
        (ir.GuardedBlock(goal="x", llm_role="primary", guard="a b"), "guard"),
        (ir.GuardedBlock(goal="x", llm_role="primary", validate="]"), "validate"),
        (asks(goal="{{"), "goal"),
        (asks(context_bindings={"a": {"b": ["{{ ) }}"]}}), "context_bindings"),
        (asks(examples=({"input": "{{"},)), "examples"),
        (says("node_a", ["{{"]), "statements[0].expression"),
        (calls("node_a", path="{{ }}"), "statements[0].args"),
        (waits(sections=({"content": "{{"},)), "sections"),
        (waits(hitl_target=ir.HitlTarget(scope=None, queue="{{", hitl_spec={})), "hitl_target.queue"),
        (ir.CoreCallBlock(target="core://a/b", instance_key="{{ 1 + }}"), "instance_key"),
    ],
)
def test_what_cannot_be_read_is_found_where_it_stands(block: ir.AnyBlock, path: str) -> None:
    assert found(block) == [("E417", f"{BODY}[0].{path}")]


@pytest.mark.parametrize(
    "block",
    [
        waits(),
        waits(on_timeout="fail"),
        waits(on_timeout="resolve:anything"),
        waits(on_timeout="resolve:yes", options=("yes", "no")),
        waits(on_timeout="resolve:no", options=("yes", {"id": "no", "label": "No"})),
        waits(on_timeout="resolve:a", sections=({"type": "input"}, {"type": "decision", "options": ["a"]})),
    ],
)
def test_time_may_run_out_into_an_action_or_an_option(block: ir.AnyBlock) -> None:
    assert found(block) == []


@pytest.mark.parametrize(
    "block",
    [
        waits(on_timeout="explode"),
        waits(on_timeout="resolve:"),
        waits(on_timeout="resolve:maybe", options=("yes", "no")),
        waits(on_timeout="resolve:No", options=({"id": "no", "label": "No"},)),
        waits(on_timeout="resolve:b", sections=({"type": "decision", "options": ["a"]},)),
    ],
)
def test_time_may_not_run_out_into_what_is_not_offered(block: ir.AnyBlock) -> None:
    assert found(block) == [("E418", f"{BODY}[0].on_timeout")]


@pytest.mark.parametrize("body", [(), (says("node_a"), says("node_b"))])
def test_a_try_holds_one_block(body: Any) -> None:
    assert found(ir.TryBlock(body=body)) == [("E419", f"{BODY}[0].body")]


def test_findings_name_what_is_wrong() -> None:
    (item,) = verify(a_module(asks(llm_role="fast")))

    assert item.message == "The model registry has no role 'fast'."
