"""The reference itself: what small flows mean, written out by hand."""

from typing import Any

import pytest
from compiler.compiler_documents import a_decision, a_flow, a_node, an_entry
from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_trace import Trace

ON = {"on_error": "continue"}


def says(node_id: str, template: str = "x", **config: Any) -> Any:
    return a_node(node_id, "llm_rigid", config={"template": template, **config})


def sets(node_id: str, variable: str, value: Any, **config: Any) -> Any:
    return a_node(node_id, "data_variable_set", config={"variable": variable, "value": value, **config})


def loops(node_id: str, items: str = "[1, 2]", **config: Any) -> Any:
    return a_node(node_id, "logic_loop", config={"items": items, **config})


def repeats(node_id: str, condition: str, max_iterations: int = 3, **config: Any) -> Any:
    config |= {"style": "while", "condition": condition, "max_iterations": max_iterations}
    return a_node(node_id, "logic_loop", config=config)


def splits(node_id: str, **config: Any) -> Any:
    return a_node(node_id, "logic_parallel", config=config)


def follow(nodes: list[Any], *ways: str, given: Any = None, **variables: Any) -> Trace:
    """Run a flow whose edges are `ways`; the others are the defaults of its variables.

    A way is `source>target` or `source.port>target`, maybe with `?condition`, or a data edge `source~port target`.
    """
    edges = []
    for number, way in enumerate(ways, 1):
        ends, _, condition = way.partition("?")
        kind = "conditional" if condition else "data" if "~" in ends else "sequential"
        source, target = ends.split("~" if kind == "data" else ">")
        port, _, target = target.rpartition(" ")
        node, _, out = source.partition(".")
        edge = {
            "id": f"edge_{number}",
            "type": kind,
            "source": {"node": node, "port": out or "out"},
            "target": {"node": target, "port": port or "in"},
        }
        edges.append({**edge, "condition": condition} if condition else edge)
    declared = [{"name": name, "type": "any", "default": value} for name, value in variables.items()]
    document = a_flow([an_entry(), *nodes], variables=declared, edges=edges)
    return GraphRun(Graph(document), "entry", given or {}).run()


# Rank, edges, joins


def test_nodes_run_by_rank_and_a_join_runs_once() -> None:
    trace = follow(
        [says("join"), says("late"), says("early")],
        *("entry>late", "entry>early", "late>join", "early>join"),
    )

    assert trace.ran == ["late", "early", "join"]


def test_a_data_edge_orders_and_binds_but_does_not_start() -> None:
    trace = follow(
        [says("reader", "{{ d }}"), says("source", "s"), says("never")],
        *("entry>reader", "entry>source", "source~d reader", "source~d never"),
    )

    assert trace.ran == ["source", "reader"]
    assert trace.data == [{}, {"d": "s"}]
    assert trace.output == "s"


def test_the_first_true_condition_of_a_port_is_taken_else_the_sequential_edges() -> None:
    def chosen(v: int) -> Any:
        ways = ("entry>d", "d>a?v == 1", "d>b?v < 3", "d>c", "d.alt>e")
        trace = follow([a_decision("d"), *map(says, "abce")], *ways, v=v)
        return trace.ran[1:], trace.chosen

    assert chosen(1) == (["a", "e"], ["edge_2"])
    assert chosen(2) == (["b", "e"], ["edge_3"])
    assert chosen(3) == (["c", "e"], [])


def test_an_error_in_a_condition_is_an_error_of_the_source() -> None:
    ways = ("entry>a", "a>b?null > 1", "a>c?a == null")

    assert follow([says("a"), says("b"), says("c")], *ways).failed
    assert follow([says("a", **ON), says("b"), says("c")], *ways).ran == ["a", "c"]


def test_a_failed_node_that_continues_keeps_what_it_assigned_and_yields_null() -> None:
    assignments = [{"variable": "v", "value": 1}, {"variable": "v", "value": "{{ null > 1 }}"}]
    node = a_node("a", "data_variable_set", config={"assignments": assignments, **ON, "result_binding": "r"})
    trace = follow(
        [says("z", "1", result_binding="r"), node, says("b", "{{ [r, v] }}")], "entry>z", "z>a", "a>b"
    )

    assert (trace.output, trace.variables) == ([None, 1], {"v": 1})


def test_the_variable_output_wins() -> None:
    trace = follow([sets("a", "output", "o"), says("b")], "entry>a", "a>b")

    assert trace.output == "o"


# Parallels


