"""Manifests and bundles become flow documents again."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
import ryaml
from compiler.compiler_documents import a_decision, a_flow, a_node, a_text, an_entry
from compiler.compiler_module_run import ModuleRun
from compiler.compiler_random_configs import INPUTS
from compiler.compiler_random_flows import flows
from compiler.compiler_work import calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from scaiflow_api.compiler import Compiled, Imported, compile_flow, import_manifest, ir, validate_flow
from scaiflow_api.compiler.bundle.framing import write_bundle
from scaiflow_api.compiler.importing.foreign import FORMS
from scaiflow_api.compiler.importing.told import do_the_same
from scaiflow_api.compiler.manifest import steps
from scaiflow_api.compiler.manifest.reader import read_values
from scaiflow_api.compiler.rules.imports import RULES
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.canonical_json import canonical_json

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
GIVENS = [{name: name == chosen for name in INPUTS} for chosen in ("c0", "c1", "none")]
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def without_graph(compiled: Compiled) -> str | bytes:
    if compiled.format == "ir":
        metadata = structs.replace(compiled.module.metadata, graph=None)
        return write_bundle(structs.replace(compiled.module, metadata=metadata))
    tree = ryaml.loads(compiled.text)
    del tree["core"]["scaiflow_meta"]["graph"]
    return orjson.dumps(tree).decode()


def codes(imported: Imported) -> list[str]:
    return [item.code for item in imported.diagnostics]


def errors(document: Any) -> list[str]:
    return [item.message for item in validate_flow(document) if item.severity == "error"]


def ways(document: Any) -> list[tuple[str, str, str | None]]:
    """Return source, target and condition of the control edges, in their order."""
    return [
        (edge["source"]["node"], edge["target"]["node"], edge.get("condition"))
        for edge in document["edges"]
        if edge["type"] != "data"
    ]


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_come_back_exactly(path: Path, output_format: str) -> None:
    document = json.loads(path.read_text())

    imported = import_manifest(compile_flow(document, output_format).body)

    assert canonical_json(imported.document) == canonical_json(document)
    assert imported.diagnostics == ()


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(flows(20), st.sampled_from(["yaml", "ir"]))
def test_every_flow_comes_back_exactly(document: Any, output_format: str) -> None:
    imported = import_manifest(compile_flow(document, output_format).body)

    assert canonical_json(imported.document) == canonical_json(document)
    assert imported.diagnostics == ()


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
@pytest.mark.parametrize("temperature", [0, 1, 2.0, 0.5])
def test_a_temperature_comes_back_whether_it_is_whole_or_not(temperature: float, output_format: str) -> None:
    document = a_flow([an_entry(), a_text("a")], ("entry", "a"))
    document["config"]["core_identity"]["models"][0]["temperature"] = temperature

    imported = import_manifest(compile_flow(document, output_format).body)

    assert canonical_json(imported.document) == canonical_json(document)
    assert imported.diagnostics == ()


@pytest.mark.parametrize("key", ['"<<"', "'<<'"])
def test_a_quoted_merge_key_is_a_key_like_any_other(key: str) -> None:
    source = str(compile_flow(a_flow([an_entry(), a_text("a")], ("entry", "a"))).body)
    written = source.replace("core:\n", f"core:\n  {key}: {{a: 1}}\n", 1)

    assert import_manifest(written).document["metadata"] == {"unknown_core": {"<<": {"a": 1}}}


def many_entries(count: int) -> dict[str, Any]:
    """A chain of nodes, and for each of them an entry of its own that leads to it as well."""
    ids = range(count)
    nodes = [*(an_entry(f"entry{number}") for number in ids), *(a_text(f"n{number}") for number in ids)]
    ways = [(f"entry{number}", f"n{number}") for number in ids]
    return a_flow(nodes, *ways, *pairwise(f"n{number}" for number in ids))


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
def test_many_entries_that_share_nodes_come_back_exactly(output_format: str) -> None:
    document = many_entries(60)
    limits = Limits(max_nodes=len(document["nodes"]), max_edges=len(document["edges"]))

    imported = import_manifest(compile_flow(document, output_format).body, limits=limits)

    assert imported.document == document


def test_without_a_graph_many_entries_come_back_with_what_they_start() -> None:
    ids = range(60)
    nodes = [*(an_entry(f"entry{number}") for number in ids), *(a_text(f"n{number}") for number in ids)]
    to_own, to_last = (
        [(f"{start}{number}", target.format(number)) for number in ids]
        for start, target in (("entry", "n{}"), ("n", "last"))
    )
    document = a_flow([*nodes, a_text("last")], *to_own, *to_last)
    limits = Limits(max_nodes=len(nodes) + 1, max_edges=len(document["edges"]))

    imported = import_manifest(without_graph(compile_flow(document)), limits=limits)

    assert set(ways(imported.document)) == set(ways(document))


def test_the_text_may_be_bytes() -> None:
    document = a_flow([an_entry(), a_text("a", "é")], ("entry", "a"))

    assert import_manifest(str(compile_flow(document).body).encode()).document == document


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_without_a_graph_the_steps_tell_nodes_and_edges(path: Path) -> None:
    document = json.loads(path.read_text())

    imported = import_manifest(without_graph(compile_flow(document)))

    assert imported.diagnostics == ()
    assert errors(imported.document) == []
    assert sorted(ways(imported.document), key=str) == sorted(ways(document), key=str)
    configs = {node["id"]: node.get("config", {}) for node in imported.document["nodes"]}
    for node in document["nodes"]:
        given = {key: value for key, value in node.get("config", {}).items() if value is not None}
        assert configs[node["id"]] == given
    assert [node["position"]["y"] for node in imported.document["nodes"]] == [
        120 * place for place in range(len(document["nodes"]))
    ]


def behaviour(module: ir.Module, known: set[str]) -> list[Any]:
    """What can be seen of runs from every entry: which of the known nodes ran, variables, output, failure."""
    runs = [
        ModuleRun(module, trigger.node_id or "", given_input).run()
        for trigger in module.triggers
        for given_input in GIVENS
    ]
    return [
        ([node for node in run.ran if node in known], run.variables, run.output, run.failed) for run in runs
    ]


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
@settings(deadline=None, max_examples=150, suppress_health_check=SLOW)
@given(flows(16))
def test_without_a_graph_a_flow_does_the_same_or_it_is_said_that_it_may_not(
    output_format: str, document: Any
) -> None:
    compiled = compile_flow(document, output_format)
    known = {node["id"] for node in document["nodes"]}

    imported = import_manifest(without_graph(compiled))

    if codes(imported) != ["SF607"]:
        assert imported.diagnostics == ()
        again = compile_flow(imported.document).module
        assert behaviour(again, known) == behaviour(compiled.module, known)


AROUND = {
    "arm": lambda *body: (ir.MatchBlock(arms=(ir.MatchArm(condition="x", edge_id=None, body=body),)),),
    "else": lambda *body: (ir.MatchBlock(arms=(), else_body=body),),
    "foreach": lambda *body: (ir.ForeachBlock(items="[]", body=body),),
    "while": lambda *body: (ir.WhileBlock(condition="x", body=body),),
    "branch": lambda *body: (ir.ParallelBlock(branches=(ir.Branch(edge_id=None, body=body),)),),
    "try": lambda *body: (ir.TryBlock(body=body),),
    "catch": lambda *body: (ir.TryBlock(body=(), catch=body),),
}
"""What may stand around a block."""
DECISION = a_decision("choose")
SHAPES = {
    "an answer that nothing follows, beside a way on": a_flow(
        [an_entry(), a_text("first"), a_text("answer"), a_decision("check"), a_text("last")],
        *(("entry", "first"), ("first", "answer", "c0"), ("first", "check"), ("check", "last", "c1")),
    ),
    "a fan, of which the last says what is returned": a_flow(
        [an_entry(), *map(a_text, "abc")], ("entry", "a"), ("entry", "c"), ("a", "b")
    ),
    "branches of which one is empty": a_flow(
        [an_entry(), a_node("both", "logic_parallel"), a_text("a"), a_text("beside"), a_text("join")],
        *(("entry", "both"), ("both", "a"), ("both", "join"), ("a", "join"), ("entry", "beside")),
    ),
    "branches that join nowhere": a_flow(
        [an_entry(), a_node("both", "logic_parallel"), a_text("a"), DECISION, a_text("beside")],
        *(("entry", "both"), ("both", "a"), ("both", "choose"), ("entry", "beside")),
    ),
    "a node in a branch that ranks behind one after the parallel": a_flow(
        [an_entry(), a_node("both", "logic_parallel"), a_text("beside"), a_text("a"), a_text("b")],
        *(("entry", "both"), ("entry", "beside"), ("both", "a"), ("both", "b")),
    ),
    "arms of which a later one ranks before": a_flow(
        [an_entry(), DECISION, a_text("b"), a_text("a"), a_text("behind")],
        *(("entry", "choose"), ("choose", "a", "c0"), ("choose", "b"), ("a", "behind")),
    ),
}


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_graph_outputs_tell_where_nodes_lead(shape: str, output_format: str) -> None:
    compiled = compile_flow(SHAPES[shape], output_format)

    imported = import_manifest(without_graph(compiled))

    assert imported.diagnostics == ()
    assert sorted(ways(imported.document), key=str) == sorted(ways(SHAPES[shape]), key=str)
    assert compile_flow(imported.document).module.flows == compiled.module.flows


@pytest.mark.parametrize("value", [1, [1, "a"], ["b", "a"]])
def test_a_value_may_be_called_like_a_part_of_the_module(value: Any) -> None:
    flexible = a_node("a", "llm_flexible", config={"goal": "Go.", "input_bindings": {"successors": value}})
    document = a_flow([an_entry(), flexible], ("entry", "a"))

    imported = import_manifest(without_graph(compile_flow(document)))

    assert imported.diagnostics == ()
    assert imported.document["nodes"][1]["config"] == flexible["config"]


def a_module_of(*body: ir.AnyBlock, successors: str = "") -> ir.Module:
    module = compile_flow(a_flow([an_entry()])).module
    outputs = (ir.OutputCandidate(node_id="a", successors=tuple(successors)),)
    return structs.replace(module, flows=(structs.replace(module.flows[0], body=body, outputs=outputs),))


def assigned(*names: str, value: Any = True) -> ir.RigidBlock:
    return ir.RigidBlock(statements=tuple(ir.AssignStatement(name=name, value=value) for name in names))


@pytest.mark.parametrize("around", [lambda *body: body, *AROUND.values()], ids=["top", *AROUND])
def test_neither_flags_set_at_once_nor_successors_have_an_order(around: Any) -> None:
    module = a_module_of(*around(assigned("__a", "__b")), successors="bc")

    assert do_the_same(module, a_module_of(*around(assigned("__b", "__a")), successors="cb"))
    assert not do_the_same(module, a_module_of(*around(assigned("__a", "__c")), successors="bc"))
    assert not do_the_same(module, a_module_of(*around(assigned("__a", "__b")), successors="bd"))
    assert not do_the_same(module, a_module_of(*around(assigned("__a", "__b", value=1)), successors="bc"))
    assert not do_the_same(
        a_module_of(*around(assigned("a", "__b"))), a_module_of(*around(assigned("__b", "a")))
    )


def test_modules_that_are_the_same_are_told_without_going_through_them() -> None:
    def work(count: int) -> int:
        module, other = (a_module_of(*(assigned("__a") for _ in range(count))) for _ in range(2))
        return calls(lambda: do_the_same(module, other))

    assert work(200) == work(100)


def test_without_a_graph_a_step_put_in_by_hand_stands_between_its_neighbours() -> None:
    compiled = compile_flow(a_flow([an_entry(), *map(a_text, "ab")], ("entry", "a"), ("a", "b")))
    tree = ryaml.loads(compiled.text)
    del tree["core"]["scaiflow_meta"]["graph"]
    tree["core"]["flows"][0]["steps"].insert(1, {"rigid": "new", "meta": {"node_id": "new"}})

    imported = import_manifest(orjson.dumps(tree).decode())

    assert imported.diagnostics == ()
    assert [way[:2] for way in ways(imported.document)] == [("entry", "a"), ("a", "new"), ("new", "b")]


def test_a_bundle_without_a_graph_is_told_by_its_blocks() -> None:
    document = json.loads((EXAMPLES[0].parent / "every-kind.flow.json").read_text())
    module = compile_flow(document).module
    plain = ryaml.loads(str(compile_flow(document).body))
    del plain["core"]["scaiflow_meta"]["graph"]
    imported = import_manifest(write_bundle(read_values(plain)))

    assert imported.diagnostics == ()
    assert errors(imported.document) == []
    assert sorted(ways(imported.document), key=str) == sorted(ways(document), key=str)
    kinds = {node["id"]: node["type"] for node in imported.document["nodes"]}
    expected = {node["id"]: node["type"] for node in document["nodes"]}
    # One block is all that is left of both, and `checkpoint` is the plain one.
    expected["node_hitl_decision"] = "checkpoint"
    assert kinds == expected
    assert [flow.body for flow in compile_flow(imported.document).module.flows] == [
        flow.body for flow in module.flows
    ]


DOCUMENTED = """
core:
  name: customer-support-agent
  mode: stateless
  runtime_version: "0.2"
  identity:
    provider: scaikey
    persona: "Customer Support Agent"
  model: scaigrid/openai/gpt-4o
  plugins:
    - alias: scaidrive
      endpoint: plugin://scaidrive
  capabilities:
    - bunker:
        lifecycle: ephemeral
        image: python-3.12
  scaiqueue:
    scope: support
    queues: [{slug: review, purpose: review}]
  flows:
    - name: customer-support-agent
      trigger: { type: api }
      steps:
        - llm_turn: "Classify the customer intent."
          meta: { node_id: node_classify, node_kind: llm_flexible, node_label: Classify Intent }
        - plugin_call: { alias: scaidrive, method: search, args: { path: /kb, query: "{{ message }}" } }
          meta: { node_id: node_kb, node_kind: tool_plugin }
        - llm_turn: "Generate a response grounded in the retrieved docs."
          guarded: true
          guard: "confidence > 0.7"
          meta: { node_id: node_respond }
        - checkpoint:
            type: hitl_review
            scope: support
            queue: review
            sections: [{ type: decision, options: [approve, reject] }]
          meta: { node_id: node_review }
  scaiflow_meta:
    source_id: flow_abc123
    source_version: 1.0.0
    scaicore_target: "0.2"
    publish_as_model: true
