"""Names that are not bound on every path, that cannot be seen from where they are used, that come too late."""

import re
from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_random_flows import flows
from compiler.compiler_trace import Memory
from compiler.compiler_work import calls
from compiler_documents import ENTRY_PORTS, JSON, a_decision, a_node, a_text, an_entry
from compiler_ways import a_flow_of_ways
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaiflow_api.compiler import validate_flow
from scaiflow_api.compiler.analysis.occurrences import occurrences
from scaiflow_api.expressions import parse

NAMED = re.compile(r"uses '([^']+)', which (cannot be seen|is not bound yet|may be unbound)")


def a_loop(node_id: str = "loop", **config: Any) -> JSON:
    return a_node(node_id, "logic_loop", config={"items": "input.list", **config})


def a_while(condition: str, **config: Any) -> JSON:
    return a_node(
        "loop", "logic_loop", config={"style": "while", "condition": condition, "max_iterations": 3, **config}
    )


def a_model(node_id: str, **config: Any) -> JSON:
    return a_node(node_id, "llm_guarded", config={"goal": "Go.", **config})


def sets(node_id: str, variable: str, value: Any = 1) -> JSON:
    return a_node(node_id, "data_variable_set", config={"variable": variable, "value": value})


def said(document: JSON) -> list[tuple[str, str]]:
    """What is said of names: (name, how)."""
    found = (
        NAMED.search(item.message) for item in validate_flow(document) if item.code in ("SF302", "SF307")
    )
    return [(match[1], match[2]) for match in found if match]


def answer(template: str, *ways: str, nodes: list[JSON] | None = None, **more: Any) -> list[tuple[str, str]]:
    """What is said where `answer` uses names; `a` and `b` are texts, `choose` is a decision."""
    given_nodes = nodes or [a_text("a"), a_text("b")]
    return said(
        a_flow_of_ways(
            [an_entry(), a_decision("choose"), *given_nodes, a_text("answer", template)], *ways, **more
        )
    )


MAY, LATE, HIDDEN = "may be unbound", "is not bound yet", "cannot be seen"


# Paths


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        (["entry>a", "a>answer"], []),
        (["entry>a", "entry>answer"], []),
        (["entry>choose", "choose>a?x", "choose>answer?y", "a>answer"], [("a", MAY)]),
        (["entry>choose", "choose>a?x", "choose>a", "a>answer"], []),
        (["entry>choose", "entry>answer", "choose>a?x"], [("a", MAY)]),
        (["entry>choose", "entry>answer", "choose>a?x", "choose>a"], []),
        (["entry>choose", "choose>a?true", "choose>answer", "a>answer"], []),
        (["entry>choose", "choose>a?x", "choose>b", "b>answer", "a>b"], [("a", MAY)]),
        (["entry>choose", "choose>a?x", "choose>answer", "a~answer"], [("a", MAY)]),
        (["entry>answer", "answer>a"], [("a", LATE)]),
        (["entry>choose", "choose>a?x", "choose>answer?y"], [("a", MAY)]),
    ],
)
def test_a_result_must_be_there_on_every_path(ways: list[str], expected: list[tuple[str, str]]) -> None:
    assert answer("{{ a }}", *ways) == expected


def test_what_runs_at_the_same_level_counts_if_it_runs_first() -> None:
    first, second = a_text("a", "{{ b }}"), a_text("b", "{{ a }}")

    assert said(a_flow_of_ways([an_entry(), first, second], "entry>a", "entry>b")) == [("b", LATE)]


def test_a_name_that_each_branch_offers_is_there_behind_them() -> None:
    offers = [a_node(name, "llm_rigid", config={"template": "x", "result_binding": "reply"}) for name in "ab"]
    ways = ["entry>choose", "choose>a?x", "choose>b", "a>answer", "b>answer"]

    assert answer("{{ reply }}", *ways, nodes=offers) == []
    assert answer("{{ reply }}", *ways, "choose>answer?y", nodes=offers) == [("reply", MAY)]


def test_a_name_must_be_bound_from_every_entry() -> None:
    nodes = [an_entry(), an_entry("other"), a_text("a"), a_text("answer", "{{ a }}")]

    assert said(a_flow_of_ways(nodes, "entry>a", "a>answer", "other>answer")) == [("a", MAY)]
    assert said(a_flow_of_ways(nodes, "entry>a", "a>answer", "other>a")) == []


