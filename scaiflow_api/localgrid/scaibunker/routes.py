"""ScaiBunker over HTTP."""

import re
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaibunker.bunker_table import PAUSED, RUNNING, BunkerSpec
from scaiflow_api.localgrid.scaibunker.commands import MAX_TIMEOUT_S, Commands
from scaiflow_api.localgrid.scaigrid.auth import CallerDep, requires
from scaiflow_api.localgrid.scaigrid.envelope import ok, page_of, position_of, read_json
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaikey.people import Principal

_HOST = re.compile(
    r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)

Text = Annotated[str, StringConstraints(max_length=255)]
Texts = Annotated[dict[Text, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=64)]
Image = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}$")]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
Limit = Annotated[int, Query(ge=1, le=500)]
Path = Annotated[str, Query(min_length=1, max_length=4096)]

Creator = Annotated[Principal, Depends(requires("scaibunker:create"))]
Executor = Annotated[Principal, Depends(requires("scaibunker:execute"))]
FileUser = Annotated[Principal, Depends(requires("scaibunker:files"))]

router = APIRouter(prefix="/bunkers")


class BunkerRequest(BaseModel):
    """A bunker to make. What this machine cannot give is refused, or said in `docs/localgrid.md`."""

    model_config = ConfigDict(strict=True)

    image: Image
    lifecycle_mode: Literal["ephemeral", "session", "persistent"] = "ephemeral"
    name: Text | None = None
    network_profile: Literal["isolated", "registry", "allowlisted", "unrestricted", "transit"] = "isolated"
    network_allowlist: Annotated[list[Text], Field(max_length=256)] | None = None
    cpu_millicores: Annotated[int, Field(ge=1, le=16_000)] = 1000
    memory_mb: Annotated[int, Field(ge=16, le=16_384)] = 512
    disk_mb: Annotated[int, Field(ge=1, le=16_384)] = 1024
    gpu_count: Annotated[int, Field(ge=0, le=16)] = 0
    gpu_type: Text | None = None
    max_lifetime_s: Seconds | None = None
    idle_timeout_s: Seconds | None = None
    session_type: Literal["standalone", "scaicore", "scaiwave", "api"] = "standalone"
    session_ref: Text | None = None
    label_set: Texts = Field(default_factory=dict)
    env_vars: Texts = Field(default_factory=dict)
    interfaces: list[dict[str, Any]] | None = None
    bandwidth_mbit: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _names_hosts(self) -> "BunkerRequest":
        if (self.network_allowlist is not None) != (self.network_profile == "allowlisted"):
            raise ValueError("network_allowlist belongs to the profile allowlisted")
        if not all(_HOST.fullmatch(host) for host in self.network_allowlist or ()):
            raise ValueError("network_allowlist takes host names, or *.host")
        return self

    def to_make(self) -> BunkerSpec:
        """Return the bunker that is asked for."""
        return BunkerSpec(**self.model_dump(exclude={"interfaces", "bandwidth_mbit"}))


class ExecRequest(BaseModel):
    """A command to run."""

    model_config = ConfigDict(strict=True)

    command: list[str] | str
    timeout_s: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S, strict=False)] = 30
    env: Annotated[dict[str, str], Field(max_length=64)] = Field(default_factory=dict)
    workdir: Text | None = None


@router.get("")
async def list_bunkers(
    request: Request,
    caller: CallerDep,
    grid: GridDep,
    limit: Limit = 50,
    cursor: str | None = None,
    status: str | None = None,
    lifecycle: str | None = None,
) -> Response:
    """Page through the tenant's bunkers, oldest first."""
    after = position_of(cursor) if cursor else 0
    found = await grid.bunkers.page(
        caller.tenant.id, status=status, lifecycle=lifecycle, after=after, limit=limit + 1
    )
    shown, next_cursor = page_of(found, limit)
    return _listed(request, [bunker.as_dict() for bunker in shown], next_cursor)


@router.post("")
async def create_bunker(request: Request, caller: Creator, grid: GridDep) -> Response:
    body = await read_json(request, BunkerRequest)
    _demand_rights(caller, body)
    bunker = await grid.bunkers.create(caller.tenant.id, body.to_make())
    return ok(request, bunker.as_dict(), status=201)