def test_branches_run_whole_at_the_turn_of_the_parallel_and_do_not_see_each_other() -> None:
    trace = follow(
        [
            *(splits("p"), says("beside"), says("a", "A"), says("b", "{{ [a, d, v] }}")),
            *(sets("c", "v", 1), says("join", "{{ [a, b, v] }}")),
        ],
        *("entry>p", "entry>beside", "p>c", "p>b", "c>a", "a>join", "b>join", "a~d b"),
        v=0,
    )

    assert trace.ran == ["p", "c", "a", "b", "beside", "join"]
    assert trace.data[3] == {"d": None}
    assert trace.output == ["A", [None, None, 0], 1]


def test_only_assigned_variables_merge_and_the_last_branch_edge_wins() -> None:
    trace = follow(
        [splits("p"), sets("a", "v", 1), sets("b", "v", 0), says("c"), sets("d", "w", "{{ v }}")],
        *("entry>p", "p>b", "p>a", "p>c", "p>d"),
        v=0,
        w=None,
    )

    assert trace.variables == {"v": 1, "w": 0}


def test_names_of_branches_go_by_rank_at_the_join() -> None:
    trace = follow(
        [splits("p"), *(says(name, name, result_binding="r") for name in "ab"), says("join", "{{ r }}")],
        *("entry>p", "p>b", "p>a", "a>join", "b>join"),
    )

    assert trace.ran == ["p", "b", "a", "join"]
    assert trace.output == "b"


def test_without_a_join_the_end_of_a_branch_of_the_highest_rank_is_the_output() -> None:
    trace = follow(
        [splits("p"), says("a", "A"), says("b", "B"), a_decision("c")], "entry>p", "p>a", "p>b", "b>c"
    )

    assert trace.output == "A"


def test_an_empty_branch_reaches_the_join_and_an_edge_may_pass_it() -> None:
    trace = follow(
        [splits("p"), says("a"), says("join"), says("behind"), says("end")],
        *("entry>p", "p>a", "p>join", "a>join?false", "a.alt>end", "join>behind?false", "behind>end"),
    )

    assert trace.ran == ["p", "a", "join", "end"]


def test_a_parallel_in_a_branch_may_share_the_join_of_the_one_around() -> None:
    trace = follow(
        [splits("p"), splits("q"), *(says(name, name) for name in "abc"), says("join", "{{ [a, b, c, v] }}")],
        *("entry>p", "p>q", "p>c", "q>a", "q>b", "a>join", "b>join", "c>join"),
        v=0,
    )

    assert trace.ran == ["p", "q", "a", "b", "c", "join"]
    assert trace.output == ["a", "b", "c", 0]


@pytest.mark.parametrize(("fail_fast", "ran"), [(True, ["p", "a"]), (False, ["p", "a", "b"])])
def test_a_failed_branch_fails_the_run_and_merges_nothing(fail_fast: bool, ran: list[str]) -> None:
    nodes = [splits("p", fail_fast=fail_fast), says("a", "{{ null > 1 }}"), sets("b", "v", 1), says("join")]
    trace = follow(nodes, "entry>p", "p>a", "p>b", "a>join", "b>join", v=0)

    assert (trace.failed, trace.cut_short, trace.ran, trace.variables) == (True, True, ran, {"v": 0})


# Loops


def test_a_foreach_yields_the_output_of_each_round_and_rounds_do_not_see_each_other() -> None:
    trace = follow(
        [
            loops("l", index_var="i"),
            says("a", "{{ [i, item, b] }}"),
            says("b", "{{ a }}"),
            says("end", "{{ [l, a] }}"),
        ],
        *("entry>l", "l.body>a", "a>b", "l>end"),
    )

    assert trace.ran == ["l", "a", "b", "a", "b", "end"]
    assert trace.output == [[[0, 1, None], [1, 2, None]], None]


def test_collect_is_evaluated_at_the_end_of_a_round() -> None:
    trace = follow(
        [loops("l", collect="[item, v, a]"), sets("a", "v", "{{ v + item }}")], "entry>l", "l.body>a", v=0
    )

    assert trace.output == [[1, 1, 1], [2, 3, 3]]
    assert trace.variables == {"v": 3}


def test_the_output_of_a_round_ignores_the_variable_output() -> None:
    trace = follow(
        [
            loops("l"),
            sets("a", "output", "{{ item }}"),
            says("b", "b"),
            says("end", "{{ l }}", result_binding="r"),
        ],
        *("entry>l", "l.body>a", "a>b", "l>end"),
    )

    assert (trace.output, trace.variables) == (2, {"output": 2})


