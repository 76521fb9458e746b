"""`queue_escalation`: tells people, through a queue, that something needs them. Its value is `{message_id}`."""

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, QUEUE, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults
from scaiflow_api.compiler.kinds.pause import Assignee
from scaiflow_api.compiler.kinds.plugin_call import call_of
from scaiflow_api.compiler.kinds.queue_call import MessagePriority, QueueConfig, lower_queue_call

METHOD = "escalate"


class QueueEscalationConfig(QueueConfig):
    """Why, and for whom."""

    reason: Text
    """May hold templates."""
    payload: JSON = None
    """What they need to know; texts may hold templates."""
    message_type: Text = "escalation"
    """What the message says, for those who consume it."""
    priority: MessagePriority = "high"
    """How soon it comes to somebody."""
    assignee: Assignee | None = None
    """`user:<email or id>`, `group:<id>`, `role:<name>`, or a template."""


def lower(config: QueueEscalationConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_queue_call(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return beyond_defaults(call_of(block).args, QueueEscalationConfig)


QUEUE_ESCALATION = StepKind(
    name="queue_escalation",
    title="Queue Escalation",
    description="Tells people, through a queue, that something needs them.",
    category=QUEUE,
    config=QueueEscalationConfig,
    lower=lower,
    config_of=config_of,
    templates=("scope", "queue", "reason", "payload", "message_type", "assignee"),
)