"""


def test_the_documented_manifest_becomes_a_flow() -> None:
    imported = import_manifest(DOCUMENTED)

    document = imported.document
    assert imported.diagnostics == ()
    assert validate_flow(document) == []
    assert {key: document[key] for key in ("id", "name", "version", "scaicore_target")} == {
        "id": "flow_abc123",
        "name": "Customer Support Agent",
        "version": "1.0.0",
        "scaicore_target": "0.2",
    }
    assert document["config"] == {
        "core_identity": {"models": [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]},
        "bunker": {"lifecycle": "ephemeral", "image": "python-3.12"},
        "scaiqueue": {"scope": "support", "queues": [{"slug": "review", "purpose": "review"}]},
        "publish_as_model": True,
    }
    assert [(node["id"], node["type"], node["label"]) for node in document["nodes"]] == [
        ("node_entry", "entry_api", "API Entry"),
        ("node_classify", "llm_flexible", "Classify Intent"),
        ("node_kb", "tool_plugin", "Kb"),
        ("node_respond", "llm_guarded", "Respond"),
        ("node_review", "hitl_review", "Review"),
    ]
    assert ways(document) == [
        ("node_entry", "node_classify", None),
        ("node_classify", "node_kb", None),
        ("node_kb", "node_respond", None),
        ("node_respond", "node_review", None),
    ]


@pytest.mark.parametrize(
    ("stated", "config", "edited"),
    [
        ('llm_turn: "Go."', {"goal": "Go.", "model": "fast", "output_schema": {"x": "int"}}, None),
        ('llm_turn: "Go."', {"goal": "Go.", "llm_role": "fast", "guidance": "g", "note": 1}, None),
        ('llm_turn: "Stay."', {"goal": "Go.", "model": "fast"}, {"goal": "Stay.", "model": "fast"}),
        (
            "plugin_call: { alias: scaidrive, method: search }",
            {"plugin": "scaidrive", "method": "search", "args": {"path": "/"}, "on_error": "continue"},
            None,
        ),
        (
            "checkpoint: { type: hitl_review, scope: support, queue: review }",
            {"queue": "review", "sections": [{"type": "decision", "options": ["a"]}], "timeout": "1h"},
            None,
        ),
        ('llm_turn: "Go."', {"goal": "Go.", "on_failure": "hope"}, None),
    ],
)
def test_what_a_documented_step_leaves_out_its_meta_says(stated: str, config: Any, edited: Any) -> None:
    text = f"""
