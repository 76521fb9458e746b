"""What the grid executes does what the flow's graph says: the compiler, the manifest and the runtime together."""

import asyncio
from typing import Any

from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_random_configs import INPUTS
from compiler.compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings
from localgrid_ir import ScriptedModels, says
from localgrid_ir import run as run_module
from localgrid_lanes import lanes_of, order_of
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
                payloads = [event.payload for event in outcome.events if event.type.endswith("entered")]
                assert order_of(payloads, lanes) == [
                    *expected.ran,
                    *([] if expected.failed else [LAST.node_id]),
                ]
            if not expected.failed:
                variables = outcome.events[-1].payload["result_binding_value"]
                assert variables == {name: expected.variables[name] for name in VARIABLES}
