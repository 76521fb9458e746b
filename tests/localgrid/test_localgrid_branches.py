"""Branches that run at the same time."""

import asyncio
from typing import Any

import pytest
from localgrid_ir import (
    BROKEN,
    Crowd,
    ScriptedModels,
    a_module,
    arm,
    asks,
    decides,
    each,
    output_of,
    run,
    says,
    sets,
    splits,
    tries,
)

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.model_calls import ModelFailed


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
