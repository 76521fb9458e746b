"""The parts of one running grid, and how a route reaches them."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.config import GridConfig
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaicore.desk import Desk
from scaiflow_api.localgrid.scaicore.runs import Runs
from scaiflow_api.localgrid.scaikey.directory import Directory
from scaiflow_api.localgrid.scaikey.keys import SigningKeys
from scaiflow_api.localgrid.scaikey.people import Client
from scaiflow_api.localgrid.scaikey.webhooks import Deliveries
from scaiflow_api.localgrid.scaiqueue.post import Post
from scaiflow_api.localgrid.store import Store

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Grid:
    """Everything that lives as long as the process."""

    config: GridConfig
    clock: Clock
    store: Store
    clients: dict[str, Client]
    directory: Directory
    deliveries: Deliveries
    keys: SigningKeys
    runs: Runs
    post: Post
    desk: Desk
    bunkers: Bunkers

    def now(self) -> float:
        """Return the present in seconds since 1970."""
        return self.clock.now().timestamp()

    async def change_directory(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Change people or groups in one transaction, and have its events delivered."""
        result = await self.store.write(work)
        self.deliveries.wake()
        return result


async def _grid_of(request: Request) -> Grid:
    grid: Grid = request.app.state.grid
    return grid


GridDep = Annotated[Grid, Depends(_grid_of)]
