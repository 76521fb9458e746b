"""Loops, over lists and as long as a condition holds, one round after the other and several at once."""

import asyncio
from typing import Any

import pytest
from localgrid_ir import (
    Crowd,
    ScriptedModels,
    a_module,
    arm,
    asks,
    candidates,
    code_of,
    each,
    edges_of,
    output_of,
    repeats,
    run,
    says,
    sets,
    tries,
)

from scaiflow_api.compiler import ir


async def test_a_round_for_every_item_in_order() -> None:
    loop = each("[3, 1, 2]", collect="item * 10")

    assert await output_of(loop) == [30, 10, 20]
    assert await output_of(each("[]", collect="item")) == []
    assert await output_of(each("{{ list }}", collect="item"), list=["a"]) == ["a"]


async def test_a_round_yields_what_its_nodes_yield() -> None:
    body = (
        says("node_a", "{{ item }}"),
        edges_of("node_a", arm("item > 1", says("node_b", "{{ item * 2 }}"))),
    )
    outputs = (
        ir.OutputCandidate(node_id="node_b"),
        ir.OutputCandidate(node_id="node_a", successors=("node_b",)),
    )

    assert await output_of(each("[1, 2, 3]", *body, outputs=outputs)) == [1, 4, 6]


async def test_the_variable_output_is_the_output_of_the_run_and_of_no_round() -> None:
    loop = each("[1, 2]", sets(None, output="{{ item }}"), outputs=candidates("node_a"))
    outcome = await run(a_module(loop))

    assert outcome.output == 2
    assert outcome.events[-1].payload["result_binding_value"] == [None, None]


async def test_items_and_positions_have_the_names_that_the_author_gave() -> None:
    loop = each("['a', 'b']", item_var="letter", index_var="at", collect="[at, letter, item]")

    assert await output_of(loop) == [[0, "a", None], [1, "b", None]]


@pytest.mark.parametrize("items", ["'text'", "{a: 1}", "null", "missing", "3"])
async def test_only_lists_have_items(items: str) -> None:
    assert await code_of(each(items)) == "ITEMS_NOT_A_LIST"


async def test_a_round_sees_results_around_it_and_keeps_its_own() -> None:
    inner = says("node_inner", "{{ [outer, inner, item] }}")
    loop = each("[1, 2]", inner, outputs=candidates("node_inner"))
    after = says("node_after", "{{ [loop, inner] }}")

    assert await output_of(says("node_outer", "o"), loop, after) == [[["o", None, 1], ["o", None, 2]], None]


async def test_data_edges_into_a_body_bring_results_from_around() -> None:
    inner = says(
        "node_inner", "{{ [port, other] }}", data_bindings={"port": "node_outer", "other": "node_later"}
    )
    body = (says("node_outer", "o"), each("[1]", inner, outputs=candidates("node_inner")))

    assert await output_of(*body) == [["o", None]]


async def test_variables_outlive_a_round() -> None:
    loop = each("[1, 2, 3]", sets("node_add", v="{{ v + item }}", fresh="{{ item }}"), collect="v")

    assert await output_of(loop) == [1, 3, 6]
    assert await output_of(loop, says("node_after", "{{ [v, fresh] }}")) == [6, 3]


async def test_loop_variables_stand_between_results_and_bindings() -> None:
    loop = each(
        "[1]",
        says("node_item", "result"),
        says("node_seen", "{{ item }}"),
        says("node_bound", "{{ item }}", data_bindings={"item": "node_entry"}),
        collect="[seen, bound]",
    )

    assert await output_of(says("node_item", "outside"), loop, x=1) == [[1, {"x": 1}]]


async def test_inner_loops_hide_outer_ones() -> None:
    inner = each("[item + 1, item + 2]", node_id="node_inner", index_var="i", collect="[i, item]")
    outer = each("[10, 20]", inner, index_var="i", collect="[i, item, inner]")

    assert await output_of(outer) == [
        [0, 10, [[0, 11], [1, 12]]],
        [1, 20, [[0, 21], [1, 22]]],
    ]


async def test_loop_variables_are_gone_after_the_loop() -> None:
    assert await output_of(each("[1]"), says("node_after", "{{ item }}")) is None


@pytest.mark.parametrize("name", ["input", "__flag"])
async def test_loop_variables_hide_neither_the_input_nor_flags(name: str) -> None:
    body = (sets(None, __flag=False), each("['forged']", item_var=name, collect=name))

    assert await output_of(*body, a=1) == [{"a": 1} if name == "input" else False]


async def test_a_loop_that_has_more_items_than_rounds_runs_those_and_fails() -> None:
    loop = each("[1, 2, 3]", sets("node_add", v="{{ v + item }}"), max_iterations=2)
    outcome = await run(a_module(tries(loop), sets(None, output="{{ [v, loop] }}"), variables={"v": 0}))

    assert outcome.output == [3, None]
    assert [e.payload["error"]["code"] for e in outcome.events if "error" in e.payload] == ["MAX_ITERATIONS"]
    assert await code_of(each("[1, 2]", max_iterations=2)) is None


async def test_a_round_may_begin_with_conditions_that_see_the_loop() -> None:
    ways = edges_of(
        "node_loop",
        arm("item == port.n", says("node_a", "a")),
        arm("item > 1", says("node_b", "b")),
    )
    loop = each("[1, 2, 3]", ways, data_bindings={"port": "node_entry"}, collect="a ?? b")

    assert await output_of(loop, n=2) == [None, "a", "b"]


