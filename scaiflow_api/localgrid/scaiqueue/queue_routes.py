"""ScaiQueue: queues over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaigrid.envelope import ok, page_of, position_of, read_json
from scaiflow_api.localgrid.scaiqueue import queues
from scaiflow_api.localgrid.scaiqueue.access import Limit, QueueManager, QueueViewer, in_scope
from scaiflow_api.localgrid.scaiqueue.scope_routes import Label, Prose, Slug
from scaiflow_api.localgrid.scaiqueue.states import QueueVerb
from scaiflow_api.localgrid.store import LARGEST_INTEGER
from scaiflow_api.localgrid.wire_time import iso

router = APIRouter(prefix="/scopes/{scope_id}/queues")


class QueueRequest(BaseModel):
    """A queue to make: with ScaiFlow's single `consumer_mode`, or ScaiGrid's pair of it and `ordering`."""

    model_config = ConfigDict(strict=True)

    slug: Slug
    display_name: Label | None = None
    description: Prose | None = None
    consumer_mode: Literal["fifo", "priority", "deadline", "broadcast", "competing"] | None = None
    ordering: Literal["fifo", "priority", "deadline"] | None = None
    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    visibility_timeout_s: Annotated[int, Field(ge=1, le=43_200)] = 30
    max_depth: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = None
    overflow_policy: Literal["reject"] = "reject"

    @model_validator(mode="after")
    def _is_one_mode(self) -> "QueueRequest":
        agreeing = {None, "competing", "broadcast", self.ordering}
        if self.ordering is not None and self.consumer_mode not in agreeing:
            raise ValueError("consumer_mode and ordering contradict each other")
        return self

    def to_make(self) -> queues.NewQueue:
        """Return the queue that is asked for."""
        given = None if self.consumer_mode == "competing" else self.consumer_mode
        return queues.NewQueue(
            slug=self.slug,
            display_name=self.display_name,
            description=self.description,
            consumer_mode=given or self.ordering or "fifo",
            max_retries=self.max_retries,
            visibility_timeout_s=self.visibility_timeout_s,
            max_depth=self.max_depth,
        )


@router.get("")
async def list_queues(
    request: Request,
    scope_id: str,
    caller: QueueViewer,
    grid: GridDep,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Response:
    """Page through the queues of a scope, oldest first."""
    after = position_of(cursor) if cursor else 0
    found = await in_scope(
        grid,
        caller,
        scope_id,
        lambda connection, scope, _: queues.page(connection, scope.id, after=after, limit=limit + 1),
    )
    shown, next_cursor = page_of(found, limit)
    return ok(request, {"items": [queue.as_dict() for queue in shown], "next_cursor": next_cursor})


@router.post("")
async def create_queue(request: Request, scope_id: str, caller: QueueManager, grid: GridDep) -> Response:
    """Make a queue. Not idempotent: of two who make the same one, one gets 409."""
    new = (await read_json(request, QueueRequest)).to_make()
    queue = await in_scope(
        grid, caller, scope_id, lambda connection, scope, now: queues.add(connection, scope.id, new, iso(now))
    )
    return ok(request, queue.as_dict(), status=201)


@router.get("/{queue_id}")
async def read_queue(
    request: Request, scope_id: str, queue_id: str, caller: QueueViewer, grid: GridDep
) -> Response:
    queue = await in_scope(
        grid, caller, scope_id, lambda connection, scope, _: queues.get(connection, scope.id, queue_id)
    )
    return ok(request, queue.as_dict())


@router.delete("/{queue_id}", status_code=204)
async def delete_queue(scope_id: str, queue_id: str, caller: QueueManager, grid: GridDep) -> None:
    await in_scope(
        grid, caller, scope_id, lambda connection, scope, _: queues.delete(connection, scope.id, queue_id)
    )


@router.post("/{queue_id}/{verb}")
async def move_queue(
    request: Request, scope_id: str, queue_id: str, verb: QueueVerb, caller: QueueManager, grid: GridDep
) -> Response:
    queue = await in_scope(
        grid,
        caller,
        scope_id,
        lambda connection, scope, now: queues.move(connection, scope.id, queue_id, verb, iso(now)),
    )
    return ok(request, queue.as_dict())
