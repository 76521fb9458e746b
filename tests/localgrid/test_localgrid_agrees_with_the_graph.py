"""What the grid executes does what the flow's graph says: the compiler, the manifest and the runtime together."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_random_configs import INPUTS
from compiler.compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings
from localgrid_ir import Outcome, ScriptedModels, says
from localgrid_ir import run as run_module
from msgspec.structs import replace

from scaiflow_api.compiler import compile_flow, ir, read_manifest

GIVENS = [dict.fromkeys(INPUTS, False), dict.fromkeys(INPUTS, True)]
GIVENS += [{name: name == chosen for name in INPUTS} for chosen in INPUTS]

EXAMPLES = max(200, settings().max_examples // 10)
"""The profile `fuzz` draws more."""

VARIABLES = ("v", "w")
LAST = says("node_last_of_all", {name: f"{{{{ {name} }}}}" for name in VARIABLES})
"""Tells the variables at the end of a run."""


class TellsWhoAsked(ScriptedModels):
    """A model that some wait for longer than others."""

    async def complete(self, choice: Any, request: Any) -> Any:
        node_id = request.goal.removeprefix("goal of ")
        for _ in range(sum(node_id.encode()) % 5):
            await asyncio.sleep(0)
        return {"from": node_id}


def first_entries(module: ir.Module) -> dict[str, str]:
    """Return flow → its first trigger's node: the one that an invocation starts at."""
    return {t.target_flow: str(t.node_id) for t in reversed(module.triggers)}


# The order of what runs at the same time


@dataclass(frozen=True)
class Lane:
    """One of the ways that blocks at the same time go: a branch, or the rounds of a loop."""

    block: str
    loops: int
    """How many loops there are around the block."""
    branch: int | None
    """None: the lane is the round."""

    def of(self, iteration: list[int]) -> tuple[Any, int]:
        """Return which execution of the block is meant, and the lane's number."""
        number = iteration[self.loops] if self.branch is None else self.branch
        return (self.block, *iteration[: self.loops]), number


def lanes_of(body: tuple[ir.AnyBlock, ...], around: tuple[Lane, ...] = (), loops: int = 0) -> Iterator[Any]:
    """Yield each node with the lanes around it, outer ones first."""
    for block in body:
        node_id = str(block.node_id)
        yield node_id, around
        for number, inner in enumerate(ir.bodies(block)):
            match block:
                case ir.ParallelBlock():
                    yield from lanes_of(inner, (*around, Lane(node_id, loops, number)), loops)
                case ir.ForeachBlock(max_concurrent=several) if several > 1:
                    yield from lanes_of(inner, (*around, Lane(node_id, loops, None)), loops + 1)
                case ir.ForeachBlock() | ir.WhileBlock():
                    yield from lanes_of(inner, around, loops + 1)
                case _:
                    yield from lanes_of(inner, around, loops)


def one_by_one(
    entered: list[tuple[str, list[tuple[Any, int]]]], depth: int = 0
) -> Iterator[tuple[str, list[tuple[Any, int]]]]:
    """Put what ran at the same time one after another: lane after lane, the order within each as it was."""
    for block, together in groupby(
        entered, key=lambda item: item[1][depth][0] if len(item[1]) > depth else None
    ):
        if block is None:
            yield from together
        else:
            for _, lane in groupby(sorted(together, key=lambda i: i[1][depth][1]), lambda i: i[1][depth][1]):
                yield from one_by_one(list(lane), depth + 1)


def order_of(outcome: Outcome, lanes: Mapping[str, tuple[Lane, ...]]) -> list[str]:
    payloads = [event.payload for event in outcome.events if event.type.endswith("entered")]
    entered = [
        (p["node_id"], [lane.of(p.get("iteration", [])) for lane in lanes[p["node_id"]]]) for p in payloads
    ]
    return [node_id for node_id, _ in one_by_one(entered) if node_id != LAST.node_id]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows(24))
async def test_runs_agree_with_the_graph(document: Any) -> None:
    module = read_manifest(str(compile_flow(document).body))
    entries = first_entries(module)
    graph = Graph(document)

    for flow in module.flows:
        told = replace(flow, body=(*flow.body, LAST))
        lanes = dict(lanes_of(told.body))
        for run_input in GIVENS:
            expected = GraphRun(graph, entries[flow.name], run_input).run()
            outcome = await run_module(module, run_input, TellsWhoAsked(), max_blocks=100_000, flow=told)

            assert (outcome.failed is not None) == expected.failed
            assert outcome.output == expected.output
            if not expected.cut_short:
                assert order_of(outcome, lanes) == expected.ran
            if not expected.failed:
                variables = outcome.events[-1].payload["result_binding_value"]
                assert variables == {name: expected.variables[name] for name in VARIABLES}
