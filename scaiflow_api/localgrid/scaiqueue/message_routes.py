"""ScaiQueue: messages over HTTP."""

import sqlite3
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaigrid.envelope import ok, page_of, position_of, read_json
from scaiflow_api.localgrid.scaikey.people import Principal
from scaiflow_api.localgrid.scaiqueue import messages, publishing, queues
from scaiflow_api.localgrid.scaiqueue.access import Limit, Publisher, QueueViewer, actor_of, in_scope
from scaiflow_api.localgrid.scaiqueue.message import Message, NewMessage
from scaiflow_api.localgrid.scaiqueue.scopes import Scope

Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Moment = Annotated[
    AwareDatetime,
    Field(strict=False, ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]
"""The first and last days of all have no UTC in some zones."""
State = Literal["pending", "claimed", "completed", "dead_lettered", "expired"]

router = APIRouter(prefix="/scopes/{scope_id}")


class PublishRequest(BaseModel):
    """A message to publish."""

    model_config = ConfigDict(strict=True)

    message_type: Key
    body: Any
    content_type: Key = "application/json"
    priority_tier: Literal["critical", "high", "normal", "low", "background"] = "normal"
    priority_score: Annotated[int, Field(ge=0, le=1000)] | None = None
    labels: Annotated[dict[Key, Annotated[str, StringConstraints(max_length=255)]], Field(max_length=64)] = (
        Field(default_factory=dict)
    )
    correlation_id: Key | None = None
    causation_id: Key | None = None
    parent_id: Key | None = None
    ttl_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    deadline: Moment | None = None
    delay_until: Moment | None = None
    idempotency_key: Key | None = None
    hitl_spec: dict[str, Any] | None = None

    def to_publish(self) -> NewMessage:
        """Return the message that is asked for."""
        times = {"deadline": self.deadline, "delay_until": self.delay_until}
        seconds = {name: None if time is None else time.timestamp() for name, time in times.items()}
        return NewMessage(**{**dict(self), **seconds})


@router.post("/queues/{queue_id}/messages")
async def publish_message(
    request: Request, scope_id: str, queue_id: str, caller: Publisher, grid: GridDep
) -> Response:
    """Publish a message; one with a known `idempotency_key` is answered with the earlier message."""
    new = (await read_json(request, PublishRequest)).to_publish()

    def publish(connection: sqlite3.Connection, scope: Scope, now: float) -> tuple[Message, bool]:
        queue = queues.get(connection, scope.id, queue_id)
        return publishing.publish(connection, scope, queue, new, actor_of(caller), now)

    message, is_new = await in_scope(grid, caller, scope_id, publish)
    grid.post.announce()
    return ok(request, message.as_dict(), status=201 if is_new else 200)


@router.get("/messages")
async def list_messages(
    request: Request,
    scope_id: str,
    caller: QueueViewer,
    grid: GridDep,
    correlation_id: str | None = None,
    state: State | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Response:
    """Page through the messages of a scope, oldest first."""
    asked = {"correlation_id": correlation_id, "state": state}
    return await _list(request, grid, caller, scope_id, asked, limit, cursor)


@router.get("/queues/{queue_id}/messages")
async def list_messages_of_queue(
    request: Request,
    scope_id: str,
    queue_id: str,
    caller: QueueViewer,
    grid: GridDep,
    state: State | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Response:
    """Page through the messages of a queue, oldest first."""
    return await _list(request, grid, caller, scope_id, {"queue_id": queue_id, "state": state}, limit, cursor)


@router.get("/messages/{message_id}")
async def read_message(
    request: Request, scope_id: str, message_id: str, caller: QueueViewer, grid: GridDep
) -> Response:
    message = await in_scope(
        grid, caller, scope_id, lambda connection, scope, _: messages.get(connection, scope, message_id)
    )
    return ok(request, message.as_dict())


async def _list(
    request: Request,
    grid: Grid,
    caller: Principal,
    scope_id: str,
    asked: dict[str, str | None],
    limit: int,
    cursor: str | None,
) -> Response:
    after = position_of(cursor) if cursor else 0

    def page(connection: sqlite3.Connection, scope: Scope, _: float) -> list[Message]:
        if asked.get("queue_id") is not None:
            queues.get(connection, scope.id, str(asked["queue_id"]))
        return messages.page(connection, scope, **asked, after=after, limit=limit + 1)

    found = await in_scope(grid, caller, scope_id, page)
    shown, next_cursor = page_of(found, limit)
    return ok(request, {"items": [message.as_dict() for message in shown], "next_cursor": next_cursor})
