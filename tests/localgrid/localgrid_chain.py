"""A flow of nodes one behind another, deployed as it would be from the canvas."""

from itertools import pairwise
from typing import Any

from localgrid_support import Caller

from scaiflow_api.compiler import compile_flow


def chain(*nodes: tuple[str, str, dict[str, Any]], config: dict[str, Any] | None = None) -> str:
    """Return the manifest of a flow that runs `(short id, type, config)` after one another."""
    ids = ["node_entry", *(f"node_{short}" for short, _, _ in nodes)]
    document = {
        "id": "flow_chain0000001",
        "name": "Chain",
        "version": "1.0.0",
        "scaicore_target": "0.2",
        "nodes": [
            {"id": node_id, "type": type_, "label": node_id, "position": {"x": 0, "y": 0}, "config": config_}
            for node_id, (_, type_, config_) in zip(ids, [("", "entry_api", {}), *nodes], strict=True)
        ],
        "edges": [
            {
                "id": f"edge_{number}",
                "type": "sequential",
                "source": {"node": source, "port": "out_request" if source == "node_entry" else "out"},
                "target": {"node": target, "port": "in"},
            }
            for number, (source, target) in enumerate(pairwise(ids))
        ],
        "config": config or {},
    }
    return str(compile_flow(document).body)


async def run_chain(
    caller: Caller,
    *nodes: tuple[str, str, dict[str, Any]],
    config: dict[str, Any] | None = None,
    **run_input: Any,
) -> dict[str, Any]:
    """Deploy and run such a flow, and remove it again."""
    core_id = await caller.running(chain(*nodes, config=config))
    answer = await caller.invoke(core_id, input=run_input)
    await caller("DELETE", f"/scaigrid/v1/modules/scaicore/cores/{core_id}")
    return answer
