"""The policy `escalate` of a model block: what no model could answer, a person is asked."""

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.checkpoint import Question, value_of_answer
from scaiflow_api.localgrid.runtime.checkpoint_block import index_of
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.runtime.frame import Frame

TYPE = "escalation"
_TEXT = "text"


async def escalated(
    block: ir.GuardedBlock | ir.FlexibleBlock, flow: ir.Flow, frame: Frame, failure: BlockFailed
) -> Value:
    """Return what a person says instead of the model: an object, or text where the block declares no fields.

    It is not yet checked against the declared fields. Raises BlockFailed when nobody answers.
    """
    fields = {_TEXT: "string"} if block.output_type is None else block.output_type
    question = Question(
        checkpoint_type=TYPE,
        node_id=block.node_id or block.source_location.node_id,
        block_index=index_of(block, flow),
        iteration=frame.iteration,
        prompt=f"{failure.code}: {failure.message}",
        sections=[
            {"type": "input", "field": name, "kind": kind, "required": True} for name, kind in fields.items()
        ],
        priority="high",
    )
    resolution = value_of_answer(question, await frame.lane.ask(question))
    if block.output_type is not None or not isinstance(resolution, dict):
        return resolution
    return resolution.get(_TEXT, resolution.get("decision"))
