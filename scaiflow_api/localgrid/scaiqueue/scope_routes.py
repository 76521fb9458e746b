"""ScaiQueue: scopes over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaigrid.envelope import ok, page_of, position_of, read_json
from scaiflow_api.localgrid.scaiqueue import scopes
from scaiflow_api.localgrid.scaiqueue.access import Limit, QueueManager, QueueViewer
from scaiflow_api.localgrid.scaiqueue.states import ScopeVerb
from scaiflow_api.localgrid.wire_time import wire_time

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Prose = Annotated[str, StringConstraints(max_length=4096)]

router = APIRouter(prefix="/scopes")


class ScopeRequest(BaseModel):
    """A scope to make."""

    model_config = ConfigDict(strict=True)

    slug: Slug
    display_name: Label | None = None
    description: Prose | None = None


@router.get("")
async def list_scopes(
    request: Request, caller: QueueViewer, grid: GridDep, limit: Limit = 50, cursor: str | None = None
) -> Response:
    """Page through the tenant's scopes, oldest first."""
    after = position_of(cursor) if cursor else 0
    found = await grid.store.read(
        lambda connection: scopes.page(connection, caller.tenant.id, after=after, limit=limit + 1)
    )
    shown, next_cursor = page_of(found, limit)
    return ok(request, {"items": [scope.as_dict() for scope in shown], "next_cursor": next_cursor})


@router.post("")
async def create_scope(request: Request, caller: QueueManager, grid: GridDep) -> Response:
    """Make a scope. Not idempotent: of two who make the same one, one gets 409."""
    body = await read_json(request, ScopeRequest)
    now = wire_time(grid.clock.now())
    scope = await grid.store.write(
        lambda connection: scopes.add(
            connection,
            caller.tenant.id,
            body.slug,
            display_name=body.display_name,
            description=body.description,
            now=now,
        )
    )
    return ok(request, scope.as_dict(), status=201)


@router.get("/{scope_id}")
async def read_scope(request: Request, scope_id: str, caller: QueueViewer, grid: GridDep) -> Response:
    scope = await grid.store.read(lambda connection: scopes.get(connection, caller.tenant.id, scope_id))
    return ok(request, scope.as_dict())


@router.delete("/{scope_id}", status_code=204)
async def delete_scope(scope_id: str, caller: QueueManager, grid: GridDep) -> None:
    await grid.store.write(lambda connection: scopes.delete(connection, caller.tenant.id, scope_id))


@router.post("/{scope_id}/{verb}")
async def move_scope(
    request: Request, scope_id: str, verb: ScopeVerb, caller: QueueManager, grid: GridDep
) -> Response:
    now = wire_time(grid.clock.now())
    scope = await grid.store.write(
        lambda connection: scopes.move(connection, caller.tenant.id, scope_id, verb, now)
    )
    return ok(request, scope.as_dict())
