"""Questions to people, and what a block makes of the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.failures import BlockFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One checkpoint, all templates rendered."""

    checkpoint_type: str
    node_id: str | None
    """Of a breakpoint: the node before whose block it stands."""
    block_index: int
    """The block's place in the flow, each block counted before those inside it."""
    iteration: Sequence[int] = ()
    prompt: str | None = None
    options: Sequence[Value] = ()
    """Texts, or objects `{id, label}`; empty: any answer will do."""
    sections: Sequence[Value] = ()
    """The form of a review."""
    assignee: str | None = None
    priority: str = "normal"
    timeout_s: float | None = None
    """None: it waits for as long as it takes."""
    on_timeout: str = "fail"
    """`fail`, `escalate`, `continue` or `resolve:<option>`."""
    hitl_target: Mapping[str, Any] | None = None
    """`{scope, queue, hitl_spec}` of a review."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a checkpoint ended."""

    status: str
    """`resolved`, `expired` or `cancelled`."""
    resolution: Value = None


def value_of_answer(question: Question, answer: Answer) -> Value:
    """Return the resolution, null where time ran out and the run goes on. Raises BlockFailed."""
    if answer.status == "resolved":
        return answer.resolution
    if answer.status == "expired":
        if question.on_timeout == "continue":
            return None
        raise BlockFailed("CHECKPOINT_EXPIRED", f"nobody answered within {question.timeout_s:g} s")
    raise BlockFailed("CHECKPOINT_CANCELLED", "the checkpoint was cancelled")