def test_rounds_choose_by_loop_variables_and_data_values() -> None:
    trace = follow(
        [says("s", "1"), loops("l"), says("a", "A"), says("b", "B"), says("end", "{{ l }}")],
        *(
            "entry>s",
            "s>l",
            "s~d l",
            "l.body>a?item == 2 && d == '1'",
            "l.body>b?d == null",
            "l>end?d == '1'",
        ),
    )

    assert trace.output == [None, "A"]
    assert trace.chosen == ["edge_4", "edge_6"]


def test_an_error_in_a_condition_of_the_body_is_handled_by_the_loop() -> None:
    ways = ("entry>l", "l.body>a?null > 1", "l.body>b")

    assert follow([loops("l"), says("a"), says("b", "B")], *ways).failed
    assert follow([loops("l", **ON), says("a"), says("b", "B")], *ways).output == ["B", "B"]


def test_variables_of_inner_loops_hide_those_of_outer_ones_and_beat_results() -> None:
    trace = follow(
        [
            *(
                says("s", "S", result_binding="x"),
                loops("outer", item_var="x"),
                loops("inner", "[x, 3]", item_var="x"),
            ),
            *(says("a", "{{ x }}"), says("b", "{{ x }}")),
        ],
        *("entry>s", "s>outer", "outer.body>inner", "inner.body>a", "inner>b"),
    )

    assert trace.ran == ["s", "outer", "inner", "a", "a", "b", "inner", "a", "a", "b"]
    assert trace.output == [1, 2]


def test_a_while_sees_the_results_of_its_last_round_alone() -> None:
    trace = follow(
        [
            repeats("l", "a == null || a < 2"),
            sets("a", "v", "{{ a == null ? v + 1 : 9 }}"),
            says("end", "{{ [l, a] }}"),
        ],
        *("entry>l", "l.body>a", "l>end"),
        v=0,
    )

    assert (trace.output, trace.variables) == ([2, None], {"v": 2})


def test_a_while_without_rounds_yields_null() -> None:
    trace = follow([repeats("l", "false"), says("a")], "entry>l", "l.body>a")

    assert (trace.ran, trace.failed, trace.output) == (["l"], False, None)


@pytest.mark.parametrize("loop", [repeats("l", "true", 2), loops("l", "[1, 2, 3]", max_iterations=2)])
def test_a_loop_that_would_go_on_fails_after_its_last_round(loop: Any) -> None:
    trace = follow([loop, sets("a", "v", "{{ v + 1 }}")], "entry>l", "l.body>a", v=0)

    assert (trace.failed, trace.variables) == (True, {"v": 2})


def test_a_foreach_over_something_else_than_a_list_fails() -> None:
    assert follow([loops("l", "'ab'"), says("a")], "entry>l", "l.body>a").ran == ["l"]
    assert follow([loops("l", "'ab'"), says("a")], "entry>l", "l.body>a").failed


def test_a_loop_without_a_body_has_empty_rounds() -> None:
    assert follow([loops("l")], "entry>l").output == [None, None]
    assert follow([repeats("l", "true")], "entry>l").failed


def test_a_failed_loop_that_continues_yields_null_and_goes_on() -> None:
    trace = follow(
        [
            loops("l", **ON),
            sets("a", "v", "{{ item }}"),
            says("b", "{{ item > 1 ? null > 1 : 0 }}"),
            says("end", "{{ [l, v] }}"),
        ],
        *("entry>l", "l.body>a", "a>b", "l>end"),
        v=0,
    )

    assert trace.ran == ["l", "a", "b", "a", "b", "end"]
    assert (trace.output, trace.failed, trace.cut_short) == ([None, 2], False, False)


def test_concurrent_rounds_merge_in_the_order_of_the_items_and_nothing_when_one_fails() -> None:
    def run(last: str) -> Trace:
        loop = loops("l", f"[1, 2, {last}]", max_concurrent=2, **ON)
        return follow(
            [
                loop,
                says("b", "{{ item > 0 ? v : v }}"),
                sets("a", "v", "{{ v + item }}"),
                says("end", "{{ [l, v] }}"),
            ],
            *("entry>l", "l.body>b", "b>a", "l>end"),
            v=10,
        )

    assert run("3").output == [[11, 12, 13], 13]
    assert run("null").output == [None, 10]
    assert run("null").cut_short


def test_a_data_edge_into_a_body_gives_null_when_the_source_runs_after_the_loop() -> None:
    trace = follow(
        [loops("l", "[1]"), says("a", "{{ d }}"), says("late", "late")],
        *("entry>l", "entry>late", "l.body>a", "late~d a"),
    )

    assert trace.ran == ["l", "a", "late"]
    assert trace.data[1] == {"d": None}
