"""Which kind of node a block comes from, where nothing else says so."""

from collections.abc import Mapping

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds import (
    compute_destroy,
    compute_exec,
    compute_file_download,
    compute_file_upload,
    compute_provision,
    hitl_review,
    queue_call,
    queue_consume,
    queue_escalation,
    queue_publish,
    sandbox,
    tool_http,
)

PLUGIN = "tool_plugin"
CALLS: Mapping[tuple[str, str], str] = {
    (tool_http.ALIAS, tool_http.METHOD): "tool_http",
    (queue_call.ALIAS, queue_publish.METHOD): "queue_publish",
    (queue_call.ALIAS, queue_consume.METHOD): "queue_consume",
    (queue_call.ALIAS, queue_escalation.METHOD): "queue_escalation",
    (sandbox.ALIAS, compute_provision.METHOD): "compute_provision",
    (sandbox.ALIAS, compute_exec.METHOD): "compute_exec",
    (sandbox.ALIAS, compute_file_upload.METHOD): "compute_file_upload",
    (sandbox.ALIAS, compute_file_download.METHOD): "compute_file_download",
    (sandbox.ALIAS, compute_destroy.METHOD): "compute_destroy",
}
"""Plugin and method → kind; every other call is a `tool_plugin`."""


def kind_of(block: ir.AnyBlock) -> str | None:
    """Return the kind of node that such a block comes from; None where no kind lowers to it."""
    match block:
        case ir.GuardedBlock():
            return "llm_guarded"
        case ir.FlexibleBlock():
            return "llm_flexible"
        case ir.RigidBlock():
            return _kind_of_statements(block.statements)
        case ir.CheckpointBlock():
            asks = block.hitl_target is not None or block.checkpoint_type == hitl_review.TYPE
            return "hitl_review" if asks else "checkpoint"
        case ir.CoreCallBlock():
            return "subflow_call"
        case ir.MatchBlock():
            return "logic_decision"
        case ir.ForeachBlock() | ir.WhileBlock():
            return "logic_loop"
        case ir.ParallelBlock():
            return "logic_parallel"
        case ir.TryBlock():
            return None


def _kind_of_statements(statements: tuple[ir.Statement, ...]) -> str | None:
    match statements:
        case (ir.ExpressionStatement(),):
            return "llm_rigid"
        case (ir.PluginCallStatement() as call,):
            return CALLS.get((call.alias, call.method), PLUGIN)
    assigns = all(isinstance(statement, ir.AssignStatement) for statement in statements)
    return "data_variable_set" if statements and assigns else None


def fits(kind: object, block: ir.AnyBlock) -> bool:
    """Return whether a node of this kind can have lowered to the block."""
    likely = kind_of(block)
    if likely in CALLS.values():
        return kind in (likely, PLUGIN)
    if likely == "checkpoint":
        return kind in (likely, "hitl_decision")
    return likely is not None and kind == likely
