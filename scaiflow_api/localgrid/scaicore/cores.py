"""ScaiCore module: deploy, read, start, stop and remove Cores."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from scaiflow_api.compiler import ManifestError, ir
from scaiflow_api.compiler.slugs import slugify
from scaiflow_api.kit.ids import new_id
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.core_table import Core, Cores, SlugTaken
from scaiflow_api.localgrid.scaicore.manifests import read_verified
from scaiflow_api.localgrid.scaigrid.auth import CoreManager, CoreViewer
from scaiflow_api.localgrid.scaigrid.envelope import ok, page_of, position_of
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid
from scaiflow_api.localgrid.scaikey.people import Principal
from scaiflow_api.localgrid.wire_time import wire_time

MAX_MANIFEST_BYTES = 20 * 1024 * 1024
_YAML = {"application/yaml", "application/x-yaml", "text/yaml"}

router = APIRouter(prefix="/cores")


def not_found(core_id: str) -> GridError:
    """Return the answer for a Core that the caller's tenant does not have, be it another's or nobody's."""
    return GridError(404, "CORE_NOT_FOUND", f"There is no Core {core_id!r}.")


async def get_core(grid: Grid, caller: Principal, core_id: str) -> Core:
    """Return a Core of the caller's tenant. Raises GridError 404."""
    core = await Cores(grid.store).find(caller.tenant.id, core_id)
    if core is None:
        raise not_found(core_id)
    return core


async def change_core(grid: Grid, caller: Principal, core_id: str, change: Callable[[Core], Core]) -> Core:
    """Change a Core of the caller's tenant and return it. Raises GridError 404, or what `change` raises."""
    now = wire_time(grid.clock.now())
    core = await Cores(grid.store).change(
        caller.tenant.id, core_id, lambda core: replace(change(core), updated_at=now)
    )
    if core is None:
        raise not_found(core_id)
    return core


@router.post("")
async def create_core(request: Request, caller: CoreManager, grid: GridDep) -> Response:
    """Deploy a YAML manifest as a new Core, which is not started."""
    text, module = await _manifest(request)
    now = wire_time(grid.clock.now())
    core_id = new_id("core")
    core = Core(
        id=core_id,
        tenant_id=caller.tenant.id,
        slug=slugify(module.name) or core_id,
        name=module.name,
        status="created",
        manifest=text,
        metadata=_metadata(module),
        created_at=now,
        updated_at=now,
    )
    try:
        await Cores(grid.store).add(core)
    except SlugTaken:
        raise GridError(
            409, "SLUG_CONFLICT", f"A Core with the slug {core.slug!r} exists in this tenant."
        ) from None
    return ok(request, core.as_dict(), status=201)


@router.get("")
async def list_cores(
    request: Request,
    caller: CoreViewer,
    grid: GridDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> Response:
    """Page through the tenant's Cores, oldest first."""
    after = position_of(cursor) if cursor else 0
    cores = await Cores(grid.store).page(caller.tenant.id, after=after, limit=limit + 1)
    shown, next_cursor = page_of(cores, limit)
    return ok(request, {"items": [core.as_dict() for core in shown], "next_cursor": next_cursor})


@router.get("/{core_id}")
async def read_core(request: Request, core_id: str, caller: CoreViewer, grid: GridDep) -> Response:
    core = await get_core(grid, caller, core_id)
    return ok(request, core.as_dict())


@router.put("/{core_id}")
async def replace_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    """Replace the manifest. Slug, state and publication stay; running Cores use it from their next run on."""
    await get_core(grid, caller, core_id)
    text, module = await _manifest(request)

    def change(core: Core) -> Core:
        status = "stopped" if core.status == "error" else core.status
        changed = replace(core, name=module.name, manifest=text, status=status)
        return changed.with_metadata(**_metadata(module))

    core = await change_core(grid, caller, core_id, change)
    return ok(request, core.as_dict())


@router.delete("/{core_id}", status_code=204)
async def delete_core(core_id: str, caller: CoreManager, grid: GridDep) -> None:
    def check(core: Core) -> None:
        if core.status == "error":
            raise _wrong_state(core, "deleted")

    if not await Cores(grid.store).delete(caller.tenant.id, core_id, check):
        raise not_found(core_id)
    await grid.runs.cancel_runs_of(core_id)


@router.post("/{core_id}/start")
async def start_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    core = await get_core(grid, caller, core_id)
    try:
        await asyncio.to_thread(read_verified, core.manifest)
    except ManifestError as error:
        await change_core(grid, caller, core_id, lambda core: replace(core, status="error"))
        raise GridError(422, "INVALID_SOURCE_IR", f"verifier error: {error}") from None

    def start(core: Core) -> Core:
        if core.status == "running":
            raise _wrong_state(core, "started")
        return replace(core, status="running")

    started = await change_core(grid, caller, core_id, start)
    return ok(request, started.as_dict())


@router.post("/{core_id}/stop")
async def stop_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    def stop(core: Core) -> Core:
        if core.status != "running":
            raise _wrong_state(core, "stopped")
        return replace(core, status="stopped")

    stopped = await change_core(grid, caller, core_id, stop)
    return ok(request, stopped.as_dict())


async def _manifest(request: Request) -> tuple[str, ir.Module]:
    """Return the body's manifest, verified. Raises GridError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _YAML:
        raise GridError(
            415, "UNSUPPORTED_MEDIA_TYPE", "A Core is deployed as a manifest: Content-Type application/yaml."
        )
    raw = await request.body()
    if len(raw) > MAX_MANIFEST_BYTES:
        raise GridError(413, "PAYLOAD_TOO_LARGE", f"A manifest may have {MAX_MANIFEST_BYTES} bytes.")
    try:
        text = raw.decode("utf-8")
        return text, await asyncio.to_thread(read_verified, text)
    except UnicodeDecodeError:
        raise invalid("verifier error: the manifest is not UTF-8") from None
    except ManifestError as error:
        raise invalid(f"verifier error: {error}") from None


def _metadata(module: ir.Module) -> dict[str, Any]:
    meta = module.metadata
    return {
        "scaiflow_meta": {
            "source_id": meta.source_id,
            "source_version": meta.source_version,
            "scaicore_target": meta.scaicore_target,
            "publish_as_model": meta.publish_as_model,
            "model_visibility_group_ids": list(meta.model_visibility_group_ids),
        },
        "description": module.identity.persona,
    }


def _wrong_state(core: Core, action: str) -> GridError:
    return GridError(409, "CORE_STATE_CONFLICT", f"The Core is {core.status!r} and cannot be {action}.")
