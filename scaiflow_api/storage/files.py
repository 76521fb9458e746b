"""The file store: the embedded default."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from scaiflow_api.storage.blobs import BlobInfo
from scaiflow_api.storage.errors import StoreNotUsable, unavailable
from scaiflow_api.storage.folder import BlobFolder
from scaiflow_api.storage.keys import check_key, check_prefix
from scaiflow_api.storage.workers import Result, Workers

_PAGE: Final = 500


class FileBlobs:
    """Opens when constructed. Raises `StoreNotUsable` when the folder cannot be made or written.

    Several processes of one machine may share the folder. `threads` bounds the calls at work,
    `deadline` (seconds) the time of each.
    """

    def __init__(
        self,
        root: Path,
        *,
        threads: int = 8,
        deadline: float = 15.0,
        sync: Callable[[int], None] = os.fsync,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self._folder = BlobFolder(root, sync=sync, link=link)
        try:
            self._folder.open()
        except OSError as exc:
            raise StoreNotUsable(
                f"The folder {root.absolute()} cannot hold flow contents: {exc.strerror}. "
                "Make it writable or name another one in SCAIFLOW_STORE_URL."
            ) from exc
        self._workers = Workers("file-blobs", threads=threads, deadline=deadline)

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        check_key(key)
        await self._run("put", partial(self._folder.write, key, data, if_absent=if_absent))

    async def get(self, key: str) -> bytes:
        check_key(key)
        return await self._run("get", partial(self._folder.read, key))

    async def delete(self, key: str) -> None:
        check_key(key)
        await self._run("delete", partial(self._folder.remove, key))

    async def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        entries = self._folder.entries(prefix)
        while page := await self._run("list", lambda: list(islice(entries, _PAGE))):
            for info in page:
                yield info

    async def sweep(self, before: datetime, *, dry_run: bool = False) -> int:
        return await self._run("sweep", partial(self._folder.sweep, before, dry_run=dry_run))

    async def check(self) -> None:
        await self._run("check", self._folder.probe)

    async def close(self) -> None:
        await self._workers.close()

    async def _run(self, action: str, work: Callable[[], Result]) -> Result:
        try:
            return await self._workers.run(work)
        except OSError as exc:  # a passed deadline is one too
            raise unavailable(action, exc) from exc