core:
  name: agent
  model: scaigrid/openai/gpt-4o
  scaiqueue: {{ scope: support, queues: [] }}
  flows:
    - name: agent
      trigger: {{ type: api }}
      steps:
        - {stated}
          meta: {{ node_id: n, node_config: {orjson.dumps(config).decode()} }}
"""
    imported = import_manifest(text)

    assert imported.document["nodes"][1]["config"] == (edited or config)
    assert [item.code for item in imported.diagnostics] == (["SF601"] if edited else [])


EVERY_FORM = """
core:
  name: every-form
  model: scaigrid/openai/gpt-4o
  flows:
    - name: every-form
      trigger: { type: webhook, path: /hook }
      additional_triggers: [{ type: schedule, cron: "0 2 * * *" }]
      params: { orders: "array<object>" }
      steps:
        - set: [{ variable: output, value: none }]
          meta: { node_id: start }
        - foreach:
            items: orders
            as: order
            steps:
              - llm_turn: "Look at {{ order }}."
                result_binding: seen
                meta: { node_id: look }
              - match:
                  arms:
                    - { when: "order.total > 100", steps: [] }
                    - when: "order.total > 10"
                      steps: [{ rigid: small, on_error: continue, meta: { node_id: small } }]
                meta: { node_id: big }
          meta: { node_id: each }
        - while: { condition: "look == null", max_iterations: 3, steps: [{ rigid: x, meta: { node_id: wait } }] }
          meta: { node_id: again }
        - parallel:
            branches:
              - steps: [{ core_call: { target: "core://acme/echo" }, meta: { node_id: ask } }]
              - steps: [{ rigid: there, meta: { node_id: tell } }]
          meta: { node_id: both }
        - match:
            subject: "input.kind"
            arms:
              - { when: "'a'", steps: [{ rigid: a, meta: { node_id: a } }] }
              - { when: "'b'", edge: to_c, steps: [] }
            else:
              - plugin_call: { alias: http, method: request, args: { url: "https://acme.example/" } }
                meta: { node_id: call }
          meta: { node_id: which }
        - checkpoint: { type: approval, options: ["yes", "no"] }
          data_bindings: { note: start }
          meta: { node_id: c }
        - checkpoint: { type: debug_breakpoint }
          source: d
        - plugin_call: { alias: scaiqueue, method: publish, args: { queue: q, message_type: m, payload: 1 } }
          meta: { node_id: d }
