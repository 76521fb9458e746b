"""Loops, branches, attempts, and what calls out of the flow, in hand-built modules."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from localgrid_ir import (
    Outcome,
    ScriptedCores,
    ScriptedModels,
    a_module,
    arm,
    asks,
    decides,
    edges_of,
    run,
    says,
    sets,
    tries,
)

from scaiflow_api.compiler import ManifestError, ir, read_manifest
from scaiflow_api.localgrid.runtime.model_calls import ModelFailed

BROKEN = "{{ 1 + 'a' }}"


def each(items: str, *body: ir.AnyBlock, node_id: str | None = "node_loop", **more: Any) -> ir.ForeachBlock:
    return ir.ForeachBlock(node_id=node_id, items=items, body=body, **more)


def repeats(condition: str, *body: ir.AnyBlock, **more: Any) -> ir.WhileBlock:
    return ir.WhileBlock(
        **{"node_id": "node_loop", "condition": condition, "max_iterations": 9, **more}, body=body
    )


def splits(*branches: Sequence[ir.AnyBlock], **more: Any) -> ir.ParallelBlock:
    found = tuple(ir.Branch(edge_id=f"edge_{n}", body=tuple(body)) for n, body in enumerate(branches))
    return ir.ParallelBlock(**{"node_id": "node_split", **more}, branches=found)


def candidates(*nodes: str) -> tuple[ir.OutputCandidate, ...]:
    return tuple(ir.OutputCandidate(node_id=node) for node in nodes)


async def output_of(*body: ir.AnyBlock, **given: Any) -> Any:
    """Return what the last node yields."""
    last = next(block.node_id for block in reversed(body) if block.node_id is not None)
    outcome = await run(a_module(*body, outputs=candidates(last), variables={"v": 0}), given)
    assert outcome.failed is None, outcome.failed
    return outcome.output


async def code_of(*body: ir.AnyBlock, **given: Any) -> str | None:
    failed = (await run(a_module(*body), given)).failed
    return failed.code if failed else None


class Crowd(ScriptedModels):
    """A model that counts how many ask at once, and lets everybody wait until so many do."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.present = self.most = 0
        self.order: list[str] = []
        self._expected = expected
        self._full = asyncio.Event()

    async def complete(self, choice: Any, request: Any) -> Any:
        self.present += 1
        self.most = max(self.most, self.present)
        if self.present >= self._expected:
            self._full.set()
        try:
            async with asyncio.timeout(5):
                await self._full.wait()
        finally:
            self.present -= 1
        self.order.append(request.goal)
        return request.goal


# Foreach


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


# Parallel


async def test_branches_run_at_the_same_time_and_join_in_the_order_of_ranks() -> None:
    crowd = Crowd(3)
    split = splits(
        [asks("node_a", goal="a", result_binding="shared")],
        [asks("node_b", goal="b", result_binding="shared")],
        [asks("node_c", goal="c", result_binding="shared")],
        merge_order=("node_c", "node_a", "node_b"),
    )
    outcome = await run(a_module(split, sets(None, output="{{ [a, b, c, shared] }}")), models=crowd)

    assert crowd.most == 3
    assert outcome.output == ["a", "b", "c", "b"]


@pytest.mark.parametrize(("allowed", "expected"), [(None, 3), (1, 1), (2, 2), (9, 3)])
async def test_so_many_branches_at_once_as_the_author_allows(allowed: int | None, expected: int) -> None:
    crowd = Crowd(expected)
    branches = [[asks(f"node_{n}", goal=f"{n}")] for n in range(3)]
    outcome = await run(a_module(splits(*branches, max_concurrent=allowed)), models=crowd)

    assert outcome.failed is None
    assert crowd.most == expected


async def test_branches_see_nothing_of_each_other() -> None:
    split = splits(
        [sets("node_a", v=1), says("node_b", "{{ [v, c, d] }}")],
        [sets("node_c", v=2), says("node_d", "{{ [v, a, b, port] }}", data_bindings={"port": "node_a"})],
        max_concurrent=1,
        merge_order=("node_a", "node_b", "node_c", "node_d"),
    )

    assert await output_of(split, says("node_after", "{{ [b, d, v, a] }}")) == [
        [1, None, None],
        [2, None, None, None],
        2,
        1,
    ]


async def test_only_variables_that_a_branch_assigned_are_merged() -> None:
    split = splits([sets("node_a", v="first", w="w")], [sets(None, x="x"), says("node_b", "{{ v }}")])

    assert await output_of(split, says("node_after", "{{ [v, w, x, b] }}")) == ["first", "w", "x", 0]


