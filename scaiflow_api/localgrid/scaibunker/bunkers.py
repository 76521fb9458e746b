"""Bunkers: a row, a private folder, and what runs in it now."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from scaiflow_api.kit.clock import Clock
from scaiflow_api.localgrid.scaibunker import bubblewrap, bunker_table, folders, sandbox
from scaiflow_api.localgrid.scaibunker.bubblewrap import Unavailable
from scaiflow_api.localgrid.scaibunker.bunker_table import Bunker, BunkerSpec
from scaiflow_api.localgrid.scaibunker.sandbox import Finished, Limits
from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.store import Store

_T = TypeVar("_T")

_MAX_FOLDERS = 32
_AT_ONCE = 8
"""Commands of the whole grid; further ones wait."""

_log = logging.getLogger(__name__)


class Bunkers:
    """Makes bunkers, runs commands in them, and removes them."""

    def __init__(self, store: Store, clock: Clock, root: Path) -> None:
        self._store = store
        self._clock = clock
        self._root = root
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._busy: dict[str, set[asyncio.Task[Finished]]] = {}
        self._works = False

    async def recover(self, alive: Collection[str]) -> None:
        """Remove what the last process left behind: bunkers of runs that are not alive, folders of no bunker."""

        def forget(connection: sqlite3.Connection) -> set[str]:
            for execution_id in bunker_table.runs_with_bunkers(connection):
                if execution_id not in alive:
                    bunker_table.delete_of_run(connection, execution_id)
            return bunker_table.ids(connection)

        kept = await self._store.write(forget)
        found = await asyncio.to_thread(folders.names_in, self._root)
        await self._remove(name for name in found if name not in kept)

    async def create(self, tenant_id: str, spec: BunkerSpec) -> Bunker:
        """Make a bunker that runs. Raises GridError, 503 when there are no sandboxes on this machine."""
        if spec.gpu_count:
            raise GridError(503, "NO_SUITABLE_WORKER", "There are no graphics processors on this grid.")
        bunker = await self._store_now(
            lambda connection, now: bunker_table.add(connection, tenant_id, spec, now)
        )
        try:
            await asyncio.to_thread(folders.make, self._folder(bunker.id))
            if not self._works:
                await sandbox.probe(self._folder(bunker.id))
                self._works = True
        except (Unavailable, OSError) as error:
            await self.destroy(tenant_id, bunker.id)
            raise _unavailable(error) from None
        return bunker

    async def get(self, tenant_id: str, bunker_id: str) -> Bunker:
        """Return a bunker. Raises GridError 404."""
        return await self._store_now(lambda connection, _: bunker_table.get(connection, tenant_id, bunker_id))

    async def find(self, tenant_id: str, spec: BunkerSpec) -> Bunker | None:
        """Return the bunker that was made just so, for the same session."""
        return await self._store_now(lambda connection, _: bunker_table.find(connection, tenant_id, spec))

    async def page(
        self, tenant_id: str, *, status: str | None, lifecycle: str | None, after: int, limit: int
    ) -> list[Bunker]:
        """Return up to `limit` bunkers in order of creation."""
        return await self._store_now(
            lambda connection, _: bunker_table.page(
                connection, tenant_id, status=status, lifecycle=lifecycle, after=after, limit=limit
            )
        )

    async def move(self, tenant_id: str, bunker_id: str, status: str) -> Bunker:
        """Pause or resume a bunker; what runs in it is ended. Raises GridError 404."""
        bunker = await self._store_now(
            lambda connection, now: bunker_table.move(connection, tenant_id, bunker_id, status, now)
        )
        if status == bunker_table.PAUSED:
            await self._end(bunker_id)
        return bunker

    async def destroy(self, tenant_id: str, bunker_id: str) -> None:
        """End what runs in a bunker and remove its folder. Raises GridError 404."""
        await self._store.write(lambda connection: bunker_table.delete(connection, tenant_id, bunker_id))
        await self._remove([bunker_id])

    async def destroy_those_of_run(self, execution_id: str) -> None:
        """Remove the ephemeral bunkers that a run of a Core made."""
        ended = await self._store.write(
            lambda connection: bunker_table.delete_of_run(connection, execution_id)
        )
        await self._remove(ended)

    async def run(
        self,
        tenant_id: str,
        bunker_id: str,
        program: Sequence[str],
        *,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        max_output: int = sandbox.MAX_OUTPUT_BYTES,
    ) -> Finished:
        """Run a verb of `inside.py` in a bunker. Raises GridError."""
        bunker = await self._store_now(
            lambda connection, now: bunker_table.use(connection, tenant_id, bunker_id, now)
        )
        spec = bunker.spec
        limits = Limits(
            timeout_s=timeout_s,
            cpu_millicores=spec.cpu_millicores,
            memory_mb=spec.memory_mb,
            disk_mb=spec.disk_mb,
        )
        running = sandbox.run(
            self._folder(bunker_id),
            program,
            limits=limits,
            env={**spec.env_vars, **(env or {})},
            stdin=stdin,
            max_output=max_output,
        )
        try:
            return await self._until_end(bunker_id, running)
        except (Unavailable, OSError) as error:
            raise _unavailable(error) from None

    async def add_folder(self, bunker: Bunker, name: str) -> None:
        """Give a bunker a folder of its own at its root, where that may be."""
        if bubblewrap.may_be_own(name):
            await asyncio.to_thread(folders.add, self._folder(bunker.id), name, most=_MAX_FOLDERS)

    async def has_room(self, bunker: Bunker, size: int) -> bool:
        """Return whether a bunker's folder may grow by so many bytes."""
        most = bunker.spec.disk_mb * 1024 * 1024
        taken = await asyncio.to_thread(folders.size_of, self._folder(bunker.id), most=most)
        return taken + size <= most

    async def _until_end(self, bunker_id: str, running: Coroutine[Any, Any, Finished]) -> Finished:
        """Wait for a command, which ends with its bunker. Raises GridError when that comes first."""

        async def in_turn() -> Finished:
            async with self._turns:
                return await running

        task = asyncio.create_task(in_turn())
        busy = self._busy.setdefault(bunker_id, set())
        busy.add(task)
        try:
            await asyncio.wait({task})
        finally:
            busy.discard(task)
            if not busy:
                self._busy.pop(bunker_id, None)
            await _cancel(task)
            running.close()  # where its turn never came
        if task.cancelled():
            raise GridError(409, "BUNKER_NOT_RUNNING", "The bunker ended while the command ran.")
        return task.result()

    async def _end(self, bunker_id: str) -> None:
        for task in list(self._busy.get(bunker_id, ())):
            await _cancel(task)

    def _folder(self, bunker_id: str) -> Path:
        return self._root / bunker_id

    async def _store_now(self, work: Callable[[sqlite3.Connection, float], _T]) -> _T:
        """Do something, in one transaction, once bunkers whose time is over are gone."""
        now = self._clock.now().timestamp()
        ended = await self._store.write(lambda connection: bunker_table.delete_ended(connection, now))
        await self._remove(ended)
        return await self._store.write(lambda connection: work(connection, now))

    async def _remove(self, bunker_ids: Iterable[str]) -> None:
        for bunker_id in bunker_ids:
            await self._end(bunker_id)
            folder = self._folder(bunker_id)
            if not await asyncio.to_thread(folder.exists):
                continue
            try:
                await asyncio.to_thread(folders.remove, folder)
            except OSError as error:  # the next start tries again
                _log.warning("the folder of the bunker %s cannot be removed: %s", bunker_id, error)


async def _cancel(task: asyncio.Task[Finished]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _unavailable(error: Exception) -> GridError:
    return GridError(503, "WORKER_UNAVAILABLE", f"There are no sandboxes on this grid: {error}.")
