"""Runs that wait for people, wherever they stand, and go on: at once, or after a restart of the grid."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from localgrid_ir import (
    ScriptedModels,
    a_module,
    arm,
    asks,
    decides,
    edges_of,
    says,
    sets,
    tries,
)
from localgrid_runs import Bench, bench_at

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.model_calls import ModelFailed
from scaiflow_api.localgrid.scaicore.invocation import Execution


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_at(tmp_path / "grid.db") as bench:
        yield bench


def waits(node_id: str | None = "node_ok", **more: Any) -> ir.CheckpointBlock:
    return ir.CheckpointBlock(**{"node_id": node_id, "checkpoint_type": "approval", **more})


def together(*branches: Sequence[ir.AnyBlock], **more: Any) -> ir.ParallelBlock:
    return ir.ParallelBlock(
        node_id="node_par",
        branches=tuple(ir.Branch(edge_id=f"edge_{n}", body=tuple(body)) for n, body in enumerate(branches)),
        **more,
    )


LAST = sets("node_last", output="{{ [v, ok, a, b] }}")
AROUND = {
    "nothing": (waits(),),
    "an arm": (decides("node_if", arm("true", waits(), edge="edge_1")),),
    "the arm of an edge": (says("node_a", "a"), edges_of("node_a", arm("a == 'a'", waits()))),
    "else": (decides("node_if", arm("false"), else_body=(waits(),)),),
    "foreach": (
        ir.ForeachBlock(
            node_id="node_a",
            items="[1, 2]",
            body=(waits(prompt="item {{ item }}"), sets("node_s", v="{{ v + item }}")),
            collect="ok",
        ),
    ),
    "foreach at once": (
        ir.ForeachBlock(
            node_id="node_a",
            items="[1, 2, 3]",
            max_concurrent=2,
            body=(asks("node_m", goal="{{ item }}"), waits(), sets("node_s", v="{{ item }}")),
            collect="[item, m, ok]",
        ),
    ),
    "while": (
        ir.WhileBlock(
            node_id="node_a",
            condition="v < 2",
            max_iterations=5,
            body=(waits(), sets("node_s", v="{{ v + 1 }}")),
            collect="[v, ok]",
        ),
    ),
    "a branch": (together([waits()], [asks("node_a"), sets("node_s", v=7)], merge_order=("node_ok", "node_a")),),
    "two branches": (
        together([waits("node_a")], [asks("node_m"), waits("node_b")], merge_order=("node_a", "node_b")),
    ),
    "try": (tries(waits()),),
    "a failure before": (tries(says("node_a", "{{ 1 + 'x' }}")), waits()),
    "a failure behind": (tries(ir.WhileBlock(
        node_id="node_a", condition="true", max_iterations=1, body=(waits(), says("node_x", "{{ 1 + 'x' }}")),
    )),),
    "all of them": (
        together(
            [
                ir.ForeachBlock(
                    node_id="node_a",
                    items="[1, 2]",
                    max_concurrent=2,
                    body=(decides("node_if", arm("item == 1", tries(waits()), edge="edge_1")), asks("node_m")),
                    collect="[ok, m]",
                )
            ],
            [waits("node_b"), waits("node_b2")],
            merge_order=("node_a", "node_b", "node_b2"),
        ),
    ),
}  # fmt: skip


class Echo(ScriptedModels):
    """Answers with the number of the call; at once, so that no stop of the grid can cut it off, or with a pause."""

    def __init__(self, *, pauses: bool) -> None:
        super().__init__()
        self.pauses = pauses

    async def complete(self, choice: Any, request: Any) -> Any:
        self.requests.append(request)
        if self.pauses:
            await asyncio.sleep(0)
        return f"{request.goal}, asked {sum(r.goal == request.goal for r in self.requests)}"


async def played(
    bench: Bench, body: Sequence[ir.AnyBlock], *, restarting: bool
) -> tuple[Execution, list[str]]:
    """Run a body whose checkpoints are resolved one by one; return how it ended and what it asked."""
    core = await bench.core(a_module(*body, LAST, variables={"v": 0}))
    execution = await bench.invoke(core)
    asked: list[str] = []
    while execution.status == "SUSPENDED":
        (checkpoint, *_) = await bench.pending()
        if restarting:
            await bench.restart()
        asked.append(checkpoint.id)
        await bench.resolve(checkpoint, {"decision": len(asked)})
        if restarting and len(asked) % 2:
            await bench.restart()  # before the lane that waited had its turn
        execution = await bench.state(execution.id)
    return execution, asked


@pytest.mark.parametrize("around", AROUND)
async def test_a_run_goes_on_wherever_it_waited(around: str, tmp_path: Path) -> None:
    outcomes, traces = [], []
    for restarting in (False, True):
        models = Echo(pauses=not restarting)
        async with bench_at(tmp_path / f"{restarting}.db", models=models) as bench:
            execution, asked = await played(bench, AROUND[around], restarting=restarting)
            outcomes.append((execution.output, sorted(request.goal for request in models.requests)))
            traces.append(sorted(await bench.trace(execution.id)))

            assert execution.status == "COMPLETED", execution.error
            assert asked
            assert [row.status for row in await bench.rows()] == ["resolved"] * len(asked)

    assert outcomes[0] == outcomes[1]
    assert traces[0] == traces[1]


@pytest.mark.parametrize("restarting", [False, True])
async def test_an_escalation_is_answered_in_the_place_of_a_model(tmp_path: Path, restarting: bool) -> None:
    down = ScriptedModels([ModelFailed("MODEL_UNAVAILABLE", "down", unavailable=True)])
    block = asks("node_ok", output_type={"n": "int"}, on_failure="retry(max=1) | escalate")
    async with bench_at(tmp_path / "grid.db", models=down) as bench:
        execution = await bench.invoke(await bench.core(a_module(block, sets("node_z", output="{{ ok.n }}"))))
        if restarting:
            await bench.restart()
        (checkpoint,) = await bench.pending()
        await bench.resolve(checkpoint, {"n": "42"})
        ended = await bench.state(execution.id)

    assert checkpoint.details["checkpoint_type"] == "escalation"
    assert checkpoint.details["context"]["sections"][0]["field"] == "n"
    assert ended.output == 42
    assert len(down.requests) == 2


# What goes on beside


class Gate(ScriptedModels):
    """A model that answers once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.open = asyncio.Event(), asyncio.Event()

    async def complete(self, choice: Any, request: Any) -> Any:
        self.requests.append(request)
        self.called.set()
        await self.open.wait()
        return "an answer"


