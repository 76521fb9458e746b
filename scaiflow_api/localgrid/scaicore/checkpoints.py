"""ScaiCore module: what runs ask of people."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.checkpoint_row import STATUSES, Checkpoint
from scaiflow_api.localgrid.scaicore.checkpoint_table import Ending
from scaiflow_api.localgrid.scaicore.cores import get_core
from scaiflow_api.localgrid.scaicore.desk import NotPending
from scaiflow_api.localgrid.scaigrid.auth import CheckpointReader, CheckpointResolver
from scaiflow_api.localgrid.scaigrid.envelope import (
    MAX_NESTING,
    is_within,
    ok,
    page_of,
    position_of,
    read_json,
)
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid
from scaiflow_api.localgrid.scaikey.people import Principal

router = APIRouter(prefix="/checkpoints")


class CheckpointResolveRequest(BaseModel):
    """The answer."""

    model_config = ConfigDict(strict=True)

    resolution: str | dict[str, Any]
    """What was chosen, or an object that is bound as it is."""
    comment: str | None = Field(default=None, max_length=4096)


class CheckpointReassignRequest(BaseModel):
    """Who shall answer."""

    model_config = ConfigDict(strict=True)

    assignee: str = Field(pattern="^(user|group|role):.+$", max_length=256)
    """`user:<email or id>`, `group:<id>` or `role:<name>`."""


@router.get("")
async def list_checkpoints(
    request: Request,
    caller: CheckpointReader,
    grid: GridDep,
    core_id: str | None = None,
    execution_id: str | None = None,
    status: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> Response:
    """Page through the tenant's checkpoints, oldest first; `status` may name several, with commas between."""
    if core_id is not None:
        await get_core(grid, caller, core_id)
    found = await (await grid.desk.rows()).page(
        caller.tenant.id,
        core_id=core_id,
        execution_id=execution_id,
        statuses=_statuses(status),
        after=position_of(cursor) if cursor else 0,
        limit=limit + 1,
    )
    shown, next_cursor = page_of(found, limit)
    return ok(request, {"checkpoints": [row.as_dict() for row in shown], "next_cursor": next_cursor})


@router.get("/{checkpoint_id}")
async def read_checkpoint(
    request: Request, checkpoint_id: str, caller: CheckpointReader, grid: GridDep
) -> Response:
    found = await _get(grid, caller, checkpoint_id)
    return ok(request, found.as_dict())


@router.post("/{checkpoint_id}/resolve")
async def resolve_checkpoint(
    request: Request, checkpoint_id: str, caller: CheckpointResolver, grid: GridDep
) -> Response:
    """Answer a pending checkpoint. Its run goes on by itself; how it ends is told by its events."""
    body = await read_json(request, CheckpointResolveRequest)
    if not is_within(body.resolution, MAX_NESTING):
        raise invalid(f"the resolution is nested deeper than {MAX_NESTING}", "resolution")
    asked = await _get(grid, caller, checkpoint_id)
    if asked.status == "pending":
        core = await get_core(grid, caller, asked.core_id)
        if core.status != "running":
            raise GridError(409, "CORE_NOT_RUNNING", f"The Core is {core.status!r}; start it first.")

    def resolve(checkpoint: Checkpoint, now: datetime) -> Ending:
        try:
            resolution = checkpoint.as_resolution(body.resolution)
        except ValueError as error:
            raise invalid(str(error), "resolution") from None
        return Ending("resolved", now, resolution, caller.id, body.comment)

    ended = await _changed(checkpoint_id, _end(grid, caller, checkpoint_id, resolve))
    return ok(request, ended.as_dict())


@router.post("/{checkpoint_id}/cancel")
async def cancel_checkpoint(
    request: Request, checkpoint_id: str, caller: CheckpointResolver, grid: GridDep
) -> Response:
    """Take a pending checkpoint back: its block fails."""

    def cancel(_: Checkpoint, now: datetime) -> Ending:
        return Ending("cancelled", now, by=caller.id)

    ended = await _changed(checkpoint_id, _end(grid, caller, checkpoint_id, cancel))
    return ok(request, ended.as_dict())


@router.post("/{checkpoint_id}/reassign")
async def reassign_checkpoint(
    request: Request, checkpoint_id: str, caller: CheckpointResolver, grid: GridDep
) -> Response:
    """Ask somebody else."""
    assignee = (await read_json(request, CheckpointReassignRequest)).assignee
    change = grid.desk.reassign(caller.tenant.id, checkpoint_id, assignee)
    return ok(request, (await _changed(checkpoint_id, change)).as_dict())


async def _get(grid: Grid, caller: Principal, checkpoint_id: str) -> Checkpoint:
    """Return a checkpoint of the caller's tenant. Raises GridError 404."""
    found = await (await grid.desk.rows()).find(caller.tenant.id, checkpoint_id)
    if found is None:
        raise _not_found(checkpoint_id)
    return found


async def _end(
    grid: Grid, caller: Principal, checkpoint_id: str, ending: Callable[[Checkpoint, datetime], Ending]
) -> Checkpoint | None:
    now = grid.clock.now()
    return await grid.desk.end(caller.tenant.id, checkpoint_id, lambda found: ending(found, now))


async def _changed(checkpoint_id: str, change: Awaitable[Checkpoint | None]) -> Checkpoint:
    """Return a checkpoint as it was changed. Raises GridError 404, 409."""
    try:
        changed = await change
    except NotPending as refused:
        status = refused.checkpoint.status
        raise GridError(409, "CHECKPOINT_NOT_PENDING", f"The checkpoint is already {status}.") from None
    if changed is None:
        raise _not_found(checkpoint_id)
    return changed


def _not_found(checkpoint_id: str) -> GridError:
    return GridError(404, "CHECKPOINT_NOT_FOUND", f"There is no checkpoint {checkpoint_id!r}.")


def _statuses(text: str | None) -> list[str]:
    wanted = list(STATUSES) if text is None else text.split(",")
    unknown = next((status for status in wanted if status not in STATUSES), None)
    if unknown is not None:
        raise invalid(f"{unknown!r} is none of {', '.join(STATUSES)}", "status")
    return wanted