"""


def test_every_form_of_step_becomes_a_node_with_its_edges() -> None:
    imported = import_manifest(EVERY_FORM)

    document = imported.document
    assert imported.diagnostics == ()
    assert errors(document) == []
    nodes = {node["id"]: node for node in document["nodes"]}
    assert {node_id: node["type"] for node_id, node in nodes.items()} == {
        "node_entry": "entry_webhook",
        "node_entry-2": "entry_schedule",
        "start": "data_variable_set",
        "each": "logic_loop",
        "look": "llm_flexible",
        "big": "logic_decision",
        "small": "llm_rigid",
        "again": "logic_loop",
        "wait": "llm_rigid",
        "both": "logic_parallel",
        "ask": "subflow_call",
        "tell": "llm_rigid",
        "which": "logic_decision",
        "a": "llm_rigid",
        "call": "tool_http",
        "c": "checkpoint",
        "d": "queue_publish",
        "node_done": "logic_decision",
    }
    assert [way for way in ways(document) if way[0] == "which"] == [
        ("which", "a", "'a'"),
        ("which", "c", "'b'"),
        ("which", "call", None),
    ]
    assert set(ways(document)) == {
        ("node_entry", "start", None),
        ("node_entry-2", "start", None),
        ("start", "each", None),
        ("each", "look", None),
        ("look", "big", None),
        ("big", "node_done", "order.total > 100"),
        ("big", "small", "order.total > 10"),
        ("each", "again", None),
        ("again", "wait", None),
        ("again", "both", None),
        ("both", "ask", None),
        ("both", "tell", None),
        ("ask", "which", None),
        ("tell", "which", None),
        ("which", "a", "'a'"),
        ("which", "c", "'b'"),
        ("which", "call", None),
        ("a", "c", None),
        ("call", "c", None),
        ("c", "d", None),
    }
    ports = {
        edge["source"]["port"] for edge in document["edges"] if edge["target"]["node"] in ("look", "wait")
    }
    assert ports == {"body"}
    assert next(edge["id"] for edge in document["edges"] if edge.get("condition") == "'b'") == "to_c"
    assert nodes["look"]["config"] == {
        "goal": "Look at {{ order }}.",
        "llm_role": "primary",
        "result_binding": "seen",
    }
    assert nodes["small"]["config"] == {"template": "small", "on_error": "continue"}
    assert nodes["which"]["config"] == {"style": "match", "subject": "input.kind"}
    assert nodes["d"]["config"]["breakpoint"] is True
    assert nodes["node_entry-2"]["config"] == {
        "cron": "0 2 * * *",
        "input_schema": {"orders": "array<object>"},
    }
    assert [
        (edge["source"]["node"], edge["target"]) for edge in document["edges"] if edge["type"] == "data"
    ] == [("start", {"node": "c", "port": "note"})]


def test_all_forms_that_the_reader_knows_are_known_here() -> None:
    assert set(FORMS) == set(steps.FORMS)


BARE = """
core:
  name: {name}
  flows:
    - name: f
      trigger: {{ type: api{trigger} }}
      steps:
        - rigid: a
          meta: {{ node_id: {first} }}
        - rigid: b
          meta: {{ node_id: {second} }}
