"""What shall run, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.scaicore.core_table import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The state of a run, as an invocation answers it."""

    id: str
    status: str
    """`RUNNING`, `SUSPENDED`, `COMPLETED` or `FAILED`."""
    output: Value = None
    error: Mapping[str, Any] | None = None
    checkpoint_id: str | None = None
    """Of a suspended one: the first checkpoint that it waits for."""

    def as_dict(self) -> dict[str, Any]:
        """Return the execution as it goes on the wire."""
        answer: dict[str, Any] = {"execution_id": self.id, "status": self.status, "output": self.output}
        if self.checkpoint_id is not None:
            answer["checkpoint_id"] = self.checkpoint_id
        if self.error is not None:
            answer["error"] = dict(self.error)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What shall run."""

    core: Core
    module: ir.Module
    flow: ir.Flow
    input: Mapping[str, Value]
    instance_key: str | None = None
    depth: int = 0
    """How many calls of one Core by another led here."""
