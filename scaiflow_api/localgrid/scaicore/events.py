"""ScaiCore module: the events of runs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaicore.cores import get_core
from scaiflow_api.localgrid.scaicore.event_log import EventLog
from scaiflow_api.localgrid.scaigrid.auth import CoreViewer
from scaiflow_api.localgrid.scaigrid.envelope import cursor_of, ok, position_of

EARLIEST = "earliest"
"""The cursor that stands before the oldest event kept."""

router = APIRouter()


@router.get("/events")
async def list_events(
    request: Request,
    caller: CoreViewer,
    grid: GridDep,
    core_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> Response:
    """Return events, oldest first: without a cursor the latest ones, with one those behind it.

    `next_cursor` is always there and stands behind the last event returned, so that whoever asks again with it
    gets what is new and misses nothing.
    """
    if core_id is not None:
        await get_core(grid, caller, core_id)
    log, tenant_id = EventLog(grid.store), caller.tenant.id
    if cursor:
        position = 0 if cursor == EARLIEST else position_of(cursor)
        found = await log.after(tenant_id, core_id, position=position, limit=limit)
    else:
        position = 0
        found = await log.latest(tenant_id, core_id, limit=limit)
    last = found[-1].seq if found else position
    return ok(request, {"events": [event.as_dict() for event in found], "next_cursor": cursor_of(last)})