"""


def test_ids_are_made_valid_and_stay_distinct() -> None:
    text = BARE.format(name="Bot", trigger="", first='"my node"', second='"my.node"')

    document = import_manifest(text).document

    assert [node["id"] for node in document["nodes"]] == ["node_entry", "my_node", "my_node-2"]
    assert ways(document) == [("node_entry", "my_node", None), ("my_node", "my_node-2", None)]


def test_an_entry_without_a_name_leaves_a_step_its_own() -> None:
    text = BARE.format(name="Bot", trigger="", first="node_entry", second="b")

    document = import_manifest(text).document

    assert [(node["id"], node["type"]) for node in document["nodes"]] == [
        ("node_entry-2", "entry_api"),
        ("node_entry", "llm_rigid"),
        ("b", "llm_rigid"),
    ]


@pytest.mark.parametrize(
    ("name", "flow_id"),
    [("My Bot", "flow_my-bot"), ("机器人", "flow_imported"), ("x" * 200, "flow_" + "x" * 123)],
)
def test_a_flow_without_a_source_has_an_id_made_of_its_name(name: str, flow_id: str) -> None:
    document = import_manifest(BARE.format(name=name, trigger="", first="a", second="b")).document

    assert (document["id"], document["name"], document["version"]) == (flow_id, name, "1.0.0")


def test_conditions_of_a_match_by_hand_become_those_of_the_edges_before_it() -> None:
    text = """
