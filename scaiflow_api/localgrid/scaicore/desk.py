"""Where checkpoints are answered: by people, or by time that runs out."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.scaicore import checkpoint_table
from scaiflow_api.localgrid.scaicore.checkpoint_row import Checkpoint
from scaiflow_api.localgrid.scaicore.checkpoint_table import Checkpoints, Ending
from scaiflow_api.localgrid.scaicore.runs import Runs
from scaiflow_api.localgrid.store import Store

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S = 1.0


class NotPending(Exception):
    """The checkpoint has ended, as its row tells."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint.status)
        self.checkpoint = checkpoint


class Desk:
    """Ends checkpoints, each of them once, and lets their runs go on."""

    def __init__(self, store: Store, clock: Clock, runs: Runs) -> None:
        self._store = store
        self._clock = clock
        self._runs = runs
        self._rows = Checkpoints(store)

    async def run(self) -> None:
        """Let time run out until cancelled."""
        while True:
            try:
                await self.expire()
            except Exception:
                # Nobody waits for this task; the next round may fare better.
                _log.exception("checkpoints could not expire")
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def expire(self) -> None:
        """Let time run out where it has."""
        now = self._clock.now()
        for checkpoint in await self._store.write(
            lambda connection: checkpoint_table.expire_due(connection, now)
        ):
            self.hand_over(checkpoint)

    async def rows(self) -> Checkpoints:
        """Return the checkpoints, as they are now."""
        await self.expire()
        return self._rows

    async def end(
        self, tenant_id: str, checkpoint_id: str, ending: Callable[[Checkpoint], Ending]
    ) -> Checkpoint | None:
        """End a pending checkpoint as `ending` says, which may raise; None: there is no such checkpoint.

        Raises NotPending. Of several callers at the same time one ends it.
        """

        async def end_and_hand_over() -> Checkpoint | None:
            ended = await self._change(
                tenant_id,
                checkpoint_id,
                lambda connection, found: checkpoint_table.end(connection, found, ending(found)),
            )
            if ended is not None:
                self.hand_over(ended)
            return ended

        # A caller that goes away in between must not leave a run behind that nobody wakes.
        return await asyncio.shield(end_and_hand_over())

    async def reassign(self, tenant_id: str, checkpoint_id: str, assignee: str) -> Checkpoint | None:
        """Ask somebody else; None: there is no such checkpoint. Raises NotPending."""
        return await self._change(
            tenant_id,
            checkpoint_id,
            lambda connection, found: checkpoint_table.reassign(connection, found, assignee),
        )

    async def _change(
        self,
        tenant_id: str,
        checkpoint_id: str,
        change: Callable[[sqlite3.Connection, Checkpoint], Checkpoint],
    ) -> Checkpoint | None:
        await self.expire()

        def apply(connection: sqlite3.Connection) -> Checkpoint | None:
            found = checkpoint_table.find(connection, tenant_id, checkpoint_id)
            if found is None:
                return None
            if found.status != "pending":
                raise NotPending(found)
            return change(connection, found)

        return await self._store.write(apply)

    def hand_over(self, checkpoint: Checkpoint) -> None:
        """Let the run go on that waits for a checkpoint which has ended."""
        live = self._runs.live(checkpoint.execution_id)
        answer = checkpoint.answer
        if live is not None and answer is not None:
            live.answer(checkpoint.place, answer)
