"""Manifests as a runtime reads them: written by hand, broken, hostile."""

from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest
import ryaml
from compiler_documents import a_decision, a_flow, a_node, a_text, an_entry
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scaiflow_api.compiler import ManifestError, compile_flow, ir, read_manifest
from scaiflow_api.compiler.manifest.steps import FORMS
from scaiflow_api.compiler.manifest.writer import emit_yaml
from scaiflow_api.flowgraph import FlowTooLarge

BY_HAND = """
core:
  name: greeter
  mode: stateless
  model: scaigrid/openai/gpt-4o
  colour: green
  flows:
    - name: greeter
      trigger: { type: api }
      steps:
        - llm_turn: "Greet {{ name }}."
          temperature: hot
          meta: { node_id: node_greet }
        - match:
            arms:
              - when: true
                steps:
                  - rigid: "Bye."
                    meta: { node_id: node_bye }
"""


TWICE = """
core:
  name: x
  flows:
    - name: f
      trigger: { type: api }
      steps:
        - &step { rigid: a, meta: { node_id: n } }
        - *step
"""


def a_manifest() -> str:
    document = a_flow(
        [
            an_entry(),
            a_decision("d"),
            a_text("a"),
            a_node("b", "llm_guarded", config={"goal": "Go."}),
            a_text("c"),
        ],
        ("entry", "d"),
        ("d", "a", "x"),
        ("d", "b"),
        ("a", "c", "y"),
        ("b", "c"),
    )
    return str(compile_flow(document).body)


def test_a_manifest_written_by_hand_can_be_run() -> None:
    module = read_manifest(BY_HAND)

    turn, match = module.flows[0].body
    assert isinstance(turn, ir.FlexibleBlock)
    assert (turn.node_id, turn.goal, turn.llm_role) == ("node_greet", "Greet {{ name }}.", "primary")
    assert isinstance(match, ir.MatchBlock)
    assert match.arms[0].condition == "true"
    assert module.models == ({"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"},)
    assert module.triggers == (ir.Trigger(kind="api", name="greeter", target_flow="greeter", node_id=None),)


def test_the_first_model_is_the_one_that_core_names() -> None:
    registry = (
        "{models: [{role: main, ref: scaigrid, model: a, temperature: 1}, {role: b, ref: r, model: m}]}"
    )
    text = BY_HAND + f"  scaiflow_meta: {registry}\n"

    assert [model["model"] for model in read_manifest(text).models] == ["openai/gpt-4o", "m"]
    assert read_manifest(text).models[0]["role"] == "main"
    assert [model["model"] for model in read_manifest(text.replace("  model: ", "  was: ")).models] == [
        "a",
        "m",
    ]


def test_without_outputs_the_last_step_that_ran_is_the_answer() -> None:
    outputs = read_manifest(BY_HAND).flows[0].outputs

    assert [candidate.node_id for candidate in outputs] == ["node_bye", "node_greet"]


def test_of_steps_that_are_no_nodes_those_with_a_binding_may_be_the_answer() -> None:
    text = BY_HAND.replace(
        "meta: { node_id: node_bye }", "result_binding: bye\n                    on_error: continue"
    )

    outputs = read_manifest(text).flows[0].outputs

    assert [candidate.node_id for candidate in outputs] == ["bye", "node_greet"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The manifest must be a mapping."),
        ("- a", "The manifest must be a mapping."),
        ("{}", "The manifest has no 'core'."),
        ("core: 3", "core must be a mapping."),
        ("core: {name: x}", "core.flows must have at least one flow."),
        ("core: {flows: [{name: f, trigger: {type: api}}]}", "core.name is missing."),
        ("core: {name: x, flows: [{name: f}]}", "core.flows[0].trigger must be a mapping."),
        (
            "core: {name: x, flows: [{name: f, trigger: {type: message}}]}",
            "core.flows[0].trigger.type must be one of api, webhook, schedule.",
        ),
        (
            "core: {name: x, flows: [{name: f, trigger: {type: api}, steps: [{shell: rm}]}]}",
            f"core.flows[0].steps[0] must have exactly one of the keys {', '.join(FORMS)}.",
        ),
        (
            "core: {name: x, flows: [{name: f, trigger: {type: api}, steps: [{set: []}]}]}",
            "core.flows[0].steps[0].set must have at least one entry.",
        ),
        (
            "core: {name: x, flows: [{name: f, trigger: {type: api}, steps: [{match: {arms: [{steps: []}]}}]}]}",
            "core.flows[0].steps[0].match.arms[0].when must be an expression.",
        ),
        ("core: {name: x, model: gpt, flows: []}", "core.model must be written as provider/model."),
        (
            "core: {name: x, mode: turbo, flows: [{name: f, trigger: {type: api}}]}",
            "core.mode must be one of stateless, entity, singleton.",
        ),
        (
            "core: {name: x, flows: [{name: f, trigger: {type: api}}, {name: f, trigger: {type: api}}]}",
            "core.flows[1]: another flow has the name 'f' already.",
        ),
        (
            TWICE,
            "core.flows[0].steps[1].meta: another step has the node_id 'n' already.",
        ),
        ("core: !!python/object:os.system {}", "The manifest has a tag, which is not allowed."),
        ("1: 2", "The manifest has a key that is not text: 1."),
        ("core: {<<: {a: 1}}", "The manifest has a merge key, which is not allowed."),
        ("a: &a [x]\nb: [" + "*a, " * 101 + "]", "The manifest has more than 100 aliases."),
        ("[" * 121 + "]" * 121, "The manifest is nested more than 120 levels deep."),
        ("#" + "x" * 21_000_000, "The manifest is larger than 20,971,520 bytes."),
        ("[" + "[]," * 1_000_000 + "1]", "The manifest has more than 1,000,000 lists and mappings."),
        ("- - - x\n" * 400_000, "The manifest has more than 1,000,000 lists and mappings."),
        ("k: 1\n" * 850_001, "The manifest has more than 850,000 entries of mappings."),
    ],
    ids=range(24),
)
def test_a_malformed_manifest_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ManifestError) as refused:
        read_manifest(text)

    assert refused.value.message == sentence