async def test_a_tolerant_loop_goes_on_where_such_a_condition_fails() -> None:
    ways = edges_of(
        "node_loop",
        arm("item + 'a'", says("node_a", "a")),
        arm("true", says("node_b", "b")),
        on_error="continue",
    )

    assert await output_of(each("['b', 1]", ways, collect="[a, b]")) == [["a", None], [None, "b"]]


# Several rounds at once


@pytest.mark.parametrize(("allowed", "expected"), [(1, 1), (2, 2), (4, 4), (100, 6)])
async def test_so_many_rounds_at_once_as_the_author_allows(allowed: int, expected: int) -> None:
    crowd = Crowd(expected)
    loop = each(
        "[1, 2, 3, 4, 5, 6]",
        asks("node_n", goal="{{ item }}"),
        max_concurrent=allowed,
        outputs=candidates("node_n"),
    )
    outcome = await run(a_module(loop, outputs=candidates("node_loop")), models=crowd)

    assert crowd.most == expected
    assert outcome.output == ["1", "2", "3", "4", "5", "6"]


class LastFirst(ScriptedModels):
    """A model that answers the later questions first."""

    async def complete(self, choice: Any, request: Any) -> Any:
        for _ in range(10 - int(request.goal)):
            await asyncio.sleep(0)
        self.requests.append(request)
        return request.goal


async def test_rounds_at_once_work_on_copies_that_are_merged_in_the_order_of_the_items() -> None:
    body = (
        asks("node_n", goal="{{ item }}"),
        sets("node_add", v="{{ v + item }}"),
        edges_of("node_add", arm("item == 2", sets(None, second="only"))),
    )
    loop = each("[1, 2, 3]", *body, max_concurrent=3, collect="v")
    models = LastFirst()
    outcome = await run(
        a_module(loop, sets(None, output="{{ [loop, v, second] }}"), variables={"v": 10, "second": None}),
        models=models,
    )

    assert [request.goal for request in models.requests] == ["3", "2", "1"]
    assert outcome.output == [[11, 12, 13], 13, "only"]


@pytest.mark.parametrize("more", [{"max_iterations": 2}, {"items": "[1, 2, 'a']"}])
async def test_rounds_at_once_that_fail_change_nothing(more: dict[str, Any]) -> None:
    loop = ir.ForeachBlock(
        **{
            "node_id": "node_loop",
            "items": "[1, 2, 3]",
            "body": (sets("node_add", v="{{ v + item }}"),),
            "max_concurrent": 2,
            **more,
        }
    )
    outcome = await run(a_module(tries(loop), sets(None, output="{{ v }}"), variables={"v": 0}))

    assert outcome.output == 0


# While


async def test_rounds_as_long_as_the_condition_holds() -> None:
    loop = repeats("v < 3", sets("node_add", v="{{ v + 1 }}"), outputs=candidates("node_add"))

    assert await output_of(loop) == 3
    assert await output_of(loop, says("node_after", "{{ v }}")) == 3
    assert await output_of(repeats("false", says("node_n", "x"), collect="1")) is None


async def test_the_condition_sees_the_round_before() -> None:
    loop = repeats("(n ?? 0) < 3", says("node_n", "{{ v }}"), sets(None, v="{{ v + 1 }}"), collect="[n, v]")

    assert await output_of(loop) == [3, 4]


async def test_a_round_does_not_see_the_round_before() -> None:
    loop = repeats("v < 2", says("node_n", "{{ n }}"), sets(None, v="{{ v + 1 }}"), collect="n")

    assert await output_of(loop) is None


async def test_the_condition_and_collect_see_the_data_of_the_loop() -> None:
    loop = repeats(
        "v < port.n",
        sets("node_add", v="{{ v + 1 }}"),
        data_bindings={"port": "node_entry"},
        collect="[v, port.n]",
    )

    assert await output_of(loop, n=2) == [2, 2]


async def test_a_while_that_would_go_on_fails_after_its_rounds() -> None:
    loop = repeats("true", sets("node_add", v="{{ v + 1 }}"), max_iterations=4)
    outcome = await run(a_module(tries(loop), sets(None, output="{{ v }}"), variables={"v": 0}))

    assert outcome.output == 4
    assert await code_of(loop) == "EVALUATION_ERROR"
    assert await code_of(repeats("true", max_iterations=4)) == "MAX_ITERATIONS"
    assert await output_of(repeats("v < 4", sets(None, v="{{ v + 1 }}"), max_iterations=4)) is None


@pytest.mark.parametrize(
    "loop", [repeats("true", max_iterations=None), each("xs"), each("xs", max_concurrent=4)]
)
async def test_rounds_count_as_blocks_so_that_no_loop_is_endless(loop: ir.AnyBlock) -> None:
    outcome = await run(a_module(tries(loop)), {"xs": [1] * 5000}, max_blocks=1000)

    assert outcome.failed is not None
    assert outcome.failed.code == "TOO_MANY_BLOCKS"


async def test_an_endless_loop_ends_with_the_time_of_its_run() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await run(a_module(repeats("true", max_iterations=None)), max_blocks=10**9)


async def test_results_of_loops_are_bounded() -> None:
    text = "'x'.repeat(1000000)"

    assert await code_of(each("xs", collect=text), xs=[1] * 15) is None
    assert await code_of(each("xs", collect=text), xs=[1] * 20) == "RESULT_TOO_LARGE"
