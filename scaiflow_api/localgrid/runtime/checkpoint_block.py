"""Checkpoints and breakpoints: a person is asked."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value, parse_duration
from scaiflow_api.localgrid.runtime.checkpoint import Question, value_of_answer
from scaiflow_api.localgrid.runtime.evaluation import rendered, rendered_text
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame


async def run_checkpoint(
    block: ir.CheckpointBlock, flow: ir.Flow, frame: Frame, data: Mapping[str, Value]
) -> Value:
    """Return the resolution. Raises BlockFailed."""
    question = _question(block, flow, frame, frame.names(data))
    return value_of_answer(question, await frame.lane.ask(question))


def index_of(block: ir.AnyBlock, flow: ir.Flow) -> int:
    """Return a block's place in its flow, each block counted before those inside it."""
    return next(index for index, other in enumerate(ir.walk(flow.body)) if other is block)


def _question(block: ir.CheckpointBlock, flow: ir.Flow, frame: Frame, names: Mapping[str, Value]) -> Question:
    sections: Any = rendered(list(block.sections), names)
    options: Any = rendered(list(block.options), names)
    return Question(
        checkpoint_type=block.checkpoint_type,
        node_id=block.node_id or block.source_location.node_id,
        block_index=index_of(block, flow),
        iteration=frame.iteration,
        prompt=_text(block.prompt, names),
        options=options,
        sections=sections,
        assignee=_text(block.assignee, names),
        priority=block.priority or "normal",
        timeout_s=None if block.timeout is None else _seconds(block.timeout),
        on_timeout=block.on_timeout or "fail",
        hitl_target=_target(block.hitl_target, sections, names),
    )


def _target(
    target: ir.HitlTarget | None, sections: Value, names: Mapping[str, Value]
) -> Mapping[str, Any] | None:
    if target is None:
        return None
    return {
        "scope": _text(target.scope, names),
        "queue": rendered_text(target.queue, names),
        "hitl_spec": {**target.hitl_spec, "sections": sections},
    }


def _text(template: str | None, names: Mapping[str, Value]) -> str | None:
    return None if template is None else rendered_text(template, names)


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise BlockFailed("INVALID_TIMEOUT", f"the checkpoint's timeout is no duration: {error}") from None