@pytest.mark.parametrize(
    "text",
    ["core: [", "a: 1\na: 2", "a: 1\n---\nb: 2", "\0", "a: \ud800", "@", "? [a]\n: b", "a: 1e", "\t- a"],
)
def test_what_is_no_yaml_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ManifestError) as refused:
        read_manifest(text)

    assert refused.value.message.endswith(".")


def test_a_flow_whose_manifest_nobody_would_read_is_refused() -> None:
    flow = a_flow([an_entry(), a_node("node_call", "tool_plugin", config={"plugin": "p", "method": "m"})])
    flow["nodes"][1]["config"]["args"] = {"many": [[]] * 600_000}

    with pytest.raises(FlowTooLarge):
        compile_flow(flow)


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    with pytest.raises(ManifestError):
        read_manifest("\n".join(lines))


def assert_read_or_refused(text: str) -> None:
    sentence = "."
    try:
        assert read_manifest(text).flows
    except ManifestError as refused:
        sentence = refused.message
    assert sentence.endswith(".")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32))
def test_a_damaged_manifest_is_read_or_refused_and_nothing_else(seed: int) -> None:
    rng = Random(seed)
    lines = MANIFEST.split("\n")
    for _ in range(rng.choice([1, 1, 2, 3])):
        place = rng.randrange(len(lines))
        match rng.choice(["drop", "double", "value", "indent", "character"]):
            case "drop":
                del lines[place]
            case "double":
                lines.insert(place, lines[rng.randrange(len(lines))])
            case "value":
                lines[place] = lines[place].split(":")[0] + ": " + rng.choice(VALUES)
            case "indent":
                lines[place] = "  " + lines[place]
            case "character":
                at = rng.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:at] + rng.choice("{}[]:-'\"#&*!\t \\é") + lines[place][at:]
    assert_read_or_refused("\n".join(lines))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_values_of_other_types_are_refused_with_a_sentence(seed: int) -> None:
    rng = Random(seed)
    manifest = orjson.loads(orjson.dumps(DOCUMENT))
    parent: Any = manifest
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = rng.choice(keys)
        if not isinstance(parent[key], dict | list) or not parent[key] or rng.random() < 0.15:
            break
        parent = parent[key]
    parent[key] = rng.choice([None, True, 3, 2.5, "text", [], ["a"], {}, {"a": 1}, [{}], [[]], [None]])
    assert_read_or_refused(orjson.dumps(manifest).decode())


MANIFEST = a_manifest()
VALUES = ["3", "true", "[]", "{}", "null", "text", "[1, 2]", "{a: b}", "&x y", "*x", "!t z", "|", '"']
DOCUMENT = ryaml.loads(MANIFEST)


class Triggers(tuple[ir.Trigger, ...]):
    """Count how often somebody goes through them."""

    rounds = 0

    def __iter__(self) -> Iterator[ir.Trigger]:
        self.rounds += 1
        return super().__iter__()


def test_many_flows_are_written_without_going_through_all_triggers_for_each() -> None:
    module = compile_flow(a_flow([an_entry(), a_text("say")], ("entry", "say"))).module
    (flow,), (trigger,) = module.flows, module.triggers
    names = [f"flow_{number}" for number in range(50)]
    triggers = Triggers(
        replace(trigger, name=f"{kind}_{name}", target_flow=name)
        for kind in ("first", "other")
        for name in names
    )
    many = replace(
        module,
        flows=tuple(replace(flow, name=name, body=(), outputs=()) for name in names),
        triggers=triggers,
    )

    read = read_manifest(emit_yaml(many))

    assert triggers.rounds == 1
    assert [(trigger.name, trigger.target_flow) for trigger in read.triggers] == [
        (f"{kind}_{name}", name) for name in names for kind in ("first", "other")
    ]
