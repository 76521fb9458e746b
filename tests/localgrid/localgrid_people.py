"""Cores whose runs wait, and what people do about it, on the wire of ScaiGrid."""

from typing import Any

from localgrid_ir import a_module, sets
from localgrid_support import SCAICORE, Caller

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.manifest.writer import emit_yaml


def manifest(*body: ir.AnyBlock) -> str:
    """Return the manifest of a Core whose output is what its checkpoint answered."""
    return emit_yaml(a_module(*body, sets("node_last", output="{{ ok }}")))


def waits(node_id: str | None = "node_ok", **more: Any) -> ir.CheckpointBlock:
    return ir.CheckpointBlock(**{"node_id": node_id, "checkpoint_type": "approval", **more})


APPROVAL = manifest(waits(prompt="Pay {{ amount }}?", options=("approve", {"id": "reject", "label": "No"})))


async def suspended(bob: Caller, text: str = APPROVAL, **body: Any) -> tuple[str, dict[str, Any]]:
    """Deploy a Core and invoke it; return its id and the checkpoint that it waits for."""
    core_id = await bob.running(text)
    answer = await bob.invoke(core_id, **{"input": {"amount": 7}, **body})
    assert (answer["status"], answer["output"]) == ("SUSPENDED", None), answer
    return core_id, await read(bob, answer["checkpoint_id"])


async def read(caller: Caller, checkpoint_id: str) -> dict[str, Any]:
    response = await caller("GET", f"{SCAICORE}/checkpoints/{checkpoint_id}")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def listed(caller: Caller, **params: Any) -> list[dict[str, Any]]:
    response = await caller("GET", f"{SCAICORE}/checkpoints", params=params)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["data"]["checkpoints"]
    return found


async def resolve(caller: Caller, row: dict[str, Any], resolution: Any = "approve", **more: Any) -> Any:
    path = f"{SCAICORE}/checkpoints/{row['id']}/resolve"
    return await caller("POST", path, json={"resolution": resolution, **more})


async def ended(caller: Caller, execution_id: str) -> dict[str, Any]:
    """Return an execution once it no longer goes on."""
    while True:
        response = await caller("GET", f"{SCAICORE}/executions/{execution_id}")
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        if data["status"] not in {"RUNNING", "SUSPENDED"}:
            return data