core:
  name: x
  flows:
    - name: f
      trigger: { type: api }
      steps:
        - { rigid: a, meta: { node_id: a } }
        - match:
            arms: [{ when: hot, steps: [{ rigid: b, meta: { node_id: b } }] }]
        - { rigid: c, meta: { node_id: c } }
"""
    imported = import_manifest(text)

    assert codes(imported) == ["SF603"]
    assert imported.document["metadata"]["unknown_steps"] == [
        {"match": {"arms": [{"when": "hot", "steps": [{"rigid": "b", "meta": {"node_id": "b"}}]}]}}
    ]
    assert set(ways(imported.document)) == {
        ("node_entry", "a", None),
        ("a", "b", "hot"),
        ("a", "c", None),
        ("b", "c", None),
    }


def test_steps_of_unknown_forms_are_kept_as_they_stand() -> None:
    text = """
core:
  name: x
  flows:
    - name: f
      trigger: { type: api }
      steps:
        - { shell: ls, meta: { node_id: s } }
        - foreach: { items: "[1]", steps: [{ rigid: a, meta: { node_id: a } }] }
        - { rigid: b, llm_turn: c, meta: { node_id: both } }
        - { rigid: b, meta: { node_id: b } }
"""
    imported = import_manifest(text)

    assert [(item.code, item.path) for item in imported.diagnostics] == [
        ("SF603", f"metadata.unknown_steps[{place}]") for place in range(3)
    ]
    assert "core.flows[0].steps[1]: it has no meta" in imported.diagnostics[1].message
    assert [bool(item.fix) for item in imported.diagnostics] == [False, True, False]
    assert imported.document["metadata"]["unknown_steps"] == [
        {"shell": "ls", "meta": {"node_id": "s"}},
        {"foreach": {"items": "[1]", "steps": [{"rigid": "a", "meta": {"node_id": "a"}}]}},
        {"rigid": "b", "llm_turn": "c", "meta": {"node_id": "both"}},
    ]
    assert [node["id"] for node in imported.document["nodes"]] == ["node_entry", "b"]


def test_a_flow_whose_arms_need_flags_comes_back_without_its_graph() -> None:
    document = a_flow(
        [
            an_entry(),
            a_decision("d"),
            a_text("a"),
            a_text("b"),
            a_text("c"),
            a_node("e", "llm_rigid", config={"template": "e"}),
        ],
        ("entry", "d"),
        ("d", "a", "c0"),
        ("d", "b", "c1"),
        ("a", "c", "c2"),
        ("b", "c"),
        ("a", "e"),
        ("c", "e", "c3"),
    )

    imported = import_manifest(without_graph(compile_flow(document)))

    assert sorted(ways(imported.document), key=str) == sorted(ways(document), key=str)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_is_found_in_its_example(rule: Any) -> None:
    assert codes(import_manifest(rule.example)) == [rule.code]