def test_a_node_that_never_runs_is_not_looked_at() -> None:
    assert answer("{{ a }}", "entry>a", "b>answer") == []


def test_the_message_names_the_nodes() -> None:
    document = a_flow_of_ways(
        [an_entry(), a_text("a"), a_text("answer", "{{ a }}")], "entry>a?x", "entry>answer", "a>answer"
    )
    (found,) = (item for item in validate_flow(document) if item.code == "SF302")

    assert found.message == (
        "node 'answer': template uses 'a', which may be unbound: node 'a' does not run on every path to here"
    )
    assert (found.path, found.node_id, found.severity) == ("nodes[2].config.template", "answer", "warning")


# Authors who know


@pytest.mark.parametrize(
    "template",
    [
        "{{ a ?? 'none' }}",
        "{{ b ?? a }}",
        "{{ a == null ? 'none' : a }}",
        "{{ a ? a.upper() : '' }}",
        "{{ a && a.length > 3 }}",
        "{{ a == null || a.length > 3 }}",
        "{{ !a }}",
        "{{ a.x != null }}",
        "{{ [1].map(a => a) }}",
        "{{ input.a }}",
    ],
)
def test_a_use_that_expects_null_is_not_reported(template: str) -> None:
    assert answer(template, "entry>a?x", "entry>b", "entry>answer") == []


@pytest.mark.parametrize(
    "template", ["{{ a.x == 'ok' }}", "{{ b && a }}", "{{ a > 1 && a }}", "{{ a }}{{ a ?? 1 }}"]
)
def test_a_use_that_does_not_is(template: str) -> None:
    assert answer(template, "entry>a?x", "entry>b", "entry>answer") == [("a", MAY)]


def test_what_a_condition_has_looked_at_is_not_reported_behind_it() -> None:
    ways = ["entry>a?x", "entry>choose", "a>choose", "choose>answer?a != null"]

    assert answer("{{ a }}", *ways) == []


@pytest.mark.parametrize("operator", ["&&", "||"])
def test_a_row_of_conditions_takes_work_in_proportion_to_its_length(operator: str) -> None:
    def work(names: int) -> int:
        root = parse(operator.join(f"v{number}" for number in range(names))).root
        return calls(lambda: list(occurrences(root)))

    assert work(300) < 2.1 * work(150)


@pytest.mark.parametrize(("nodes", "expected"), [(64, [("r", MAY)]), (65, [])])
def test_a_name_that_very_many_nodes_offer_is_not_judged(nodes: int, expected: list[tuple[str, str]]) -> None:
    ids = [f"n{number}" for number in range(nodes)]
    offering = [
        a_node(node_id, "llm_rigid", config={"template": "x", "result_binding": "r"}) for node_id in ids
    ]
    ways = [f"choose>{node_id}?x == '{node_id}'" for node_id in ids]

    assert answer("{{ r }}", "entry>choose", "entry>answer", *ways, nodes=offering) == expected


def test_a_guard_protects_the_fields_of_its_node() -> None:
    nodes = [a_text("a"), a_model("b", guard="a != null", goal="About {{ a }}")]

    assert answer("x", "entry>a?x", "entry>b", "entry>answer", nodes=nodes) == []


@pytest.mark.parametrize(
    "more",
    [
        {"tests": [{"name": "t", "input": {"a": 1}, "expect": {}}]},
        {"variables": [{"name": "a", "type": "string", "default": "none"}]},
        {"variables": [{"name": "a", "type": "string", "default": None}]},
    ],
)
def test_a_name_that_also_comes_from_elsewhere_is_not_reported(more: JSON) -> None:
    assert answer("{{ a }}", "entry>a?x", "entry>answer", **more) == []


def test_bindings_and_data_values_hide_results() -> None:
    bound = a_model("b", goal="{{ a }}", input_bindings={"a": 1})
    target = a_text("answer", "{{ a }}") | {"inputs": [{"id": "in"}, {"id": "a"}]}
    document = a_flow_of_ways(
        [an_entry(), a_text("a"), bound, target], "entry>a?x", "entry>b", "entry>answer", "a~answer"
    )
    document["edges"][3]["target"]["port"] = "a"

    assert said(document) == []


