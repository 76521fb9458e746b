"""Who may do what in ScaiQueue, and in which scope a call works."""

import sqlite3
from collections.abc import Callable
from typing import Annotated, TypeAlias, TypeVar

from fastapi import Depends, Query

from scaiflow_api.localgrid.grid import Grid
from scaiflow_api.localgrid.scaigrid.auth import requires
from scaiflow_api.localgrid.scaikey.people import Principal
from scaiflow_api.localgrid.scaiqueue import messages, scopes
from scaiflow_api.localgrid.scaiqueue.message import Actor
from scaiflow_api.localgrid.scaiqueue.scopes import Scope

_T = TypeVar("_T")

_MANAGE = "scaiqueue:manage"

QueueViewer = Annotated[Principal, Depends(requires("scaiqueue:view"))]
QueueManager = Annotated[Principal, Depends(requires(_MANAGE))]
Publisher = Annotated[Principal, Depends(requires("scaiqueue:publish", _MANAGE))]
Consumer = Annotated[Principal, Depends(requires("scaiqueue:consume", _MANAGE))]

Limit: TypeAlias = Annotated[int, Query(ge=1, le=500)]


def actor_of(caller: Principal) -> Actor:
    """Return who the caller is to a queue."""
    return Actor(type="user", id=caller.id, manages=_MANAGE in caller.permissions)


async def in_scope(
    grid: Grid, caller: Principal, scope_id: str, work: Callable[[sqlite3.Connection, Scope, float], _T]
) -> _T:
    """Do something, in one transaction, in a scope of the caller's tenant as it is now. Raises GridError 404."""
    now = grid.now()

    def settled(connection: sqlite3.Connection) -> _T:
        scope = scopes.get(connection, caller.tenant.id, scope_id)
        messages.settle(connection, scope, now)
        return work(connection, scope, now)

    return await grid.store.write(settled)
