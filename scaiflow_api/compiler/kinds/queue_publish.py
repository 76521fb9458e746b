"""`queue_publish`: puts a message on a queue. Its value is `{message_id}`."""

from typing import Annotated

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, QUEUE, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults
from scaiflow_api.compiler.kinds.plugin_call import call_of
from scaiflow_api.compiler.kinds.queue_call import MessagePriority, QueueConfig, lower_queue_call

METHOD = "publish"


class QueuePublishConfig(QueueConfig):
    """The message, and how the queue treats it."""

    message_type: Text
    """What the message says, for those who consume it: `order.new`."""
    payload: JSON
    """Texts may hold templates."""
    priority: MessagePriority | None = None
    """Without one, what the queue takes for normal."""
    labels: dict[str, str] | None = None
    """Name → value, for the queue's routing rules."""
    correlation_id: Text | None = None
    """What ties messages of one matter together."""
    idempotency_key: Text | None = None
    """A second message with the same key is not published again."""
    ttl_seconds: Annotated[int, Field(ge=1)] | None = None
    """How long the message waits for somebody, in seconds."""


def lower(config: QueuePublishConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_queue_call(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return beyond_defaults(call_of(block).args, QueuePublishConfig)


QUEUE_PUBLISH = StepKind(
    name="queue_publish",
    title="Queue Publish",
    description="Puts a message on a queue.",
    category=QUEUE,
    config=QueuePublishConfig,
    lower=lower,
    config_of=config_of,
    templates=("scope", "queue", "message_type", "payload", "labels", "correlation_id", "idempotency_key"),
)
