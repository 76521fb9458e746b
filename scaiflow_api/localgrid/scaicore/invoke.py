"""ScaiCore module: run a Core."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.compiler import ManifestError, ir
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.core_table import Core
from scaiflow_api.localgrid.scaicore.cores import get_core
from scaiflow_api.localgrid.scaicore.invocation import Execution, Invocation
from scaiflow_api.localgrid.scaicore.manifests import find_flow, flow_names, read_verified
from scaiflow_api.localgrid.scaigrid.auth import CoreManager
from scaiflow_api.localgrid.scaigrid.envelope import MAX_NESTING, is_within, ok, read_json
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid

router = APIRouter(prefix="/cores")


class CoreInvokeRequest(BaseModel):
    """What a run starts with."""

    model_config = ConfigDict(strict=True)

    input: dict[str, Any] = Field(default_factory=dict)
    flow_name: str | None = None
    """The Core's first flow where none is named."""
    instance_key: str | None = Field(default=None, max_length=256)


@router.post("/{core_id}/invoke")
async def invoke_core(request: Request, core_id: str, caller: CoreManager, grid: GridDep) -> Response:
    """Run a flow of a running Core. A run that fails is an answer, not an error: 200 with status FAILED."""
    core = await get_core(grid, caller, core_id)
    body = await read_json(request, CoreInvokeRequest)
    if not is_within(body.input, MAX_NESTING):
        raise invalid(f"the input is nested deeper than {MAX_NESTING}", "input")
    if core.status != "running":
        raise GridError(409, "CORE_NOT_RUNNING", f"The Core is {core.status!r}; start it first.")
    execution = await run_core(
        core, grid, body.input, flow_name=body.flow_name, instance_key=body.instance_key
    )
    return ok(request, execution.as_dict())


async def run_core(
    core: Core,
    grid: Grid,
    value: Mapping[str, Value],
    *,
    flow_name: str | None = None,
    instance_key: str | None = None,
) -> Execution:
    """Run a flow of a Core, its first one where none is named. Raises GridError where there is none to run."""
    module = await _module(core)
    invocation = Invocation(
        core=core,
        module=module,
        flow=_flow(module, flow_name),
        input=value,
        instance_key=instance_key,
    )
    return await grid.runs.invoke(invocation)


async def _module(core: Core) -> ir.Module:
    try:
        return await asyncio.to_thread(read_verified, core.manifest)
    except ManifestError as error:
        raise GridError(422, "INVALID_SOURCE_IR", f"verifier error: {error}") from None


def _flow(module: ir.Module, name: str | None) -> ir.Flow:
    flow = find_flow(module, name)
    if flow is None:
        raise invalid(f"the Core has no flow {name!r}; its flows are: {flow_names(module)}", "flow_name")
    return flow
