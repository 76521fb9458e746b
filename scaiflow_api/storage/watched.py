"""A store whose reads and writes are timed and leave spans."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime

from scaiflow_api.kit.metrics import STORE_CALLS, timed
from scaiflow_api.kit.tracing import SpanKind, span
from scaiflow_api.storage.blobs import BlobInfo, BlobStore


class WatchedBlobs:
    """Does what the store that it is given does."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        with _watched("put"):
            await self._blobs.put(key, data, if_absent=if_absent)

    async def get(self, key: str) -> bytes:
        with _watched("get"):
            return await self._blobs.get(key)

    async def delete(self, key: str) -> None:
        with _watched("delete"):
            await self._blobs.delete(key)

    def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        return self._blobs.keys(prefix)

    async def sweep(self, before: datetime, *, dry_run: bool = False) -> int:
        return await self._blobs.sweep(before, dry_run=dry_run)

    async def check(self) -> None:
        await self._blobs.check()

    async def close(self) -> None:
        await self._blobs.close()


@contextmanager
def _watched(operation: str) -> Iterator[None]:
    with timed(STORE_CALLS, operation=operation), span(f"store {operation}", SpanKind.CLIENT):
        yield