TWO = together([waits("node_a")], [waits("node_b")], merge_order=("node_a", "node_b"))


async def test_two_branches_wait_at_the_same_time(bench: Bench) -> None:
    execution = await bench.invoke(await bench.core(a_module(TWO, LAST)))
    first, second = await bench.pending()
    await bench.resolve(second, {"n": 2})
    between = await bench.state(execution.id)
    await bench.resolve(first, {"n": 1})
    ended = await bench.state(execution.id)

    assert (execution.status, execution.checkpoint_id) == ("SUSPENDED", first.id)
    assert (between.status, between.checkpoint_id) == ("SUSPENDED", first.id)
    assert ended.output == [None, None, {"n": 1}, {"n": 2}]


async def test_a_run_is_not_suspended_while_a_branch_goes_on(tmp_path: Path) -> None:
    gate = Gate()
    body = together([waits("node_a")], [asks("node_b")], merge_order=("node_a", "node_b"))
    async with bench_at(tmp_path / "grid.db", models=gate, limits={"invoke_wait_s": 0.02}) as bench:
        execution = await bench.invoke(await bench.core(a_module(body, LAST)))
        while not (pending := await bench.pending()):
            pass
        await bench.resolve(pending[0])
        gate.open.set()
        ended = await bench.state(execution.id)

    assert (execution.status, execution.checkpoint_id) == ("RUNNING", None)
    assert ended.output == [None, None, {"decision": "approve"}, "an answer"]


@pytest.mark.parametrize("restarting", [False, True])
async def test_a_branch_that_fails_takes_the_questions_beside_it_back(bench: Bench, restarting: bool) -> None:
    failing = (waits("node_b"), says("node_x", "{{ 1 + b.decision }}"))
    parallel = tries(together([waits("node_a"), says("node_never", "x")], failing))
    core = await bench.core(a_module(parallel, waits("node_c"), sets("node_last", output="{{ [a, b, c] }}")))
    execution = await bench.invoke(core)
    await bench.resolve((await bench.pending())[1])
    await bench.state(execution.id)
    if restarting:
        await bench.restart()
    (third,) = await bench.pending()
    await bench.resolve(third, {"n": 3})
    ended = await bench.state(execution.id)

    assert ended.output == [None, None, {"n": 3}]
    assert [row.status for row in await bench.rows()] == ["cancelled", "resolved", "resolved"]
    trace = await bench.trace(execution.id)
    assert [line for line in trace if "node_a" in line] == [
        *("entered node_a", "pending node_a", "resolved node_a"),
    ]
    assert sum("failed node_par" in line for line in trace) == 1


