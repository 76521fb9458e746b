"""The six automatic events of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

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


class Sink(Protocol):
    """Where a run's events go."""

    def emit(self, event: RuntimeEvent) -> None:
        """Take an event without waiting; order is kept."""
        ...

    async def pace(self) -> None:
        """Let others have their turn, and wait while events are taken faster than they are kept."""
        ...


def block_entered(block: ir.AnyBlock) -> RuntimeEvent:
    return RuntimeEvent(BLOCK_ENTERED, _place(block.kind, block.node_id, block.source_location.edge_id))


def block_exited(block: ir.AnyBlock, value: Value, duration_ms: int) -> RuntimeEvent:
    """Return the event of a block that yields a value."""
    payload = {
        **_place(block.kind, block.node_id, block.source_location.edge_id),
        "result_binding": block.result_binding or block.node_id,
        **_value(value),
        "duration_ms": duration_ms,
    }
    return RuntimeEvent(BLOCK_EXITED, payload)


def match_exited(block: ir.MatchBlock, edge_id: str | None, duration_ms: int) -> RuntimeEvent:
    """Return the event of a decision: which edge was taken, null for the fall-through."""
    payload = {
        **_place(block.kind, block.node_id, block.source_location.edge_id),
        "result_binding": None,
        "result_binding_value": None,
        "edge_id": edge_id,
        "duration_ms": duration_ms,
    }
    return RuntimeEvent(BLOCK_EXITED, payload)


def block_failed(kind: str, node_id: str | None, *, code: str, message: str, handled: bool) -> RuntimeEvent:
    """Return the event of an error. `handled`: the run goes on."""
    error = {"code": code, "message": message}
    return RuntimeEvent(BLOCK_FAILED, {**_place(kind, node_id, None), "error": error, "handled": handled})


def _place(kind: str, node_id: str | None, edge_id: str | None) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "block_kind": kind,
        "source_location": {"node_id": node_id, "edge_id": edge_id},
    }


def _value(value: Value) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # nested too deeply to be sent
        size = LARGEST_VALUE_BYTES + 1
    if size > LARGEST_VALUE_BYTES:
        return {"result_binding_truncated": True}
    return {"result_binding_value": value}
