"""Runs that wait for people, wherever they stand, and go on: at once, or after a restart of the grid."""

import asyncio
from collections.abc import AsyncIterator, Sequence
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
from scaiflow_api.localgrid.invocation import Execution


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
    """Answers with the number of the call, and takes its time."""

    async def complete(self, choice: Any, request: Any) -> Any:
        self.requests.append(request)
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
            await bench.restart()
        execution = await bench.state(execution.id)
    return execution, asked


@pytest.mark.parametrize("around", AROUND)
async def test_a_run_goes_on_wherever_it_waited(around: str, tmp_path: Path) -> None:
    outcomes, traces = [], []
    for restarting in (False, True):
        models = Echo()
        async with bench_at(tmp_path / f"{restarting}.db", models=models) as bench:
            execution, asked = await played(bench, AROUND[around], restarting=restarting)
            outcomes.append((execution.output, sorted(request.goal for request in models.requests)))
            traces.append(sorted(await bench.trace(execution.id)))

            assert execution.status == "COMPLETED", execution.error
            assert asked
            assert [row.status for row in await bench.rows()] == ["resolved"] * len(asked)

    assert outcomes[0] == outcomes[1]
    assert traces[0] == traces[1]
