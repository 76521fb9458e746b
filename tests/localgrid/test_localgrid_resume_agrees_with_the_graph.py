"""A run that waits for people and is taken up again does what the flow's graph says, as one that never stopped."""

import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from compiler.compiler_graph_run import Graph, GraphRun
from compiler.compiler_random_configs import INPUTS
from compiler.compiler_random_flows import flows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from localgrid_lanes import lanes_of, order_of
from localgrid_runs import Bench, bench_at

from scaiflow_api.compiler import compile_flow, read_manifest
from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaicore.desk import NotPending
from scaiflow_api.localgrid.scaicore.invocation import Execution

EXAMPLES = max(40, settings().max_examples // 50)
"""The profile `fuzz` draws more."""
_KEPT = ("on_error", "result_binding")


class NodeModel:
    """Answers with the node that asked, and counts."""

    def __init__(self) -> None:
        self.goals: list[str] = []

    async def complete(self, choice: Any, request: Any) -> Any:
        self.goals.append(request.goal)
        return {"from": request.goal.removeprefix("goal of ")}


def with_people(document: Any, rng: Random) -> Any:
    """Let people answer most of what models would, and break before some nodes."""
    nodes = []
    for node in document["nodes"]:
        if node["type"].startswith("llm_") and node["type"] != "llm_rigid" and rng.random() < 0.7:
            node = {**node, "type": "checkpoint"}
            node["config"] = {key: node["config"][key] for key in _KEPT if key in node["config"]}
        if not node["type"].startswith("entry_") and rng.random() < 0.25:
            node = {**node, "config": {**node["config"], "breakpoint": True}}
        nodes.append(node)
    return {**document, "nodes": nodes}


async def finish(bench: Bench, execution: Execution, rng: Random) -> Execution:
    """Answer in any order, with restarts of the grid in between."""
    while execution.status == "SUSPENDED":
        pending = await bench.pending()
        for checkpoint in rng.sample(pending, rng.randint(1, len(pending))):
            with suppress(NotPending):  # what was answered before may have failed the lanes beside
                await bench.resolve(checkpoint, answer_of(checkpoint))
        if rng.random() < 0.4:
            await bench.restart()
        execution = await bench.state(execution.id)
    return execution


def answer_of(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"from": checkpoint.details["context"]["node_id"]}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows(16), st.integers(0, 2**32))
async def test_resumed_runs_agree_with_the_graph(document: Any, seed: int) -> None:
    rng = Random(seed)
    document = with_people(document, rng)
    module = read_manifest(manifest := str(compile_flow(document).body))
    graph = Graph(document)
    number = rng.randrange(len(module.flows))
    flow = module.flows[number]
    entry = next(str(t.node_id) for t in module.triggers if t.target_flow == flow.name)
    lanes = dict(lanes_of(flow.body))
    run_input = {name: rng.random() < 0.5 for name in INPUTS}
    expected = GraphRun(graph, entry, run_input).run()

    with tempfile.TemporaryDirectory() as folder:
        async with bench_at(Path(folder) / "grid.db", models=NodeModel()) as bench:
            core = await bench.core(manifest)
            execution = await finish(bench, await bench.invoke(core, run_input, number), rng)
            events = await bench.events(execution.id)
            left = await bench.pending()

    assert (execution.status == "FAILED") == expected.failed, execution.error
    assert execution.output == expected.output
    assert left == []
    if not expected.cut_short:
        assert order_of([e.payload for e in events if e.type.endswith("entered")], lanes) == expected.ran