# Stops


async def test_a_caller_that_goes_away_leaves_no_run_behind(bench: Bench) -> None:
    execution = await bench.invoke(await bench.core(a_module(waits(), LAST)))
    (checkpoint,) = await bench.pending()
    for turns in range(6):
        caller = asyncio.create_task(bench.resolve(checkpoint))
        for _ in range(turns):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait({caller})
    while (await bench.rows())[0].status == "pending":
        pass
    ended = await bench.state(execution.id)

    assert ended.status == "COMPLETED"


async def test_what_was_under_way_at_a_stop_is_not_done_again(tmp_path: Path) -> None:
    gate = Gate()
    body = (tries(asks("node_a")), waits(), LAST)
    async with bench_at(tmp_path / "grid.db", models=gate, limits={"invoke_wait_s": 0.02}) as bench:
        execution = await bench.invoke(await bench.core(a_module(*body)))
        await gate.called.wait()
        await bench.restart()
        await bench.state(execution.id)
        (checkpoint,) = await bench.pending()
        await bench.resolve(checkpoint)
        ended = await bench.state(execution.id)
        failed = [e.payload for e in await bench.events() if e.type.endswith("block.failed")]

    assert len(gate.requests) == 1
    assert ended.output == [None, {"decision": "approve"}, None, None]
    assert [(p["node_id"], p["error"]["code"], p["handled"]) for p in failed] == [
        ("node_a", "INTERRUPTED", True)
    ]


async def test_time_that_ran_out_stays_so(tmp_path: Path) -> None:
    gate = Gate()
    block = tries(asks("node_a", budget={"max_duration": "0s"}, on_failure="retry(max=2)"))
    async with bench_at(tmp_path / "grid.db", models=gate) as bench:
        execution = await bench.invoke(await bench.core(a_module(block, waits(), LAST)))
        await bench.restart()
        gate.open.set()
        ended = await bench.finish(await bench.state(execution.id))
        failed = [e.payload["error"]["code"] for e in await bench.events() if e.type.endswith("failed")]

    assert len(gate.requests) <= 1
    assert (ended.status, ended.output[2]) == ("COMPLETED", None)
    assert failed == ["BUDGET_EXCEEDED"]


async def test_blocks_are_counted_as_if_there_had_been_no_stop(tmp_path: Path) -> None:
    body = (sets(None, v=1), sets(None, v=2), waits(), sets(None, v=3), LAST)
    outcomes = []
    for most in (5, 4):
        async with bench_at(tmp_path / f"{most}.db", limits={"max_blocks": most}) as bench:
            execution = await bench.invoke(await bench.core(a_module(*body)))
            await bench.restart()
            ended = await bench.finish(await bench.state(execution.id))
            outcomes.append(ended.error["code"] if ended.error else ended.status)

    assert outcomes == ["COMPLETED", "TOO_MANY_BLOCKS"]


async def test_people_are_not_hurried(tmp_path: Path) -> None:
    async with bench_at(tmp_path / "grid.db", limits={"run_timeout_s": 0.08}) as bench:
        execution = await bench.invoke(await bench.core(a_module(waits(), LAST)))
        await asyncio.sleep(0.12)
        ended = await bench.finish(await bench.state(execution.id))

    assert ended.status == "COMPLETED"


async def test_a_run_that_waited_has_the_time_left_that_it_had(tmp_path: Path) -> None:
    gate = Gate()
    async with bench_at(tmp_path / "grid.db", models=gate, limits={"run_timeout_s": 0.05}) as bench:
        execution = await bench.invoke(await bench.core(a_module(waits(), asks("node_a"))))
        (checkpoint,) = await bench.pending()
        await bench.resolve(checkpoint)
        await gate.called.wait()
        ended = await bench.state(execution.id)

    assert ended.error is not None
    assert ended.error["code"] == "RUN_TIMEOUT"


class Answering(ScriptedModels):
    async def complete(self, choice: Any, request: Any) -> Any:
        self.requests.append(request)
        await asyncio.sleep(0)
        return f"answer to {request.goal}"

    @property
    def goals(self) -> list[str]:
        return [request.goal for request in self.requests]


