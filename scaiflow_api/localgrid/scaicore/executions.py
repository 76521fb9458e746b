"""ScaiCore module: look at a run, and end one."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.invocation import Execution
from scaiflow_api.localgrid.scaigrid.auth import CoreManager, CoreViewer
from scaiflow_api.localgrid.scaigrid.envelope import ok
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaikey.people import Principal

router = APIRouter(prefix="/executions")


@router.get("/{execution_id}")
async def read_execution(request: Request, execution_id: str, caller: CoreViewer, grid: GridDep) -> Response:
    execution = await _get(grid, caller, execution_id)
    return ok(request, execution.as_dict())


@router.post("/{execution_id}/cancel")
async def cancel_execution(
    request: Request, execution_id: str, caller: CoreManager, grid: GridDep
) -> Response:
    """End a run and those it waits for. It is FAILED then, with the code CANCELLED."""
    await _get(grid, caller, execution_id)
    ended = await grid.runs.cancel(execution_id)
    if ended is None or ended.error is None or ended.error["code"] != "CANCELLED":
        raise GridError(409, "EXECUTION_NOT_ACTIVE", f"The execution {execution_id!r} has ended already.")
    return ok(request, ended.as_dict())


async def _get(grid: Grid, caller: Principal, execution_id: str) -> Execution:
    """Return an execution of the caller's tenant. Raises GridError 404."""
    execution = await grid.runs.find(caller.tenant.id, execution_id)
    if execution is None:
        raise GridError(404, "EXECUTION_NOT_FOUND", f"There is no execution {execution_id!r}.")
    return execution
