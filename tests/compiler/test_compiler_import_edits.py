"""What was edited by hand in a manifest wins over the flow that the manifest carries."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any, ClassVar
from unittest.mock import MagicMock

import orjson
import pytest
import ryaml
from compiler.compiler_documents import a_decision, a_flow, a_node, a_text, an_entry
from compiler.compiler_random_flows import flows
from compiler.compiler_work import calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scaiflow_api.compiler import Imported, ManifestError, compile_flow, import_manifest, ir
from scaiflow_api.compiler.bundle.framing import write_bundle
from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.importing import from_graph, told
from scaiflow_api.compiler.importing.exits import Exit
from scaiflow_api.compiler.importing.rearranging import Spares
from scaiflow_api.compiler.importing.told import followers_of, is_outdated, lowered, outline_due, outline_of
from scaiflow_api.compiler.lowering.lower import lower
from scaiflow_api.flowgraph import DEFAULT_LIMITS, FlowGraph, FlowTooLarge, parse

JSON = dict[str, Any]
Edit = Callable[[JSON], object]


def a_document() -> JSON:
    """Return entry → a → d, whose ways b, c and l (the fall-through) join in z."""
    return a_flow(
        [
            an_entry(input_schema={"x": "bool"}),
            a_text("a"),
            a_decision("d"),
            a_text("b"),
            a_text("c"),
            a_node("l", "llm_flexible", config={"goal": "Go.", "note": 1}),
            a_text("z"),
        ],
        ("entry", "a"),
        ("a", "d"),
        ("d", "b", "x"),
        ("d", "c", "!x"),
        ("d", "l"),
        ("b", "z"),
        ("c", "z"),
        ("l", "z"),
        name="My Flow",
    )


def imported_after(edit: Edit, document: JSON | None = None) -> Imported:
    """Import the manifest of a document, edited; the result is a fixed point of compiling and importing."""
    tree = ryaml.loads(str(compile_flow(document or a_document()).body))
    edit(tree["core"])
    imported = import_manifest(orjson.dumps(tree).decode())
    assert import_manifest(compile_flow(imported.document).body).document == imported.document
    return imported


def steps_of(core: JSON) -> list[JSON]:
    steps: list[JSON] = core["flows"][0]["steps"]
    return steps


def match_of(core: JSON) -> JSON:
    found: JSON = steps_of(core)[1]["match"]
    return found


def a_new_step(node_id: str = "n") -> JSON:
    return {"rigid": "new", "meta": {"node_id": node_id}}


def node_of(imported: Imported, node_id: str) -> JSON:
    return next(node for node in imported.document["nodes"] if node["id"] == node_id)


def edges(document: JSON) -> set[tuple[str, str, str, str | None]]:
    return {
        (edge["id"], edge["source"]["node"], edge["target"]["node"], edge.get("condition"))
        for edge in document["edges"]
    }


def changes(imported: Imported) -> tuple[set[tuple[str, str, str, str | None]], set[str]]:
    """Return the edges that were added or changed, and the ids of those that are gone."""
    before, after = edges(a_document()), edges(imported.document)
    ids = {edge[0] for edge in after}
    return after - before, {edge[0] for edge in before if edge[0] not in ids}


def codes(imported: Imported) -> list[str]:
    return [item.code for item in imported.diagnostics]


def put(place: Callable[[JSON], JSON], **values: Any) -> Edit:
    return lambda core: place(core).update(values)


@pytest.mark.parametrize(
    ("edit", "node_id", "keys", "config"),
    [
        (lambda core: steps_of(core)[0].update(rigid="y"), "a", "template", {"template": "y"}),
        (
            lambda core: steps_of(core)[0].update(on_error="continue", result_binding="r"),
            "a",
            "result_binding, on_error",
            {"template": "x", "on_error": "continue", "result_binding": "r"},
        ),
        (
            lambda core: steps_of(core).insert(
                0, {"checkpoint": {"type": "debug_breakpoint"}, "source": "a"}
            ),
            "a",
            "breakpoint",
            {"template": "x", "breakpoint": True},
        ),
        (
            lambda core: match_of(core)["else"][0].update(llm_turn="Stop.", llm_role="fast"),
            "l",
            "goal, llm_role",
            {"goal": "Stop.", "llm_role": "fast", "note": 1},
        ),
        (
            lambda core: match_of(core)["else"][0].update(guarded=True, guard="x"),
            "l",
            "node_kind, guard",
            {"goal": "Go.", "guard": "x", "note": 1},
        ),
        (
            lambda core: match_of(core).update(subject="x"),
            "d",
            "style, subject",
            {"style": "match", "subject": "x"},
        ),
        (
            lambda core: core["flows"][0]["trigger"].update(path="/new"),
            "entry",
            "path",
            {"path": "/new", "input_schema": {"x": "bool"}},
        ),
        (
            lambda core: core["flows"][0].update(params={"x": "bool", "y": "int"}),
            "entry",
            "input_schema",
            {"input_schema": {"x": "bool", "y": "int"}},
        ),
    ],
    ids=["template", "shared", "breakpoint", "goal", "guarded", "subject", "path", "params"],
)
def test_an_edited_step_becomes_an_edited_configuration(
    edit: Edit, node_id: str, keys: str, config: JSON
) -> None:
    imported = imported_after(edit)

    (finding,) = imported.diagnostics
    assert (finding.severity, finding.code, finding.node_id) == ("warning", "SF601", node_id)
    assert f"about {keys} than" in finding.message
    assert node_of(imported, node_id)["config"] == config
    assert edges(imported.document) == edges(a_document())


def test_what_was_said_in_another_way_is_said_anew() -> None:
    document = a_flow(
        [
            an_entry(),
            a_node(
                "s", "data_variable_set", config={"assignments": [{"variable": "v", "value": 1}], "my": 2}
            ),
        ],
        ("entry", "s"),
        variables=[{"name": "v", "type": "int"}],
    )

    imported = imported_after(lambda core: steps_of(core)[0]["set"][0].update(value=True), document)

    assert node_of(imported, "s")["config"] == {"my": 2, "variable": "v", "value": True}


def test_a_step_that_leaves_a_default_out_was_not_edited() -> None:
    document = a_flow(
        [an_entry(), a_node("h", "tool_http", config={"url": "https://acme.example", "timeout": "30s"})],
        ("entry", "h"),
    )

    imported = imported_after(lambda core: steps_of(core)[0]["plugin_call"]["args"].pop("timeout"), document)

    assert (imported.document, imported.diagnostics) == (document, ())


@pytest.mark.parametrize(
    ("edit", "keys", "at", "value"),
    [
        (put(lambda core: core, name="other"), "name", ("name",), "other"),
        (put(lambda core: core["identity"], persona="Other One"), "identity.persona", ("name",), "Other One"),
        (put(lambda core: core, runtime_version="0.3"), "runtime_version", ("scaicore_target",), "0.3"),
        (
            put(lambda core: core, model="openai/gpt-5"),
            "model",
            ("config", "core_identity", "models", 0),
            {"role": "primary", "ref": "openai", "model": "gpt-5"},
        ),
        (
            lambda core: core["scaiflow_meta"]["models"].pop(),
            "scaiflow_meta.models",
            ("config", "core_identity", "models"),
            [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}],
        ),
        (
            put(lambda core: core, plugins=[{"alias": "q", "endpoint": "plugin://z"}]),
            "plugins",
            ("config", "plugins"),
            [{"alias": "q", "endpoint": "plugin://z"}],
        ),
        (
            put(lambda core: core, capabilities=[{"bunker": {"image": "i", "lifecycle": "session"}}]),
            "capabilities",
            ("config", "bunker"),
            {"image": "i", "lifecycle": "session"},
        ),
        (put(lambda core: core, capabilities=["web"]), "capabilities", ("config", "capabilities"), ["web"]),
        (
            put(lambda core: core, scaiqueue={"scope": "s", "queues": []}),
            "scaiqueue",
            ("config", "scaiqueue"),
            {"scope": "s", "queues": []},
        ),
        (
            put(lambda core: core["scaiflow_meta"], publish_as_model=True),
            "scaiflow_meta.publish_as_model",
            ("config", "publish_as_model"),
            True,
        ),
        (
            put(lambda core: core["scaiflow_meta"], model_visibility_group_ids=["g"]),
            "scaiflow_meta.model_visibility_group_ids",
            ("config", "model_visibility_group_ids"),
            ["g"],
        ),
        (
            put(lambda core: core["scaiflow_meta"], variables=[{"name": "v", "type": "int"}]),
            "scaiflow_meta.variables",
            ("variables",),
            [{"name": "v", "type": "int"}],
        ),
        (
            put(lambda core: core["scaiflow_meta"], source_version="2.0.0"),
            "scaiflow_meta.source_version",
            ("version",),
            "2.0.0",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_edited_header_becomes_an_edited_section(
    edit: Edit, keys: str, at: tuple[str | int, ...], value: Any
) -> None:
    imported = imported_after(edit)

    assert codes(imported) == ["SF601"]
    assert f"core: the manifest says otherwise about {keys} than" in imported.diagnostics[0].message
    found: Any = imported.document
    for key in at:
        found = found[key]
    assert found == value
    assert imported.document["nodes"] == a_document()["nodes"]


def test_an_edited_condition_becomes_that_of_the_edge() -> None:
    imported = imported_after(lambda core: match_of(core)["arms"][0].update(when="x == true"))

    assert [(item.code, item.edge_id, item.path) for item in imported.diagnostics] == [
        ("SF601", "edge_3", "edges[2].condition")
    ]
    assert changes(imported) == ({("edge_3", "d", "b", "x == true")}, set())


def test_the_order_of_arms_becomes_that_of_the_edges() -> None:
    imported = imported_after(lambda core: match_of(core)["arms"].reverse())

    assert codes(imported) == ["SF601"]
    assert [edge["id"] for edge in imported.document["edges"]][2:4] == ["edge_4", "edge_3"]


@pytest.mark.parametrize(
    ("edit", "gone", "added", "cut"),
    [
        (lambda core: steps_of(core).pop(), ["z"], set(), {"edge_6", "edge_7", "edge_8"}),
        (lambda core: steps_of(core).pop(0), ["a"], {("edge_1", "entry", "d", None)}, {"edge_2"}),
        (lambda core: match_of(core)["arms"].pop(0), ["b"], set(), {"edge_3", "edge_6"}),
        (
            lambda core: match_of(core)["arms"][0]["steps"].clear(),
            ["b"],
            {("edge_3", "d", "z", "x")},
            {"edge_6"},
        ),
        (
            lambda core: steps_of(core).__setitem__(slice(1, 2), match_of(core)["else"]),
            ["b", "c", "d"],
            {("edge_2", "a", "l", None)},
            {"edge_3", "edge_4", "edge_5", "edge_6", "edge_7"},
        ),
    ],
    ids=["last", "first", "arm", "emptied", "decision"],
)
def test_a_removed_step_takes_its_node_and_edges_along(
    edit: Edit, gone: list[str], added: set[Any], cut: set[str]
) -> None:
    imported = imported_after(edit)

    assert codes(imported) == ["SF602"] * len(gone)
    assert sorted(item.node_id or "" for item in imported.diagnostics) == gone
    ids = {node["id"] for node in a_document()["nodes"]}
    assert {node["id"] for node in imported.document["nodes"]} == ids - set(gone)
    assert changes(imported) == (added, cut)


@pytest.mark.parametrize(
    ("edit", "added"),
    [
        (
            lambda core: steps_of(core).insert(0, a_new_step()),
            {("edge_1", "entry", "n", None), ("edge_9", "n", "a", None)},
        ),
        (
            lambda core: steps_of(core).insert(1, a_new_step()),
            {("edge_2", "a", "n", None), ("edge_9", "n", "d", None)},
        ),
        (lambda core: steps_of(core).append(a_new_step()), {("edge_9", "z", "n", None)}),
        (
            lambda core: match_of(core)["arms"][0]["steps"].insert(0, a_new_step()),
            {("edge_3", "d", "n", "x"), ("edge_9", "n", "b", None)},
        ),
        (
            lambda core: match_of(core)["arms"][0]["steps"].append(a_new_step()),
            {("edge_6", "b", "n", None), ("edge_9", "n", "z", None)},
        ),
        (
            lambda core: match_of(core)["arms"].insert(1, {"when": "x == 1", "steps": [a_new_step()]}),
            {("edge_9", "d", "n", "x == 1"), ("edge_10", "n", "z", None)},
        ),
        (
            lambda core: match_of(core)["else"].insert(0, a_new_step()),
            {("edge_5", "d", "n", None), ("edge_9", "n", "l", None)},
        ),
    ],
    ids=["first", "between", "last", "into an arm", "after an arm", "an arm", "into the rest"],
)
def test_a_new_step_becomes_a_node_between_its_neighbours(edit: Edit, added: set[Any]) -> None:
    imported = imported_after(edit)

    assert [(item.code, item.node_id) for item in imported.diagnostics] == [("SF606", "n")]
    new = node_of(imported, "n")
    assert (new["type"], new["config"], new["position"]["y"]) == ("llm_rigid", {"template": "new"}, 120)
    assert changes(imported) == (added, set())


def test_a_new_arm_is_tried_where_it_stands() -> None:
    arm = {"when": "x == 1", "steps": [a_new_step()]}

    imported = imported_after(lambda core: match_of(core)["arms"].insert(0, arm))

    conditional = [edge for edge in imported.document["edges"] if edge["type"] == "conditional"]
    assert [edge["condition"] for edge in conditional] == ["x == 1", "x", "!x"]


def test_new_triggers_become_entries_and_removed_ones_go() -> None:
    def edit(core: JSON) -> None:
        core["flows"][0]["trigger"] = {"type": "schedule", "cron": "0 1 * * *", "name": "nightly"}

    imported = imported_after(edit)

    assert codes(imported) == ["SF602", "SF606"]
    assert node_of(imported, "node_entry")["type"] == "entry_schedule"
    assert node_of(imported, "node_entry")["label"] == "Nightly"
    assert changes(imported) == ({("edge_9", "node_entry", "a", None)}, {"edge_1"})


def test_a_trigger_of_another_kind_keeps_its_edges() -> None:
    imported = imported_after(lambda core: core["flows"][0]["trigger"].update(type="webhook"))

    assert codes(imported) == ["SF601"]
    assert node_of(imported, "entry")["type"] == "entry_webhook"
    assert edges(imported.document) == edges(a_document())


def test_a_trigger_that_lost_its_name_is_still_that_of_its_entry() -> None:
    imported = imported_after(lambda core: core["flows"][0]["trigger"].pop("node_id"))

    assert (imported.document, imported.diagnostics) == (a_document(), ())


def test_steps_that_were_moved_leave_the_edges_and_are_reported() -> None:
    imported = imported_after(lambda core: steps_of(core).reverse())

    (finding,) = imported.diagnostics
    assert finding.code == "SF605"
    assert finding.message.startswith("flow 'my-flow': its steps stand in another order")
    assert finding.fix is not None
    assert imported.document == a_document()


@pytest.mark.parametrize(
    ("place", "key", "told"),
    [
        (lambda core: core["flows"][0], "trigers", "core.flows[0]"),
        (lambda core: core["flows"][0]["trigger"], "methd", "core.flows[0].trigger"),
        (lambda core: core["scaiflow_meta"], "modles", "core.scaiflow_meta"),
        (match_of, "subjct", "step of 'd'"),
        (lambda core: match_of(core)["arms"][1], "edg", "core.flows[0].steps[1].match.arms[1]"),
        (lambda core: steps_of(core)[0]["meta"], "node_lable", "step of 'a'"),
        (lambda core: match_of(core)["else"][0], "guard", "step of 'l'"),
    ],
)
def test_keys_that_mean_nothing_are_told_wherever_they_stand(
    place: Callable[[JSON], JSON], key: str, told: str
) -> None:
    imported = imported_after(lambda core: place(core).update({key: "x"}))

    (finding,) = imported.diagnostics
    assert (finding.code, finding.message) == ("SF604", f"{told}: {key} means nothing and was left out")
    assert imported.document == a_document()


def test_what_a_guarded_turn_was_is_told_when_it_is_guarded_no_more() -> None:
    document = a_flow(
        [an_entry(), a_node("g", "llm_guarded", config={"goal": "x", "guard": "y"})], ("entry", "g")
    )
    imported = imported_after(lambda core: steps_of(core)[0].pop("guarded"), document)

    assert [item.message for item in imported.diagnostics if item.code == "SF604"] == [
        "step of 'g': guard means nothing and was left out"
    ]


def test_a_model_that_core_does_not_name_is_told() -> None:
    model = {"ref": "openai", "model": "gpt-5"}
    imported = imported_after(lambda core: core["scaiflow_meta"]["models"][0].update(model))

    assert [item.message for item in imported.diagnostics] == [
        "core.scaiflow_meta.models[0]: openai/gpt-5 is not what core.model says, which counts"
    ]
    assert imported.document == a_document()
    imported = imported_after(
        lambda core: (core["scaiflow_meta"]["models"][0].update(model), core.update(model="openai/gpt-5"))
    )
    assert codes(imported) == ["SF601"]
    assert imported.document["config"]["core_identity"]["models"][0] == {"role": "primary", **model}


def test_what_belongs_to_no_node_is_kept_beside_the_flow() -> None:
    def edit(core: JSON) -> None:
        steps_of(core).insert(1, {"shell": "ls"})
        steps_of(core)[0]["colour"] = "green"
        core["owner"] = "me"
        core["mode"] = "entity"

    imported = imported_after(edit, {**a_document(), "metadata": {"unknown_steps": [{"old": 1}]}})

    assert sorted(codes(imported)) == ["SF603", "SF604", "SF604"]
    assert imported.document["metadata"] == {
        "unknown_steps": [{"old": 1}, {"shell": "ls"}],
        "unknown_core": {"owner": "me", "mode": "entity"},
    }
    assert imported.document["nodes"] == a_document()["nodes"]


def test_blocks_removed_from_a_bundle_take_their_nodes_along() -> None:
    module = compile_flow(a_document()).module
    (flow,) = module.flows
    shorter = replace(module, flows=(replace(flow, body=flow.body[:-1]),))

    imported = import_manifest(write_bundle(shorter))

    assert codes(imported) == ["SF602"]
    assert changes(imported) == (set(), {"edge_6", "edge_7", "edge_8"})


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        (lambda core: None, 0),
        (lambda core: core.update(name="other"), 0),
        (lambda core: steps_of(core)[0].update(rigid="y"), 1),
        (lambda core: match_of(core)["arms"][0].update(when="y"), 1),
        (lambda core: steps_of(core).pop(0), 2 * 1),
        (lambda core: steps_of(core).insert(0, a_new_step()), 2 * 3),
    ],
    ids=["as it was compiled", "a name", "a step", "a condition", "a step that is gone", "a new step"],
)
def test_only_what_was_edited_is_read_again_and_all_is_lowered_once(
    edit: Edit, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = ryaml.loads(compile_flow(a_document()).text)
    edit(tree["core"])
    read: list[int] = []
    read_all = parse._read

    def counting(document: JSON) -> FlowGraph:
        read.append(len(document["nodes"]) + len(document["edges"]))
        return read_all(document)

    monkeypatch.setattr(parse, "_read", counting)
    lowering = MagicMock(side_effect=lower)
    monkeypatch.setattr(told, "lower", lowering)
    import_manifest(orjson.dumps(tree).decode())

    assert (read[0] > 10, sum(read[1:])) == (True, again)
    assert lowering.call_count == 1


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [place for key, item in items for place in places(item, (*way, key))]
    return inside if isinstance(value, dict | list) else [way]


def outcome(source: str) -> object:
    try:
        imported = import_manifest(source)
    except (ManifestError, FlowTooLarge) as refused:
        return str(refused)
    return imported.document, imported.diagnostics


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flows(12), st.integers(0, 2**32), st.integers(1, 3))
def test_edits_that_leave_all_steps_in_place_are_what_they_are_where_steps_were_moved(
    document: Any, seed: int, times: int
) -> None:
    """The way that looks only at what was edited says the same as the one that looks at everything."""
    rng = Random(seed)
    tree = ryaml.loads(compile_flow(document).text)
    for _ in range(times):
        holder = tree["core"]["flows"]
        *way, last = rng.choice(places(holder))
        for key in way:
            holder = holder[key]
        holder[last] = rng.choice([True, 1, "x", "c0", "{{ c1 }}", "continue", None, [], {"a": 1}])
    source = orjson.dumps(tree).decode()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(from_graph, "edited_in_place", lambda before, given: None)
        wanted = outcome(source)

    assert outcome(source) == wanted


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flows(20))
def test_which_steps_and_arms_a_document_has_is_known_before_it_is_lowered(document: Any) -> None:
    checked = check_document(document, DEFAULT_LIMITS)
    module = lowered(checked)
    assert module is not None

    due, outline = outline_due(checked), outline_of(module.blocks())

    assert due is not None
    assert (set(due.steps), due.arms) == (set(outline.steps), outline.arms)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flows(20))
def test_what_outputs_tell_is_outdated_only_once_a_step_came_or_went(document: Any) -> None:
    module = compile_flow(document).module
    followers = followers_of(module)
    new = ir.FlexibleBlock(node_id="node_new", goal="Go.", llm_role="fast")
    more = replace(module, flows=(replace(module.flows[0], body=(*module.flows[0].body, new)),))

    assert not is_outdated(followers, module)
    assert is_outdated(followers, more)
    assert is_outdated({**followers, "node_gone": ()}, module)


def test_an_edited_step_costs_little_for_each_node_that_was_not_edited() -> None:
    """Counted beside what an import of the same costs as it was compiled."""

    def work(count: int) -> int:
        ids = [f"n{number}" for number in range(count)]
        compiled = compile_flow(a_flow([an_entry(), *map(a_text, ids)], *pairwise(["entry", *ids])))
        tree = ryaml.loads(compiled.text)
        steps_of(tree["core"])[0].update(rigid="y")
        source = orjson.dumps(tree).decode()
        return calls(lambda: import_manifest(source)) - calls(lambda: import_manifest(compiled.text))

    assert (work(200) - work(100)) / 100 < 30


def test_an_edge_for_what_was_put_in_its_place_is_found_without_going_through_all() -> None:
    class Edges(list[JSON]):
        times: ClassVar[int] = 0

        def __iter__(self) -> Iterator[JSON]:
            Edges.times += 1
            return super().__iter__()

    ends = {"source": {"node": "d", "port": "out"}, "target": {"node": "z", "port": "in"}}
    edges = Edges({"id": f"e{number}", "type": "sequential", **ends} for number in range(20))
    spares = Spares(edges, set())

    taken = [spares.take("d", Exit("d", "out", 0, None, f"e{number}")) for number in reversed(range(10))]
    taken += [spares.take("d", Exit("d", "out", 0)) for _ in range(11)]

    names = [None if edge is None else edge["id"] for edge in taken]
    assert names == [f"e{number}" for number in (*reversed(range(10)), *range(10, 20))] + [None]
    assert Edges.times == 2
