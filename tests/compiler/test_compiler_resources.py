"""SF504 to SF513: plugins, queues, sandboxes, people. And which sandbox a node works in."""

from collections.abc import Iterable
from typing import Any

import pytest
from compiler_documents import a_flow, a_node, a_text, an_entry
from compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings

from scaiflow_api.compiler.check import check_document
from scaiflow_api.compiler.diagnostics import Diagnostic, Rule, Sink
from scaiflow_api.compiler.diagnostics_page import example_document
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.graph.sandboxes import nearest_provision
from scaiflow_api.compiler.rules import plugins, policy, resources
from scaiflow_api.flowgraph import DEFAULT_LIMITS

MODULES = (plugins, policy, resources)


def view_of(document: Any) -> FlowView:
    sound = check_document(document, DEFAULT_LIMITS).sound
    view = sound and sound.view
    assert view is not None
    return view


def found(document: Any) -> list[Diagnostic]:
    view = view_of(document)
    sink = Sink()
    policy.check_secrets(view, sink)
    for module in MODULES:
        module.check(view, sink)
    return sink.ordered()


def one(kind: str, config: dict[str, Any], **flow: Any) -> list[Diagnostic]:
    return found(
        a_flow([an_entry(), a_node("node_a", kind, config=config)], ("entry", "node_a"), config=flow)
    )


def codes(items: Iterable[Diagnostic]) -> list[str]:
    return [item.code for item in items]


@pytest.mark.parametrize(
    "rule", [rule for module in MODULES for rule in module.RULES], ids=lambda rule: rule.code
)
def test_the_example_of_a_rule_shows_it_and_nothing_else(rule: Rule) -> None:
    items = found(example_document(rule))

    assert [(item.code, item.severity) for item in items] == [(rule.code, rule.severity)]
    assert items[0].fix


# Plugins


def call(plugin: str, method: str, **args: Any) -> dict[str, Any]:
    return {"plugin": plugin, "method": method, "args": args}


def test_a_missing_argument_is_reported_as_documented() -> None:
    (item,) = one("tool_plugin", call("scaidrive", "search", query="x"))

    assert item.as_dict() == {
        "severity": "error",
        "code": "SF506",
        "message": "plugin call 'scaidrive.search': missing required arg 'path'",
        "path": "nodes[1].config.args",
        "node_id": "node_a",
        "edge_id": None,
        "fix": "add 'path' to args",
    }


def test_every_missing_argument_is_reported_and_a_misspelled_one_is_named() -> None:
    items = one("tool_plugin", call("scaidrive", "search", qurey="x"))

    assert [item.fix for item in items] == ["add 'path' to args", "rename 'qurey' to 'query'"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (call("scaidrive", "search", path="/", query="{{ q }}", depth=3), []),
        (call("scaidrive", "search", path="/", query="x", limt=3), ["SF514"]),
        (call("scaidrive", "search", path="/", query="x", limit=1, limt=3), []),
        (call("scaidrive", "remove", path="/"), ["SF504"]),
        (call("ocr", "read"), ["SF505"]),
        (call("http", "request", url="https://a.example"), []),
        (call("http", "request"), ["SF506"]),
        (call("scaibunker", "destroy"), []),
        (call("scaiqueue", "publish", queue="q"), ["SF506", "SF506"]),
    ],
)
def test_calls_are_compared_with_what_is_known(config: dict[str, Any], expected: list[str]) -> None:
    assert codes(one("tool_plugin", config)) == expected


CRM = {"alias": "crm", "methods": {"find": {"required": ["id"], "optional": ["depth"]}, "ping": {}}}


@pytest.mark.parametrize(
    ("plugin", "config", "expected"),
    [
        (CRM, call("crm", "find", id=1), []),
        (CRM, call("crm", "ping"), []),
        (CRM, call("crm", "find"), ["SF506"]),
        (CRM, call("crm", "fnid", id=1), ["SF504"]),
        ("crm", call("crm", "anything"), []),
        ({"alias": "crm"}, call("crm", "anything"), []),
        ({"alias": "drive", "endpoint": "plugin://scaidrive"}, call("drive", "search"), ["SF506", "SF506"]),
        ({"alias": "scaidrive", "endpoint": "plugin://own-drive"}, call("scaidrive", "list"), []),
        ({"alias": "scaidrive", "methods": {"list": {}}}, call("scaidrive", "list"), []),
        ({"alias": "scaidrive", "methods": {"list": {}}}, call("scaidrive", "search"), ["SF506", "SF506"]),
        ({"alias": "crm", "methods": {"find": {"required": "id"}}}, call("crm", "find"), ["SF513"]),
        ({"alias": "crm", "methods": {"find": ["id"]}}, call("crm", "find"), ["SF513"]),
        ({"endpoint": "plugin://crm"}, call("crm", "find"), ["SF505"]),
    ],
)
def test_a_flow_may_say_what_its_plugins_can_do(
    plugin: Any, config: dict[str, Any], expected: list[str]
) -> None:
    assert codes(one("tool_plugin", config, plugins=[plugin])) == expected


