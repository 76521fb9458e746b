"""`queue_consume`: takes messages from a queue. Its value is the body of one, or a list of bodies."""

from typing import Annotated, Literal

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, QUEUE, Duration, StepKind, Surroundings
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults
from scaiflow_api.compiler.kinds.plugin_call import call_of
from scaiflow_api.compiler.kinds.queue_call import QueueConfig, lower_queue_call

METHOD = "consume"


class QueueConsumeConfig(QueueConfig):
    """How many messages are taken, and when they count as done."""

    batch_size: Annotated[int, Field(ge=1)] = 1
    """How many at most; above 1 the value is a list."""
    wait: Duration = "0s"
    """How long to wait for the first one."""
    ack: Literal["auto", "manual"] = "auto"
    """`auto` completes a message as soon as it is taken, `manual` leaves that to others."""


def lower(config: QueueConsumeConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_queue_call(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return beyond_defaults(call_of(block).args, QueueConsumeConfig)


QUEUE_CONSUME = StepKind(
    name="queue_consume",
    title="Queue Consume",
    description="Takes messages from a queue.",
    category=QUEUE,
    config=QueueConsumeConfig,
    lower=lower,
    config_of=config_of,
    templates=("scope", "queue"),
)