async def test_the_variable_output_may_be_assigned_in_a_branch() -> None:
    outcome = await run(a_module(splits([sets("node_a", output=1)], [sets("node_b", output=2)], [])))

    assert outcome.output == 2


async def test_nodes_of_branches_have_run_for_the_output() -> None:
    split = splits([says("node_a", "a"), decides("node_d", arm("true"))], [])
    outputs = (
        ir.OutputCandidate(node_id="node_a", successors=("node_d",)),
        ir.OutputCandidate(node_id="node_split"),
        ir.OutputCandidate(node_id="node_x"),
    )

    assert (await run(a_module(says("node_x", "x"), split, outputs=outputs[::2]))).output == "x"
    assert (await run(a_module(splits([says("node_a", "a")], []), outputs=outputs))).output == "a"


class Fails(ScriptedModels):
    """A model that fails when it is asked to, and else never answers."""

    cancelled = 0

    async def complete(self, choice: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        if request.goal.startswith("fail"):
            raise ModelFailed("BACKEND_ERROR", request.goal)
        if request.goal == "answer":
            return "answered"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_the_first_branch_that_fails_ends_the_others_at_once() -> None:
    models = Fails()
    split = splits([asks("node_a")], [asks("node_b", goal="fail now")], [asks("node_c")])
    outcome = await run(a_module(split, says("node_after", "x")), models=models)

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("BACKEND_ERROR", "node_b")
    assert models.cancelled == 2
    assert outcome.trace[-2:] == ["failed node_b", "failed node_split"]
    assert len(asyncio.all_tasks()) == 1


async def test_without_fail_fast_all_end_and_the_first_in_order_is_the_failure() -> None:
    class Slow(ScriptedModels):
        async def complete(self, choice: Any, request: Any) -> Any:
            for _ in range(20):
                await asyncio.sleep(0)
            raise ModelFailed("BACKEND_ERROR", request.goal)

    split = splits(
        [says("node_a", "a")],
        [asks("node_slow", goal="slow")],
        [says("node_fast", BROKEN)],
        [says("node_b", "b"), says("node_c", "c")],
        fail_fast=False,
    )
    outcome = await run(a_module(split), models=Slow())

    assert outcome.failed is not None
    assert (outcome.failed.message, outcome.failed.node_id) == ("slow", "node_slow")
    assert "exited node_c" in outcome.trace
    assert outcome.trace[-2:] == ["failed node_slow", "failed node_split"]


async def test_a_cancelled_run_leaves_nothing_running() -> None:
    models = Fails()
    inner = each("[1, 2, 3]", asks("node_a"), max_concurrent=3)
    task = asyncio.create_task(run(a_module(splits([inner], [asks("node_b")])), models=models))
    await asyncio.sleep(0.05)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert models.cancelled == 4
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_branches_share_the_budget_of_blocks() -> None:
    split = splits(*[[sets(None, v=1)] * 5] * 3, fail_fast=False)

    assert (await run(a_module(split), max_blocks=16)).failed is None
    failed = (await run(a_module(tries(split)), max_blocks=16)).failed
    assert failed is not None
    assert failed.code == "TOO_MANY_BLOCKS"


async def test_a_parallel_of_nothing_does_nothing() -> None:
    assert (await run(a_module(splits()))).trace == ["entered node_split", "exited node_split"]


# Failures and attempts


async def test_a_failure_fails_everything_around_it() -> None:
    loop = each("[1]", splits([each("[0, 'a']", says("node_n", "{{ 1 + item }}"), node_id="node_inner")]))
    outcome = await run(a_module(loop, says("node_after", "x")))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_n")
    assert outcome.trace[-5:] == [
        "entered node_n",
        "failed node_n",
        "failed node_inner",
        "failed node_split",
        "failed node_loop",
    ]
    assert not any(event.payload.get("handled") for event in outcome.events)


async def test_an_attempt_catches_what_fails_in_it() -> None:
    loop = each("[1, 'a']", sets("node_set", v="{{ item }}"), says("node_n", "{{ 1 + item }}"))
    body = (
        tries(loop, sets(None, caught="{{ loop == null && v == 'a' }}")),
        says("node_after", "{{ caught }}"),
    )
    outcome = await run(a_module(*body, outputs=candidates("node_after"), variables={"loop": "hidden"}))

    assert outcome.output is True
    assert [e.payload["handled"] for e in outcome.events if "error" in e.payload] == [False, True]
    assert outcome.trace[-4:] == [
        "failed node_n",
        "failed node_loop",
        "entered node_after",
        "exited node_after",
    ]


async def test_an_attempt_that_succeeds_catches_nothing() -> None:
    body = (tries(says("node_n", "ok"), sets(None, output="caught")), says("node_after", "{{ n }}"))

    assert await output_of(*body) == "ok"


async def test_what_is_caught_binds_null_under_all_names() -> None:
    failing = tries(says("node_x", BROKEN, result_binding="bound"))

    assert await output_of(failing, says("node_after", "{{ [x, bound] }}"), x="input", bound="input") == [
        None,
        None,
    ]


async def test_a_failure_while_catching_goes_on_outwards() -> None:
    body = tries(says("node_n", BROKEN), says("node_catch", BROKEN))
    outcome = await run(a_module(body))

    assert outcome.failed is not None
    assert outcome.failed.node_id == "node_catch"
    assert (await run(a_module(tries(each("[1]", body))))).failed is None


async def test_every_round_has_its_own_attempt() -> None:
    loop = each("[1, 'a', 3]", tries(says("node_n", "{{ 1 + item }}")), outputs=candidates("node_n"))

    assert await output_of(loop) == [2, None, 4]


async def test_a_broken_sequential_round_keeps_what_it_assigned() -> None:
    loop = each("[1, 2, 'a']", sets("node_set", v="{{ item }}"), says("node_n", "{{ 1 + item }}"))
    outcome = await run(a_module(tries(loop), sets(None, output="{{ v }}")))

    assert outcome.output == "a"


@pytest.mark.parametrize(
    "loop",
    [
        each("[1]", collect="1 + 'a'"),
        each("1 + 'a'"),
        repeats("1 + 'a'"),
        each("[1, 2]", edges_of("node_loop", arm("1 + 'a'"))),
    ],
)
async def test_expressions_of_a_loop_fail_the_loop(loop: ir.AnyBlock) -> None:
    outcome = await run(a_module(loop))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_loop")
    assert outcome.trace[-1] == "failed node_loop"


# What calls out of the flow


@pytest.mark.parametrize(
    ("block", "code", "names"),
    [
        (
            ir.RigidBlock(
                node_id="node_n", statements=(ir.PluginCallStatement(alias="http", method="request"),)
            ),
            "PLUGIN_UNAVAILABLE",
            "http.request",
        ),
    ],
)
async def test_what_this_grid_does_not_have_fails_its_block(
    block: ir.AnyBlock, code: str, names: str
) -> None:
    strict = await run(a_module(block))
    tolerant = await run(a_module(tries(block), sets(None, output="on")))

    assert strict.failed is not None
    assert (strict.failed.code, strict.failed.node_id) == (code, "node_n")
    assert f"'{names}' is not available on this grid yet" in strict.failed.message
    assert strict.trace[-1] == "failed node_n"
    assert tolerant.output == "on"


def calls(**more: Any) -> ir.CoreCallBlock:
    return ir.CoreCallBlock(**{"node_id": "node_call", "target": "core://acme/other", **more})


async def test_another_core_gets_its_input_rendered_and_its_output_is_the_result() -> None:
    cores = ScriptedCores({"other": {"found": 1}})
    block = calls(
        flow_name="look_up",
        input_bindings={"id": "{{ id + 1 }}"},
        instance_key="key-{{ id }}",
        version="1.2.0",
        timeout="2m",
    )
    outcome = await run(a_module(block, outputs=candidates("node_call")), {"id": 6}, cores=cores)

    assert outcome.output == {"found": 1}
    request = cores.called[0]
    assert (request.target, request.flow_name, request.version) == ("core://acme/other", "look_up", "1.2.0")
    assert (request.input, request.instance_key, request.timeout_s) == ({"id": 7}, "key-6", 120)
    assert outcome.events[-1].payload["block_kind"] == "core_call"


async def test_a_call_that_is_not_waited_for_yields_null() -> None:
    cores = ScriptedCores()
    outcome = await run(
        a_module(calls(is_async=True), sets(None, output="{{ call }}")), {"call": 1}, cores=cores
    )

    assert (outcome.output, outcome.failed) == (None, None)
    assert [request.target for request in cores.started] == ["core://acme/other"]


async def test_a_call_that_fails_is_a_failure_like_any() -> None:
    assert await code_of(calls()) == "CORE_NOT_FOUND"
    assert await code_of(calls(timeout="soon")) == "INVALID_TIMEOUT"
    assert await code_of(tries(calls())) is None


# Events


def told(outcome: Outcome) -> list[tuple[str, str, Any]]:
    return [
        (event.type.rpartition(".")[2], event.payload["node_id"], event.payload.get("iteration"))
        for event in outcome.events
    ]


async def test_blocks_tell_of_every_round_and_in_which_they_are() -> None:
    inner = each("[1]", node_id="node_inner", collect="item")
    outer = each("[1, 2]", inner, decides("node_d", arm("item > 1", splits([says("node_n", "x")]), edge="e")))
    outcome = await run(a_module(outer))

    assert told(outcome) == [
        ("entered", "node_loop", None),
        ("entered", "node_inner", [0]),
        ("exited", "node_inner", [0]),
        ("entered", "node_d", [0]),
        ("exited", "node_d", [0]),
        ("entered", "node_inner", [1]),
        ("exited", "node_inner", [1]),
        ("entered", "node_d", [1]),
        ("exited", "node_d", [1]),
        ("entered", "node_split", [1]),
        ("entered", "node_n", [1]),
        ("exited", "node_n", [1]),
        ("exited", "node_split", [1]),
        ("exited", "node_loop", None),
    ]


async def test_loops_tell_their_value_and_parallels_that_they_have_none() -> None:
    loop = each("[1, 2]", says("node_n", "x"), collect="item", result_binding="list")
    outcome = await run(a_module(loop, splits([])))
    exits = [event.payload for event in outcome.events if event.type.endswith("exited")]

    assert [payload.get("iteration") for payload in exits] == [[0], [1], None, None]
    assert (exits[2]["block_kind"], exits[2]["result_binding"]) == ("foreach", "list")
    assert exits[2]["result_binding_value"] == [1, 2]
    assert exits[3]["block_kind"] == "parallel"
    assert exits[3]["result_binding_value"] is None
    assert "edge_id" not in exits[3]


async def test_failures_in_a_round_tell_the_round() -> None:
    inner = each("[0, 'a']", says("node_n", "{{ 1 + item }}"), node_id="node_inner")
    outcome = await run(a_module(repeats("true", inner)))

    assert told(outcome)[-3:] == [
        ("failed", "node_n", [0, 1]),
        ("failed", "node_inner", [0]),
        ("failed", "node_loop", None),
    ]


# Depth


def nested_manifest(steps: list[Any]) -> str:
    models = [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]
    core = {
        "name": "deep",
        "mode": "stateless",
        "runtime_version": "0.2",
        "identity": {"provider": "scaikey", "persona": "Tester"},
        "model": "scaigrid/openai/gpt-4o",
        "flows": [{"name": "deep", "trigger": {"type": "api"}, "steps": steps}],
        "scaiflow_meta": {"source_id": None, "source_version": "1.0.0", "models": models},
    }
    return json.dumps({"core": core})


def wrapped(form: str, steps: list[Any]) -> list[Any]:
    inner = {
        "foreach": {"items": "[1]", "steps": steps},
        "while": {"condition": "on", "max_iterations": 2, "steps": steps},
        "parallel": {"branches": [{"edge": "e", "steps": steps}]},
        "match": {"arms": [{"when": "true", "edge": "e", "steps": steps}]},
    }
    return [{form: inner[form], "on_error": "continue"}]


def is_read(steps: list[Any]) -> bool:
    try:
        read_manifest(nested_manifest(steps))
    except ManifestError:
        return False
    return True


@pytest.mark.parametrize("form", ["foreach", "while", "parallel", "match"])
async def test_what_a_manifest_can_nest_can_be_run(form: str) -> None:
    values = {"output": "deep", "on": False}
    steps: list[Any] = [{"set": [{"variable": name, "value": value} for name, value in values.items()]}]
    levels = 0
    while is_read(around := wrapped(form, steps)):
        steps = around
        levels += 1
    outcome = await run(read_manifest(nested_manifest(steps)), {"on": True})

    assert levels > 20
    assert outcome.failed is None
    assert outcome.output == "deep"


async def test_deep_nesting_is_no_matter_of_the_stack() -> None:
    expression = f"{'(' * 60}1{')' * 60} + v"
    body: ir.AnyBlock = sets("node_deep", output=f"{{{{ {expression} }}}}")
    for level in range(40):
        wrapped = edges_of(None, arm("true", tries(body)))
        shapes = (
            each("[1]", wrapped, node_id=f"node_{level}"),
            splits([wrapped]),
            repeats("v == 0", wrapped),
        )
        again = sets(None, v="{{ v + 0 }}")
        body = shapes[level % 2] if level % 3 else each("[1]", again, tries(wrapped), node_id=None)
    outcome = await run(a_module(body, variables={"v": 0}))

    assert outcome.failed is None
    assert outcome.output == 1