# Variables


def test_a_variable_without_default_must_be_assigned_on_every_path() -> None:
    nodes = [sets("a", "total")]
    declared = [{"name": "total", "type": "int"}]

    assert answer("{{ total }}", "entry>a?x", "entry>answer", nodes=nodes, variables=declared) == [
        ("total", MAY)
    ]
    assert answer("{{ total }}", "entry>a", "a>answer", nodes=nodes, variables=declared) == []


def test_a_variable_assigned_later_in_a_round_is_there_in_the_next_one() -> None:
    nodes = [an_entry(), a_loop(), a_text("a", "{{ total }}"), sets("b", "total")]

    assert said(a_flow_of_ways(nodes, "entry>loop", "loop.body>a", "a>b")) == [("total", MAY)]


# Loops


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ item }}", []),
        ("{{ number }}", []),
        ("{{ a }}", []),
        ("{{ before }}", []),
        ("{{ loop }}", [("loop", LATE)]),
        ("{{ late }}", [("late", LATE)]),
    ],
)
def test_a_round_sees_what_ran_before_its_loop_and_not_what_comes_after(
    template: str, expected: list[tuple[str, str]]
) -> None:
    nodes = [
        an_entry(),
        a_text("before"),
        a_loop(index_var="number"),
        a_text("a"),
        a_text("answer", template),
    ]
    ways = ["entry>before", "before>loop", "loop.body>a", "a>answer", "loop>late"]

    assert said(a_flow_of_ways([*nodes, a_text("late")], *ways)) == expected


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("a", "use the result of 'loop'; its key 'collect' says what each round leaves"),
        ("item", "move this into the rounds: what port 'body' of 'loop' leads to"),
    ],
)
def test_what_belongs_to_a_round_is_not_seen_outside(name: str, fix: str) -> None:
    nodes = [an_entry(), a_loop(), a_text("a"), a_text("answer", f"{{{{ {name} }}}}")]
    document = a_flow_of_ways(nodes, "entry>loop", "loop.body>a", "loop>answer")

    assert said(document) == [(name, HIDDEN)]
    assert [item.fix for item in validate_flow(document)] == [fix]


@pytest.mark.parametrize(
    ("collect", "expected"),
    [("a + item", []), ("b", [("b", MAY)]), ("b ?? item", []), ("loop", [("loop", LATE)])],
)
def test_collect_sees_the_round(collect: str, expected: list[tuple[str, str]]) -> None:
    nodes = [an_entry(), a_loop(collect=collect), a_text("a"), a_text("b")]

    assert said(a_flow_of_ways(nodes, "entry>loop", "loop.body>a", "a>b?item")) == expected


@pytest.mark.parametrize(
    ("condition", "expected"), [("!a", []), ("a < 3", [("a", MAY)]), ("(a ?? 0) < 3", [])]
)
def test_the_condition_of_a_while_has_no_round_at_first(
    condition: str, expected: list[tuple[str, str]]
) -> None:
    assert (
        said(a_flow_of_ways([an_entry(), a_while(condition), a_text("a")], "entry>loop", "loop.body>a"))
        == expected
    )


def test_a_condition_on_the_way_into_a_round_sees_loop_variables_alone() -> None:
    nodes = [an_entry(), a_loop(), a_text("a"), a_text("b")]
    ways = ["entry>loop", "loop.body>a?item.ok", "loop.body>b?a"]

    assert said(a_flow_of_ways(nodes, *ways)) == [("a", LATE)]


def test_rounds_at_the_same_time_that_assign_a_variable_are_reported() -> None:
    nodes = [
        an_entry(),
        a_loop(max_concurrent=2),
        sets("a", "total", "{{ total + item }}"),
        a_text("b", "{{ total }}"),
    ]
    variables = [{"name": "total", "type": "int", "default": 0}]
    document = a_flow_of_ways(nodes, "entry>loop", "loop.body>a", "loop>b", variables=variables)

    assert [(item.code, item.path) for item in validate_flow(document)] == [
        ("SF303", "nodes[1].config.max_concurrent")
    ]
    document["nodes"][1]["config"]["max_concurrent"] = 1
    assert validate_flow(document) == []


# Parallels


