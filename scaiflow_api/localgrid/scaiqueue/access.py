"""Who may do what in ScaiQueue, and what its lists have in common."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Query

from scaiflow_api.localgrid.people import Principal
from scaiflow_api.localgrid.scaigrid.auth import requires

_MANAGE = "scaiqueue:manage"

QueueViewer = Annotated[Principal, Depends(requires("scaiqueue:view"))]
QueueManager = Annotated[Principal, Depends(requires(_MANAGE))]
Publisher = Annotated[Principal, Depends(requires("scaiqueue:publish", _MANAGE))]
Consumer = Annotated[Principal, Depends(requires("scaiqueue:consume", _MANAGE))]

Limit: TypeAlias = Annotated[int, Query(ge=1, le=500)]
