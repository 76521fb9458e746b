"""ScaiQueue: claims over HTTP, and what ends them."""

import asyncio
import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaicore import checkpoint_table
from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaicore.checkpoint_table import Ending
from scaiflow_api.localgrid.scaigrid.envelope import MAX_NESTING, is_within, ok, read_json
from scaiflow_api.localgrid.scaigrid.errors import invalid
from scaiflow_api.localgrid.scaiqueue import claims, queues
from scaiflow_api.localgrid.scaiqueue.access import Consumer, actor_of, in_scope
from scaiflow_api.localgrid.scaiqueue.message import Message
from scaiflow_api.localgrid.scaiqueue.scope_routes import Prose
from scaiflow_api.localgrid.scaiqueue.scopes import Scope

router = APIRouter(prefix="/scopes/{scope_id}")


class ClaimRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    batch_size: Annotated[int, Field(ge=1, le=claims.MOST_AT_ONCE)] = 1


class CompleteRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    result: Any = None


class FailRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    reason: Prose | None = None


class ExtendRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    visibility_timeout_s: Annotated[int, Field(ge=1, le=43_200)] | None = None
    """From now on; None: the queue's."""


@router.post("/queues/{queue_id}/claim")
async def claim_messages(
    request: Request, scope_id: str, queue_id: str, caller: Consumer, grid: GridDep
) -> Response:
    """Claim messages. None is an answer: there is nothing to do, or the queue gives nothing away now."""
    most = (await read_json(request, ClaimRequest)).batch_size

    def claim(connection: sqlite3.Connection, scope: Scope, now: float) -> list[Message]:
        queue = queues.get(connection, scope.id, queue_id)
        return claims.claim(connection, scope, queue, actor_of(caller), most=most, now=now)

    claimed = await in_scope(grid, caller, scope_id, claim)
    return ok(request, [message.as_dict() for message in claimed])


@router.post("/messages/{message_id}/complete")
async def complete_message(
    request: Request, scope_id: str, message_id: str, caller: Consumer, grid: GridDep
) -> Response:
    """End a claim: the work is done. The result of a review resolves its checkpoint, and must be an answer."""
    result = (await read_json(request, CompleteRequest)).result
    if not is_within(result, MAX_NESTING):
        raise invalid(f"the result is nested deeper than {MAX_NESTING}", "result")
    ending = Ending("resolved", grid.clock.now(), result, caller.id)

    def complete(
        connection: sqlite3.Connection, scope: Scope, now: float
    ) -> tuple[Message, Checkpoint | None]:
        done = claims.complete(connection, scope, message_id, actor_of(caller), result=result, now=now)
        try:
            return done, checkpoint_table.end_by_message(connection, done, ending)
        except ValueError as error:
            raise invalid(str(error), "result") from None

    async def complete_and_hand_over() -> Message:
        message, checkpoint = await in_scope(grid, caller, scope_id, complete)
        if checkpoint is not None:
            grid.desk.hand_over(checkpoint)
        return message

    # A caller that goes away in between must not leave a run behind that nobody wakes.
    message = await asyncio.shield(complete_and_hand_over())
    return ok(request, message.as_dict())


@router.post("/messages/{message_id}/fail")
async def fail_message(
    request: Request, scope_id: str, message_id: str, caller: Consumer, grid: GridDep
) -> Response:
    reason = (await read_json(request, FailRequest)).reason
    message = await in_scope(
        grid,
        caller,
        scope_id,
        lambda connection, scope, now: claims.fail(
            connection, scope, message_id, actor_of(caller), reason=reason, now=now
        ),
    )
    return ok(request, message.as_dict())


@router.post("/messages/{message_id}/release")
async def release_message(
    request: Request, scope_id: str, message_id: str, caller: Consumer, grid: GridDep
) -> Response:
    message = await in_scope(
        grid,
        caller,
        scope_id,
        lambda connection, scope, now: claims.release(
            connection, scope, message_id, actor_of(caller), now=now
        ),
    )
    grid.post.announce()
    return ok(request, message.as_dict())


@router.post("/messages/{message_id}/extend")
async def extend_claim(
    request: Request, scope_id: str, message_id: str, caller: Consumer, grid: GridDep
) -> Response:
    seconds = (await read_json(request, ExtendRequest)).visibility_timeout_s
    message = await in_scope(
        grid,
        caller,
        scope_id,
        lambda connection, scope, now: claims.extend(
            connection, scope, message_id, actor_of(caller), seconds=seconds, now=now
        ),
    )
    return ok(request, message.as_dict())
