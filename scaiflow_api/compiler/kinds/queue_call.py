"""What the kinds that talk to a queue share: which queue, and the call of `scaiqueue` that they become."""

from typing import Literal, TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import FallibleConfig, Surroundings, Text
from scaiflow_api.compiler.kinds.own_keys import own_keys
from scaiflow_api.compiler.kinds.plugin_call import lower_call

ALIAS = "scaiqueue"

MessagePriority: TypeAlias = Literal["background", "low", "normal", "high", "critical"]


class QueueConfig(FallibleConfig):
    """Which queue."""

    scope: Text | None = None
    """The scope of the queue; without one, that of the flow's topology."""
    queue: Text
    """The slug of the queue."""


def lower_queue_call(method: str, config: QueueConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_call(ALIAS, method, own_keys(config, {"scope": around.queue_scope}), around)
