"""What the grid executes does what the flow's graph says: the compiler, the manifest and the runtime together."""

from typing import Any

from compiler.compiler_documents import INPUTS, flows
from compiler.compiler_reference import GraphRun
from hypothesis import HealthCheck, given, settings
from localgrid_ir import ScriptedModels
from localgrid_ir import run as run_module

from scaiflow_api.compiler import compile_flow, ir, read_manifest

GIVENS = [dict.fromkeys(INPUTS, False), dict.fromkeys(INPUTS, True)]
GIVENS += [{name: name == chosen for name in INPUTS} for chosen in INPUTS]


class TellsWhoAsked(ScriptedModels):
    async def complete(self, choice: Any, request: Any) -> Any:
        return {"from": request.goal.removeprefix("goal of ")}


def first_entries(module: ir.Module) -> dict[str, str]:
    """Return flow → its first trigger's node: the one that an invocation starts at."""
    return {t.target_flow: str(t.node_id) for t in reversed(module.triggers)}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
async def test_runs_agree_with_the_graph(document: Any) -> None:
    module = read_manifest(str(compile_flow(document).body))
    entries = first_entries(module)

    for flow in module.flows:
        for run_input in GIVENS:
            expected = GraphRun(document, entries[flow.name], run_input).run()
            outcome = await run_module(module, run_input, TellsWhoAsked(), flow=flow)

            ran = [e.payload["node_id"] for e in outcome.events if e.type.endswith("entered")]
            assert (ran, outcome.failed is not None) == (expected.ran, expected.failed)
            assert outcome.output == expected.output