# Queues

TOPOLOGY = {"scope": "support", "queues": [{"slug": "review"}, {"slug": "work"}]}


@pytest.mark.parametrize("kind", ["queue_publish", "queue_consume", "queue_escalation", "hitl_review"])
@pytest.mark.parametrize(
    ("config", "topology", "expected"),
    [
        ({"queue": "review"}, TOPOLOGY, []),
        ({"queue": "reviews"}, TOPOLOGY, ["SF507"]),
        ({"queue": "reviews", "scope": "support"}, TOPOLOGY, ["SF507"]),
        ({"queue": "reviews", "scope": "legal"}, TOPOLOGY, []),
        ({"queue": "{{ which }}"}, TOPOLOGY, []),
        ({"queue": "review"}, {"scope": "support"}, []),
        ({"queue": "review"}, {"queues": [{"slug": "review"}]}, ["SF508"]),
        ({"queue": "review", "scope": "legal"}, {}, []),
        ({"queue": "review"}, None, ["SF508"]),
    ],
)
def test_queues_are_those_of_the_flow(
    kind: str, config: dict[str, Any], topology: dict[str, Any] | None, expected: list[str]
) -> None:
    needed = {"message_type": "m", "payload": {}, "reason": "r"}
    section = {"type": "decision", "options": ["ok"]}
    flow = {} if topology is None else {"scaiqueue": topology}

    assert codes(one(kind, {**needed, "sections": [section], **config}, **flow)) == expected


@pytest.mark.parametrize(
    ("scaiqueue", "expected"),
    [
        ({"queues": [{"slug": "q"}]}, ["SF516"]),
        ({"scope": "", "queues": [{"slug": "q"}]}, ["SF516"]),
        ({"queues": []}, []),
        ({"scope": "s", "queues": [{"slug": "q"}]}, []),
    ],
)
def test_queues_need_a_scope_to_be_made_in(scaiqueue: dict[str, Any], expected: list[str]) -> None:
    assert codes(one("llm_rigid", {"template": "x"}, scaiqueue=scaiqueue)) == expected
    node = {"queue": "q", "scope": "own"}
    assert codes(one("queue_consume", node, scaiqueue=scaiqueue)) == expected


def test_a_misspelled_queue_is_named() -> None:
    (item,) = one("queue_consume", {"queue": "reveiw"}, scaiqueue=TOPOLOGY)

    assert (item.path, item.fix) == ("nodes[1].config.queue", "did you mean 'review'?")


# People


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("checkpoint", {"on_timeout": "fail"}, []),
        ("checkpoint", {"on_timeout": "continue"}, ["SF511"]),
        ("checkpoint", {"on_timeout": "continue", "timeout": "1h"}, []),
        ("hitl_decision", {"options": ["a"], "on_timeout": "resolve:a"}, ["SF511"]),
        ("hitl_review", {"scope": "s", "queue": "q", "sections": [{"type": "context"}]}, ["SF512"]),
        ("hitl_review", {"scope": "s", "queue": "q", "sections": [{"type": "input", "field": "a"}]}, []),
    ],
)
def test_people_are_asked_something_in_good_time(
    kind: str, config: dict[str, Any], expected: list[str]
) -> None:
    assert codes(one(kind, config)) == expected


# Sandboxes


def box(node_id: str = "box", **config: Any) -> dict[str, Any]:
    return a_node(node_id, "compute_provision", config=config)


def run(node_id: str = "run", **config: Any) -> dict[str, Any]:
    return a_node(node_id, "compute_exec", config={"command": ["date"], **config})


def end(node_id: str = "end") -> dict[str, Any]:
    return a_node(node_id, "compute_destroy", config={})


def test_a_sandbox_may_lie_far_upstream() -> None:
    nodes = [an_entry(), box(), a_text("a"), run()]

    assert found(a_flow(nodes, ("entry", "box"), ("box", "a"), ("a", "run"))) == []


def test_a_sandbox_beside_the_way_is_none() -> None:
    (item,) = found(a_flow([an_entry(), box(), run()], ("entry", "box"), ("entry", "run")))

    assert (item.code, item.node_id, item.path) == ("SF509", "run", "nodes[2]")


