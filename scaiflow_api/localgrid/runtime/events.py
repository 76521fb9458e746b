"""The six automatic events of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value

_PREFIX = "scaicore.runtime."
INVOCATION_STARTED = f"{_PREFIX}invocation.started"
INVOCATION_COMPLETED = f"{_PREFIX}invocation.completed"
INVOCATION_FAILED = f"{_PREFIX}invocation.failed"
BLOCK_ENTERED = f"{_PREFIX}block.entered"
BLOCK_EXITED = f"{_PREFIX}block.exited"
BLOCK_FAILED = f"{_PREFIX}block.failed"

LARGEST_VALUE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    type: str
    payload: Mapping[str, Any]


def block_entered(block: ir.AnyBlock, iteration: Sequence[int]) -> RuntimeEvent:
    return RuntimeEvent(BLOCK_ENTERED, _place(block, iteration))


def block_exited(
    block: ir.AnyBlock, iteration: Sequence[int], value: Value, duration_ms: int
) -> RuntimeEvent:
    """Return the event of a block that has done its work; a parallel block yields no value."""
    if isinstance(block, ir.ParallelBlock):
        result: dict[str, Any] = {"result_binding": None, "result_binding_value": None}
    else:
        result = {"result_binding": block.result_binding or block.node_id, **_value(value)}
    return RuntimeEvent(BLOCK_EXITED, {**_place(block, iteration), **result, "duration_ms": duration_ms})


def match_exited(
    block: ir.MatchBlock, iteration: Sequence[int], edge_id: str | None, duration_ms: int
) -> RuntimeEvent:
    """Return the event of a decision: which edge was taken, null for the fall-through."""
    payload = {
        **_place(block, iteration),
        "result_binding": None,
        "result_binding_value": None,
        "edge_id": edge_id,
        "duration_ms": duration_ms,
    }
    return RuntimeEvent(BLOCK_EXITED, payload)


def block_failed(
    block: ir.AnyBlock, iteration: Sequence[int], *, code: str, message: str, handled: bool
) -> RuntimeEvent:
    """Return the event of an error. `handled`: it goes no further than this block."""
    error = {"code": code, "message": message}
    return RuntimeEvent(BLOCK_FAILED, {**_place(block, iteration), "error": error, "handled": handled})


def _place(block: ir.AnyBlock, iteration: Sequence[int]) -> dict[str, Any]:
    node_id = block.node_id or block.source_location.node_id
    return {
        "node_id": node_id,
        "block_kind": block.kind,
        "source_location": {"node_id": node_id, "edge_id": block.source_location.edge_id},
        **({"iteration": list(iteration)} if iteration else {}),
    }


def _value(value: Value) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # nested too deeply to be sent
        size = LARGEST_VALUE_BYTES + 1
    if size > LARGEST_VALUE_BYTES:
        return {"result_binding_truncated": True}
    return {"result_binding_value": value}