@router.get("/{bunker_id}")
async def read_bunker(request: Request, bunker_id: str, caller: CallerDep, grid: GridDep) -> Response:
    bunker = await grid.bunkers.get(caller.tenant.id, bunker_id)
    return ok(request, bunker.as_dict())


@router.delete("/{bunker_id}", status_code=204)
async def destroy_bunker(bunker_id: str, caller: Creator, grid: GridDep) -> None:
    await grid.bunkers.destroy(caller.tenant.id, bunker_id)


@router.post("/{bunker_id}/pause")
async def pause_bunker(request: Request, bunker_id: str, caller: Creator, grid: GridDep) -> Response:
    bunker = await grid.bunkers.move(caller.tenant.id, bunker_id, PAUSED)
    return ok(request, bunker.as_dict())


@router.post("/{bunker_id}/resume")
async def resume_bunker(request: Request, bunker_id: str, caller: Creator, grid: GridDep) -> Response:
    bunker = await grid.bunkers.move(caller.tenant.id, bunker_id, RUNNING)
    return ok(request, bunker.as_dict())


@router.post("/{bunker_id}/exec")
async def execute(request: Request, bunker_id: str, caller: Executor, grid: GridDep) -> Response:
    """Run a command and wait for its end. One that fails is an answer, with its exit code."""
    body = await read_json(request, ExecRequest)
    done = await _commands(grid, caller).execute(
        bunker_id, body.command, timeout_s=body.timeout_s, env=body.env, workdir=body.workdir
    )
    return ok(request, done.as_dict())


@router.put("/{bunker_id}/files", status_code=204)
async def write_file(request: Request, bunker_id: str, path: Path, caller: FileUser, grid: GridDep) -> None:
    await _commands(grid, caller).write_file(bunker_id, path, await request.body())


@router.get("/{bunker_id}/files")
async def read_file(
    request: Request, bunker_id: str, path: Path, caller: FileUser, grid: GridDep
) -> Response:
    """Return a file's bytes, or what is in a folder."""
    commands = _commands(grid, caller)
    content = await commands.read_file(bunker_id, path)
    if content is None:
        return _listed(request, await commands.list_folder(bunker_id, path), None)
    return Response(content, media_type="application/octet-stream")


@router.delete("/{bunker_id}/files", status_code=204)
async def delete_file(bunker_id: str, path: Path, caller: FileUser, grid: GridDep) -> None:
    await _commands(grid, caller).delete_file(bunker_id, path)


def _commands(grid: Grid, caller: Principal) -> Commands:
    return Commands(grid.bunkers, caller.tenant.id)


def _demand_rights(caller: Principal, body: BunkerRequest) -> None:
    """Check what a bunker needs beyond `scaibunker:create`. Raises GridError."""
    lifecycle, profile = body.lifecycle_mode, body.network_profile
    if lifecycle != "ephemeral" and f"scaibunker:create:{lifecycle}" not in caller.permissions:
        raise GridError(
            403, "LIFECYCLE_MODE_DENIED", f"permission_denied: need scaibunker:create:{lifecycle}"
        )
    if profile != "isolated" and f"scaibunker:network:{profile}" not in caller.permissions:
        raise GridError(
            403, "NETWORK_PROFILE_DENIED", f"permission_denied: need scaibunker:network:{profile}"
        )
    if profile == "transit" and not body.interfaces:
        raise GridError(422, "TRANSIT_MISSING_INTERFACES", "The profile transit needs interfaces.")
    if profile != "transit" and body.interfaces:
        raise GridError(422, "INTERFACES_NOT_ALLOWED", "Only the profile transit has interfaces.")


def _listed(request: Request, rows: list[dict[str, Any]], next_cursor: str | None) -> Response:
    """Return a list in ScaiBunker's own envelope, which differs from that of the other modules."""
    body = {
        "status": "ok",
        "data": rows,
        "has_more": next_cursor is not None,
        "next_cursor": next_cursor,
        "meta": {"request_id": request.state.request_id},
    }
    return Response(orjson.dumps(body), media_type="application/json")
