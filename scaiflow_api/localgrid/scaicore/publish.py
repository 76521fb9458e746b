"""ScaiCore module: a Core as a model that people chat with."""

from collections.abc import Container, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaicore.core_table import Core
from scaiflow_api.localgrid.scaicore.cores import change_core
from scaiflow_api.localgrid.scaigrid.auth import CoreManager
from scaiflow_api.localgrid.scaigrid.envelope import ok, read_json
from scaiflow_api.localgrid.scaigrid.errors import invalid

router = APIRouter(prefix="/cores")


class CorePublishRequest(BaseModel):
    """Who sees the model: members of these ScaiKey groups, or the whole tenant where none is named."""

    model_config = ConfigDict(strict=True)

    group_ids: list[str] | None = None


@router.post("/{core_id}/publish")
async def publish_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    body = await read_json(request, CorePublishRequest)
    known = await grid.directory.group_ids(caller.tenant)

    def publish(core: Core) -> Core:
        if core.metadata.get("published"):
            raise invalid("Core is already published as a model", status=400)
        return core.with_metadata(
            published=True,
            published_model_id=new_id("mdl"),
            published_backend_id=new_id("be"),
            published_slug=f"scaicore/{caller.tenant.slug}/{core.slug}",
            published_name=core.name,
            published_group_ids=_groups(body.group_ids or [], known),
        )

    core = await change_core(grid, caller, core_id, publish)
    return ok(request, core.as_dict())


@router.post("/{core_id}/sync")
async def sync_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    """Bring the model up to date with its Core; `group_ids`, if given, replace the earlier ones."""
    body = await read_json(request, CorePublishRequest)
    known = await grid.directory.group_ids(caller.tenant)

    def sync(core: Core) -> Core:
        _demand_published(core)
        groups = {} if body.group_ids is None else {"published_group_ids": _groups(body.group_ids, known)}
        return core.with_metadata(published_name=core.name, **groups)

    core = await change_core(grid, caller, core_id, sync)
    return ok(request, core.as_dict())


@router.post("/{core_id}/unpublish")
async def unpublish_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    def unpublish(core: Core) -> Core:
        _demand_published(core)
        return core.with_metadata(
            **dict.fromkeys(key for key in core.metadata if key.startswith("published"))
        )

    core = await change_core(grid, caller, core_id, unpublish)
    return ok(request, core.as_dict())


def _demand_published(core: Core) -> None:
    if not core.metadata.get("published"):
        raise invalid("Core is not published as a model", status=400)


def _groups(ids: Sequence[str], known: Container[str]) -> list[str]:
    unknown = [group_id for group_id in ids if group_id not in known]
    if unknown:
        raise invalid(f"there is no group {unknown[0]!r} in this tenant", "group_ids", status=400)
    return list(dict.fromkeys(ids))