@pytest.mark.parametrize(
    ("place", "expected"), [("a", []), ("b", [("a", HIDDEN)]), ("join", []), ("both", [("a", LATE)])]
)
def test_branches_see_each_other_only_behind_their_join(place: str, expected: list[tuple[str, str]]) -> None:
    names = {"a": "{{ before }}", "b": "x", "join": "x", "before": "x"}
    nodes = [
        a_text(name, "{{ a }}" if name == place and place != "a" else text) for name, text in names.items()
    ]
    parallel = a_node("both", "logic_parallel")
    ways = ["entry>before", "before>both", "both>a", "both>b", "a>join", "b>join"]
    if place == "both":
        nodes[3]["config"]["template"] = "{{ a }}"

    assert said(a_flow_of_ways([an_entry(), parallel, *nodes], *ways)) == expected


# Against the meaning of flows


class Watched(GraphRun):
    """A run whose conditions are coins; it notes which names were bound where texts were evaluated."""

    def __init__(self, graph: Graph, entry: str, rng: Random, seen: dict[tuple[str, str], set[bool]]) -> None:
        super().__init__(graph, entry, {})
        self.rng = rng
        self.seen = seen
        self.odds = rng.choice([0.2, 0.5, 0.8])

    def look(self, node_id: str, field: str, memory: Memory) -> None:
        bound = memory.names(node_id)
        place = next(
            place for place, node in enumerate(self.graph.document["nodes"]) if node["id"] == node_id
        )
        for name in texts(self.graph.document):
            self.seen[f"nodes[{place}].config.{field}", name].add(name in bound)

    def value_of_node(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        if self.graph.kind(node_id) == "llm_rigid":
            self.look(node_id, "template", memory)
            return "x"
        return super().value_of_node(node_id, config, memory)

    def holds(self, condition: str, node_id: str, memory: Memory) -> bool:
        return condition == "true" or self.rng.random() < self.odds

    def run_foreach(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        items = self.rng.choice(["[]", "[1]", "[1, 2]"])
        return super().run_foreach(node_id, {**config, "items": items, "collect": "1"}, memory)

    def run_while(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        return self.run_foreach(node_id, config, memory)

    def run_round(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        value = super().run_round(node_id, config, memory)
        self.look(node_id, "collect", memory)
        return value


def texts(document: JSON) -> list[str]:
    return [
        node["id"] for node in document["nodes"] if node["type"] not in ("logic_decision", "logic_parallel")
    ]


def that_uses_all_names(document: JSON) -> JSON:
    """Make every node a text that uses the name of every other, and every condition one without names."""
    names = texts(document)
    for node in document["nodes"]:
        match node["type"]:
            case "logic_decision" | "logic_parallel":
                node["config"] = {}
            case "logic_loop":
                rounds = {"style": "while", "condition": "c", "max_iterations": 2}
                own = rounds if node["config"].get("style") == "while" else {"items": "input.list"}
                node["config"] = {**own, "collect": f"[{', '.join(names)}]"}
            case kind if kind not in ENTRY_PORTS:
                node["type"] = "llm_rigid"
                node["config"] = {"template": "".join(f"{{{{ {name} }}}}" for name in names)}
    for edge in document["edges"]:
        if edge["type"] == "conditional" and edge["condition"] != "true":
            edge["condition"] = "c"
    return document


def findings(document: JSON) -> Iterator[tuple[tuple[str, str], str]]:
    for item in validate_flow(document):
        match = NAMED.search(item.message)
        if item.code in ("SF302", "SF307") and match and item.path:
            yield (item.path, match[1]), match[2]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows(10), st.integers(0, 2**32))
def test_what_is_said_is_what_runs_show(document: JSON, seed: int) -> None:
    """Names without a finding are always bound; those that come late or from out of sight never are."""
    that_uses_all_names(document)
    said_of = dict(findings(document))
    seen: dict[tuple[str, str], set[bool]] = defaultdict(set)
    rng = Random(seed)
    graph = Graph(document)
    for entry in [node["id"] for node in document["nodes"] if node["type"] in ENTRY_PORTS] * 20:
        Watched(graph, entry, rng, seen).run()

    for use, bound in seen.items():
        match said_of.get(use):
            case None:
                assert bound == {True}, use
            case "may be unbound":
                pass
            case how:
                assert bound == {False}, (use, how)
