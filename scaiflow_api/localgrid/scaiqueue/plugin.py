"""The plugin `scaiqueue`: what a run publishes to its tenant's queues and takes from them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints

from scaiflow_api.expressions import Value, parse_duration
from scaiflow_api.localgrid.runtime.evaluation import as_text
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.scaicore.invocation import Invocation
from scaiflow_api.localgrid.scaicore.plugin_args import (
    Args,
    MaybeText,
    Text,
    call_method,
    read_args,
)
from scaiflow_api.localgrid.scaiqueue.claims import MOST_AT_ONCE
from scaiflow_api.localgrid.scaiqueue.message import Actor, NewMessage
from scaiflow_api.localgrid.scaiqueue.post import Post

ALIAS = "scaiqueue"

Priority: TypeAlias = Literal["critical", "high", "normal", "low", "background"]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
MaybeKey = Annotated[MaybeText, Field(max_length=255)]
Label = Annotated[str, BeforeValidator(as_text), StringConstraints(max_length=255)]


class QueueArgs(Args):
    """Which queue, by slugs."""

    scope: MaybeText = None
    queue: Key

    @property
    def place(self) -> tuple[str, str]:
        """Scope and queue. Raises BlockFailed where nothing says which scope."""
        if not self.scope:
            raise BlockFailed(
                "SCAIQUEUE_SCOPE_NOT_FOUND", f"nothing says in which scope the queue {self.queue!r} is"
            )
        return self.scope, self.queue


class PublishArgs(QueueArgs):
    message_type: Key
    payload: Any
    priority: Priority | None = None
    labels: dict[str, Label] | None = None
    correlation_id: MaybeKey = None
    idempotency_key: MaybeKey = None
    ttl_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None


class ConsumeArgs(QueueArgs):
    batch_size: Annotated[int, Field(ge=1)] = 1
    wait: str = "0s"
    ack: Literal["auto", "manual"] = "auto"


class EscalateArgs(QueueArgs):
    reason: Text
    payload: Any = None
    message_type: Key = "escalation"
    priority: Priority = "high"
    assignee: MaybeText = None


class QueuePlugin:
    """Implements `Plugin` for one run. A queue sees the Core as the one that publishes and claims."""

    def __init__(self, post: Post, invocation: Invocation, execution_id: str) -> None:
        self._post = post
        self._tenant_id = invocation.core.tenant_id
        self._core = Actor(type="core", id=invocation.core.id, execution_id=execution_id)
        self._methods = {"publish": self._publish, "consume": self._consume, "escalate": self._escalate}

    async def call(self, method: str, args: Mapping[str, Value]) -> Value:
        """Do what the method says. Raises BlockFailed."""
        return await call_method(ALIAS, self._methods, method, args)

    async def _publish(self, given: Mapping[str, Value]) -> Value:
        args = read_args(PublishArgs, given)
        new = NewMessage(
            message_type=args.message_type,
            body=args.payload,
            priority_tier=args.priority or "normal",
            labels=args.labels or {},
            correlation_id=args.correlation_id or None,
            idempotency_key=args.idempotency_key or None,
            ttl_seconds=args.ttl_seconds,
        )
        return await self._send(args, new)

    async def _escalate(self, given: Mapping[str, Value]) -> Value:
        args = read_args(EscalateArgs, given)
        new = NewMessage(
            message_type=args.message_type,
            body={"reason": args.reason, "payload": args.payload, "assignee": args.assignee},
            priority_tier=args.priority,
        )
        return await self._send(args, new)

    async def _send(self, args: QueueArgs, new: NewMessage) -> Value:
        message = await self._post.publish(self._tenant_id, *args.place, new, self._core)
        return {"message_id": message.id}

    async def _consume(self, given: Mapping[str, Value]) -> Value:
        """Return the body of a message, null without one; of several the list of bodies, which may be empty."""
        args = read_args(ConsumeArgs, given)
        taken = await self._post.take(
            self._tenant_id,
            *args.place,
            self._core,
            most=min(args.batch_size, MOST_AT_ONCE),
            wait_s=_seconds(args.wait),
            complete=args.ack == "auto",
        )
        bodies = [message.published["body"] for message in taken]
        if args.batch_size > 1:
            return bodies
        return bodies[0] if bodies else None


def _seconds(wait: str) -> float:
    try:
        return parse_duration(wait)
    except ValueError as error:
        raise BlockFailed("INVALID_ARGUMENTS", f"wait: {error}") from None
