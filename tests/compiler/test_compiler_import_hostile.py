"""Whatever it is given, an import answers a flow document or refuses with a sentence."""

import copy
import json
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import orjson
import ormsgpack
import pytest
import ryaml
from compiler.compiler_documents import a_node
from compiler.compiler_random_flows import flows
from compiler.compiler_work import calls
from compiler_mutations import at, ways
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import (
    CompileError,
    ManifestError,
    compile_flow,
    import_manifest,
    ir,
    validate_flow,
)
from scaiflow_api.compiler.bundle.framing import HEADER
from scaiflow_api.compiler.diagnostics import Sink
from scaiflow_api.compiler.importing import source as importing_source
from scaiflow_api.compiler.importing.drawing import Drawing
from scaiflow_api.compiler.importing.foreign import take_foreign_steps
from scaiflow_api.compiler.importing.rearranging import Rearranging
from scaiflow_api.compiler.importing.triggers import Start
from scaiflow_api.compiler.importing.ways import Walk
from scaiflow_api.flowgraph import DEFAULT_LIMITS, FlowDocument, FlowTooLarge, Limits, parse_document

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
DOCUMENTS = [json.loads(path.read_text()) for path in EXAMPLES]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3, 2.5, 1e300, 2**60, "", "text", "\0", "{{ x }}", "{{", "a b!"),
    *([], ["a"], {}, {"a": 1}, [{}], [[]], [None], {"node_id": "zz"}),
    *("continue", "logic_loop", "entry_api", "__run_x", "input", "node_a"),
]
KEYS = ("meta", "source", "steps", "on_error", "args", "node_id", "x", "plugins", "models", "capabilities")
SLOW = [HealthCheck.too_slow]

START = """
core:
  name: x
  flows:
    - name: f
      trigger: { type: api }
      steps:
"""