async def test_whatever_was_written_when_the_grid_died_nothing_happens_twice(tmp_path: Path) -> None:
    rounds = ir.ForeachBlock(
        node_id="node_a",
        items="[1, 2]",
        max_concurrent=2,
        body=(decides("node_if", arm("item == 1", tries(waits()))), asks("node_m", goal="round {{ item }}")),
        collect="[ok, m]",
    )
    body = (together([rounds], [asks("node_b", goal="b"), waits("node_b2")]), asks("node_c", goal="c"))
    last = sets("node_last", output="{{ [a, b, b2, c] }}")
    models = Answering()
    copies: list[tuple[Path, set[str]]] = []
    async with bench_at(tmp_path / "grid.db", models=models) as bench:
        core = await bench.core(a_module(*body, last))
        write = bench.store.write

        async def write_and_copy(work: Any) -> Any:
            result = await write(work)
            path = tmp_path / f"{len(copies)}.db"

            def copy(connection: sqlite3.Connection) -> None:
                with closing(sqlite3.connect(path)) as target:
                    connection.backup(target)

            await bench.store.read(copy)
            copies.append((path, set(models.goals)))
            return result

        bench.store.write = write_and_copy  # type: ignore[method-assign]
        whole = await bench.finish(await bench.invoke(core))
        trace = sorted(await bench.trace())

    ends = []
    for path, asked in copies:
        models = Answering()
        async with bench_at(path, models=models) as bench:
            ended = await bench.finish(await bench.state(whole.id))
            ends.append(ended.error["code"] if ended.error else ended.status)

            assert asked.isdisjoint(models.goals)
            if ended.status == "COMPLETED":
                assert ended.output == whole.output
                assert sorted(await bench.trace()) == trace
    assert whole.status == "COMPLETED"
    assert len(ends) > 10
    assert set(ends) == {"COMPLETED", "INTERRUPTED"}


# Calls


def calls(**more: Any) -> ir.CoreCallBlock:
    return ir.CoreCallBlock(**{"node_id": "node_a", "target": "core://acme/other", "timeout": "1s", **more})


async def calling(bench: Bench, *around: ir.AnyBlock) -> Execution:
    await bench.core(a_module(waits(), sets("node_last", output="{{ ok }}")), slug="other")
    body = around or (calls(), LAST)
    return await bench.invoke(await bench.core(a_module(*body)))


@pytest.mark.parametrize("restarting", [False, True])
async def test_a_call_of_a_core_that_waits_waits_itself(bench: Bench, restarting: bool) -> None:
    execution = await calling(bench)
    (checkpoint,) = await bench.pending()
    if restarting:
        await bench.restart()
        assert (await bench.state(execution.id)).status == "SUSPENDED"
    await bench.resolve(checkpoint)
    ended = await bench.state(execution.id)

    assert (execution.status, execution.checkpoint_id) == ("SUSPENDED", checkpoint.id)
    assert checkpoint.core_id == "core_other"
    assert checkpoint.execution_id != execution.id
    assert ended.output == [None, None, {"decision": "approve"}, None]


async def test_a_run_is_cancelled_in_the_middle_of_its_work(tmp_path: Path) -> None:
    gate = Gate()
    async with bench_at(tmp_path / "grid.db", models=gate, limits={"invoke_wait_s": 0.02}) as bench:
        execution = await bench.invoke(await bench.core(a_module(tries(asks("node_a")), LAST)))
        await gate.called.wait()
        ended = await bench.runs.cancel(execution.id)
        again = await bench.runs.cancel(execution.id)
        trace = await bench.trace(execution.id)

    assert execution.status == "RUNNING"
    assert ((ended and ended.error) or {})["code"] == "CANCELLED"
    assert again is None
    assert trace == ["started None", "entered node_a", "failed None"]


async def test_cancelling_a_run_cancels_what_it_waits_for(bench: Bench) -> None:
    execution = await calling(bench)
    ended = await bench.runs.cancel(execution.id)
    while (row := (await bench.rows())[0]).status == "pending":
        pass

    assert ended is not None
    assert (ended.error or {})["code"] == "CANCELLED"
    assert row.status == "cancelled"
    called = await bench.state(row.execution_id)
    assert (called.error or {})["code"] == "CANCELLED"


@pytest.mark.parametrize("restarting", [False, True])
async def test_a_called_core_that_nobody_waits_for_asks_by_itself(bench: Bench, restarting: bool) -> None:
    execution = await calling(bench, calls(is_async=True), waits("node_b"), LAST)
    if restarting:
        await bench.restart()
    ended = await bench.finish(await bench.state(execution.id))

    assert ended.status == "COMPLETED"
    assert len(await bench.rows()) == 2