def test_a_data_edge_brings_no_sandbox() -> None:
    document = a_flow([an_entry(), box(), run()], ("entry", "box"), ("entry", "run"), ("box", "run"))
    document["edges"][2]["type"] = "data"

    assert codes(found(document)) == ["SF509"]


def test_a_node_that_names_its_sandbox_needs_none_upstream() -> None:
    assert one("compute_exec", {"command": ["date"], "bunker": "{{ input.bunker }}"}) == []


@pytest.mark.parametrize("name", ["node_box", "box"])
def test_the_id_of_a_node_is_not_its_sandbox(name: str) -> None:
    nodes = [an_entry(), box("node_box"), run(bunker=name)]
    (item,) = found(a_flow(nodes, ("entry", "node_box"), ("node_box", "run")))

    assert (item.code, item.path, item.fix) == (
        "SF515",
        "nodes[2].config.bunker",
        "write {{ node_box }}",
    )
    nodes[2]["config"]["bunker"] = "bnk_1"
    assert found(a_flow(nodes, ("entry", "node_box"), ("node_box", "run"))) == []


def test_what_nothing_leads_to_is_not_blamed_for_its_sandbox() -> None:
    broken = a_flow([an_entry(), box(), run()], ("entry", "box"), ("box", "run"))
    broken["edges"][1]["source"]["port"] = "typo"

    assert codes(found(a_flow([an_entry(), box(), run()], ("entry", "box")))) == []
    assert codes(found(broken)) == []


def test_a_sandbox_may_be_destroyed_behind_a_broken_edge() -> None:
    nodes = [an_entry(), box(lifecycle="persistent"), end()]
    broken = a_flow(nodes, ("entry", "box"), ("box", "end"))
    broken["edges"][1]["source"]["port"] = "typo"

    assert codes(found(broken)) == []


def test_nodes_on_a_cycle_are_not_blamed() -> None:
    document = a_flow([an_entry(), run(), end()], ("entry", "run"), ("run", "end"), ("end", "run"))

    assert found(document) == []


@pytest.mark.parametrize("lifecycle", ["session", "persistent", "appliance"])
def test_a_sandbox_that_outlives_its_run_is_to_be_destroyed(lifecycle: str) -> None:
    lasting = [an_entry(), box(lifecycle=lifecycle), a_text("a")]
    ways = [("entry", "box"), ("box", "a")]

    assert codes(found(a_flow(lasting, *ways))) == ["SF510"]
    assert codes(found(a_flow([*lasting, end()], *ways, ("a", "end", "x > 1")))) == []
    flow = a_flow([an_entry(), box(), a_text("a")], *ways, config={"bunker": {"lifecycle": lifecycle}})
    assert codes(found(flow)) == ["SF510"]


def test_a_sandbox_that_ends_with_its_run_needs_no_end() -> None:
    flow = {"bunker": {"lifecycle": "session"}}

    assert one("compute_provision", {"lifecycle": "ephemeral"}, **flow) == []
    assert one("compute_provision", {}) == []


def names(document: Any) -> dict[str, str]:
    view = view_of(document)
    return {view.nodes[node].id: view.nodes[near].id for node, near in nearest_provision(view).items()}


def test_of_two_sandboxes_the_nearer_one_is_taken() -> None:
    nodes = [an_entry(), box("far"), box("near"), run(), end()]
    ways = [("entry", "far"), ("far", "near"), ("near", "run"), ("run", "end")]

    assert names(a_flow(nodes, *ways)) == {"near": "far", "run": "near", "end": "near"}


def test_of_two_sandboxes_equally_near_the_one_of_higher_rank_is_taken() -> None:
    nodes = [an_entry(), box("late"), box("early"), a_text("a"), run()]
    ways = [("entry", "early"), ("entry", "a"), ("a", "late"), ("late", "run"), ("early", "run")]

    assert names(a_flow(nodes, *ways))["run"] == "late"


def searched(view: FlowView) -> dict[int, int]:
    """Say the same as `nearest_provision`, one node after the other."""
    rank = {node: place for place, node in enumerate(view.ranked)}
    nearest = {}
    for node in rank:
        level, seen = {node}, {node}
        while level:
            level = {edge.source for at in level for edge in view.control_in.get(at, ())} - seen
            seen |= level
            boxes = [at for at in level if view.nodes[at].type == "compute_provision"]
            if boxes:
                nearest[node] = max(boxes, key=rank.__getitem__)
                break
    return nearest


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_one_pass_finds_what_a_search_from_every_node_finds(document: Any) -> None:
    for node in document["nodes"]:
        if node["type"] in ("llm_rigid", "data_variable_set"):
            node |= {"type": "compute_provision", "config": {}}
    view = view_of(document)

    assert nearest_provision(view) == searched(view)