def damage(tree: Any, rng: Random) -> None:
    """Delete, replace, move, double or add something, anywhere."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        found = ways(tree)
        if not found:
            return
        way = rng.choice(found)
        parent, value = at(tree, way[:-1]), copy.deepcopy(rng.choice(VALUES))
        match rng.choice(["delete", "replace", "replace", "move", "double", "add"]):
            case "delete":
                del parent[way[-1]]
            case "replace":
                parent[way[-1]] = value
            case "move":
                parent[way[-1]] = copy.deepcopy(at(tree, rng.choice(found)))
            case "double" if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[way[-1]]))
            case "add" if isinstance(parent, dict):
                parent[rng.choice(KEYS)] = value


def assert_imported_or_refused(source: str | bytes) -> None:
    """A flow that is imported is a fixed point of compiling and importing."""
    try:
        document = import_manifest(source).document
        assert isinstance(parse_document(document), FlowDocument)
        assert import_manifest(compile_flow(document).body).document == document
    except (ManifestError, FlowTooLarge, CompileError) as refused:
        sentence = str(refused)
    else:
        sentence = "."
    assert sentence


@settings(deadline=None, max_examples=400, suppress_health_check=SLOW)
@given(
    st.sampled_from(DOCUMENTS) | flows(10), st.sampled_from(["graph", "steps", "bare"]), st.integers(0, 2**32)
)
def test_a_damaged_manifest_is_imported_or_refused(document: Any, kept: str, seed: int) -> None:
    tree = ryaml.loads(str(compile_flow(document).body))
    if kept != "graph":
        del tree["core"]["scaiflow_meta"]["graph"]
    if kept == "bare":
        del tree["core"]["scaiflow_meta"]
    damage(tree, Random(seed))

    assert_imported_or_refused(orjson.dumps(tree).decode())


@settings(deadline=None, max_examples=200, suppress_health_check=SLOW)
@given(st.sampled_from(DOCUMENTS) | flows(10), st.booleans(), st.integers(0, 2**32))
def test_a_damaged_bundle_is_imported_or_refused(document: Any, has_graph: bool, seed: int) -> None:
    tree = ormsgpack.unpackb(bytes(compile_flow(document, "ir").body)[len(HEADER) :])
    if not has_graph:
        tree["metadata"]["graph"] = None
    damage(tree, Random(seed))

    assert_imported_or_refused(HEADER + ormsgpack.packb(tree))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (b"\xff\xfe", "The manifest is neither UTF-8 text nor a SCIR bundle."),
        (b"SCIR", "The bundle ends within its header of 8 bytes."),
        (HEADER + b"\x81", "The bundle is cut short."),
        ("", "The manifest must be a mapping."),
        ("core: [1]", "core must be a mapping."),
        ("core: {name: x, name: y}", None),
        ("core: !!python/object:os.system {}", "The manifest has a tag, which is not allowed."),
        ("a: &a [x]\nb: [" + "*a, " * 101 + "]", "The manifest has more than 100 aliases."),
        ("[" * 121 + "]" * 121, "The manifest is nested more than 120 levels deep."),
        (START + "        - rigid: .nan\n          meta: {node_id: a}\n", None),
        (START + '        - rigid: "\\0"\n          meta: {node_id: a}\n', None),
        (
            START.replace("type: api", "type: api, node_id: a")
            + "        - {rigid: a, meta: {node_id: a}}\n",
            "The node_id 'a' occurs twice among triggers and steps.",
        ),
        (
            START + "        - {rigid: a, meta: {node_id: a}}\n  scaiqueue: {queues: [{}]}\n",
            "The manifest does not make a flow: slug is required (config.scaiqueue.queues[0].slug).",
        ),
    ],
    ids=range(13),
)
def test_what_makes_no_flow_is_refused_with_a_sentence(source: str | bytes, sentence: str | None) -> None:
    with pytest.raises(ManifestError) as refused:
        import_manifest(source)

    assert refused.value.message.endswith(".")
    assert sentence in (None, refused.value.message)


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    with pytest.raises(ManifestError):
        import_manifest("\n".join(lines))


def test_an_anchored_step_counts_once() -> None:
    text = START + "        - &step {rigid: a, meta: {node_id: a}}\n        - *step\n"

    with pytest.raises(ManifestError, match="another step has the node_id 'a' already"):
        import_manifest(text)


def flags(arms: int, names: int) -> str:
    whens = ", ".join(f"{{when: x{n}, steps: [{{rigid: a, meta: {{node_id: m{n}}}}}]}}" for n in range(arms))
    steps = f"        - match: {{arms: [{whens}]}}\n          meta: {{node_id: d}}\n"
    return (
        START + steps + "".join(f"        - set: [{{variable: __r{n}, value: true}}]\n" for n in range(names))
    )


def nested(levels: int) -> str:
    step = "{rigid: a, meta: {node_id: a}}"
    for level in range(levels):
        step = f"{{foreach: {{items: x, steps: [{step}]}}, meta: {{node_id: m{level}}}}}"
    return f"{START}        - {step}\n"


@pytest.mark.parametrize(
    "source",
    [
        START + "".join(f"        - {{rigid: a, meta: {{node_id: n{n}}}}}\n" for n in range(5001)),
        flags(500, 500),
        START
        + "".join(
            f"        - match: {{arms: [{{when: x, steps: [{{rigid: a, meta: {{node_id: m{n}}}}}]}}]}}\n"
            for n in range(400)
        ),
    ],
    ids=["nodes", "flags", "matches"],
)
def test_what_would_be_too_large_a_flow_is_refused(source: str) -> None:
    with pytest.raises(FlowTooLarge):
        import_manifest(source)


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        (START + "        []\n      additional_triggers:\n" + "        - {type: api}\n" * 5_000, "nodes"),
        (START + "        - {x: 1}\n" * 5_001, "steps without a node"),
        (START + "        - match: {arms: []}\n" * 5_001, "steps without a node"),
    ],
    ids=["triggers", "steps", "matches"],
)
def test_a_crowd_is_refused_before_it_is_read(
    source: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing_source, "read_values", unreachable)

    with pytest.raises(FlowTooLarge, match=f"its limit of {limit} is 5000,"):
        import_manifest(source)


def unreachable(*given: object) -> None:
    raise AssertionError("comes too late")


def test_the_limits_of_the_caller_hold() -> None:
    source = str(compile_flow(DOCUMENTS[0]).body)

    with pytest.raises(FlowTooLarge):
        import_manifest(source, limits=Limits(max_nodes=3))


def test_deep_nesting_is_imported() -> None:
    document = import_manifest(nested(25)).document

    assert len(document["nodes"]) == 27
    assert {item.code for item in validate_flow(document) if item.severity == "error"} == {"SF132"}


def test_twice_the_flows_are_about_twice_the_work() -> None:
    def flows(count: int) -> str:
        one = "\n    - name: f{}\n      trigger: {{ type: api }}\n      steps: []"
        return "core:\n  name: x\n  flows:" + "".join(one.format(number) for number in range(count))

    few, many = (calls(lambda: import_manifest(flows(count))) for count in (200, 400))  # noqa: B023

    assert many < 2.2 * few
    with pytest.raises(FlowTooLarge):
        import_manifest(flows(5_001))


def test_what_stands_in_steps_without_a_node_is_copied_once_however_deep() -> None:
    def work(depth: int) -> int:
        steps: list[Any] = [{"rigid": "x", "meta": {"node_id": "a"}, "more": [[] for _ in range(10_000)]}]
        for _ in range(depth):
            steps = [{"match": {"arms": [{"when": "x", "steps": steps}]}}]
        return calls(lambda: take_foreign_steps([{"steps": steps}], 100))

    assert work(20) < 1.5 * work(2)


def test_triggers_are_not_held_against_entries_of_other_kinds() -> None:
    class Kind(str):
        times: ClassVar[int] = 0

        def __eq__(self, other: object) -> bool:
            Kind.times += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    entries = [
        {**a_node(f"e{number}", "entry_webhook"), "type": Kind("entry_webhook")} for number in range(20)
    ]
    trigger = ir.Trigger(kind="api", name="t", target_flow="f", node_id=None)
    rearranging = Rearranging(Drawing(entries), [], Walk(DEFAULT_LIMITS, {}), Sink())

    rearranging.match_entries([Start(f"t{number}", trigger) for number in range(20)])

    assert Kind.times < 5 * 20
