"""What every object store of ours can do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One stored object, as a listing shows it."""

    key: str
    size: int
    """Bytes."""
    modified: datetime
    """Aware, in UTC, by the clock of the store."""


class BlobStore(Protocol):
    """Bytes under keys (`storage.keys` says which keys). Safe to use from many tasks at once.

    Any method raises `StoreUnavailable` when the store cannot do its work. After a `put` that ended
    so, the object may or may not be there; an acknowledged one survives a power cut.

    One rule is the caller's: no key is also a folder of another (`a` beside `a/b`). Files and memory
    hold both, some S3 servers do not.
    """

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Store `data`; with `if_absent`, raise `BlobExists` when the key is taken."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `BlobNotFound`."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none.

        It is asked for at most once: a repetition could remove what somebody stored there after the first, whose
        answer was lost.
        """
        ...

    def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """List what begins with `prefix`, page by page, in the store's own order (`/` is a character as any).

        What comes or goes meanwhile may be listed or not; everything else is, once.
        """
        ...

    async def sweep(self, before: datetime, *, dry_run: bool = False) -> int:
        """Remove what unfinished puts of before that moment left beside the objects; return how much there was."""
        ...

    async def check(self) -> None:
        """Return when the store can be used, for the readiness probe."""
        ...

    async def close(self) -> None:
        """Finish what is running and let go of threads and connections."""
        ...
