"""A store that lives as long as its process: for tests and trials."""

from collections.abc import AsyncIterator
from datetime import datetime

from scaiflow_api.kit.clock import Clock, SystemClock
from scaiflow_api.storage.blobs import BlobInfo
from scaiflow_api.storage.errors import BlobExists, BlobNotFound
from scaiflow_api.storage.keys import check_key, check_prefix


class MemoryBlobs:
    """Nothing awaits between a check and its write, so each method is one step for all tasks."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._blobs: dict[str, tuple[bytes, datetime]] = {}

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        check_key(key)
        if if_absent and key in self._blobs:
            raise BlobExists
        self._blobs[key] = (bytes(data), self._clock.now())

    async def get(self, key: str) -> bytes:
        check_key(key)
        try:
            return self._blobs[key][0]
        except KeyError:
            raise BlobNotFound from None

    async def delete(self, key: str) -> None:
        check_key(key)
        self._blobs.pop(key, None)

    async def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        listing = [
            BlobInfo(key, len(data), modified)
            for key, (data, modified) in self._blobs.items()
            if key.startswith(prefix)
        ]
        for info in listing:
            yield info

    async def sweep(self, before: datetime, *, dry_run: bool = False) -> int:
        return 0

    async def check(self) -> None:
        """Return: memory is always there."""

    async def close(self) -> None:
        """Keep the contents, so that a closed store can be looked at."""
