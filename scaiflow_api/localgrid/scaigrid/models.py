"""The model catalogue that a caller sees."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.core_table import Core, Cores
from scaiflow_api.localgrid.scaigrid.auth import ModelReader
from scaiflow_api.localgrid.scaigrid.catalogue import CATALOGUE
from scaiflow_api.localgrid.scaigrid.envelope import cursor_of, ok, position_of
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaikey.people import Principal

router = APIRouter()


@router.get("/v1/models")
async def list_models(
    request: Request,
    caller: ModelReader,
    grid: GridDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
    modality: str | None = None,
    status: str | None = None,
) -> Response:
    """Page through the models the caller may use."""
    models = [
        model
        for model in await _visible(grid, caller)
        if modality in {None, model["modality"]} and status in {None, model["status"]}
    ]
    start = position_of(cursor) if cursor else 0
    page = models[start : start + limit]
    next_cursor = cursor_of(start + limit) if len(models) > start + limit else None
    return ok(request, {"items": page, "next_cursor": next_cursor})


@router.get("/v1/models/{slug:path}")
async def read_model(request: Request, slug: str, caller: ModelReader, grid: GridDep) -> Response:
    found = next((model for model in await _visible(grid, caller) if model["slug"] == slug), None)
    if found is None:
        raise GridError(404, "MODEL_NOT_FOUND", f"There is no model {slug!r}.")
    return ok(request, found)


async def _visible(grid: Grid, caller: Principal) -> list[dict[str, Any]]:
    published = await Cores(grid.store).published(caller.tenant.id)
    return [
        *(model.as_dict() for model in CATALOGUE),
        *(_as_model(core) for core in published if may_see(caller, core)),
    ]


def may_see(caller: Principal, core: Core) -> bool:
    """Tell whether a published Core is a model for the caller."""
    groups = core.metadata["published_group_ids"]
    return not groups or bool(set(groups) & set(caller.groups)) or "models:manage" in caller.permissions


def _as_model(core: Core) -> dict[str, Any]:
    running = core.status == "running"
    return {
        "id": core.metadata["published_model_id"],
        "slug": core.metadata["published_slug"],
        "display_name": core.metadata["published_name"],
        "description": core.metadata["description"],
        "modality": "chat",
        "context_window": None,
        "status": "active",
        "health_status": "healthy" if running else "unavailable",
        "active_backend_count": int(running),
        "total_backend_count": 1,
        "capabilities": {"tool_use": True, "streaming": False},
    }
