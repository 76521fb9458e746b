"""Blobs in a folder of a local disk: the blocking half of the file store.

A put writes a file under `.incoming`, syncs it, gives it its name in one step and syncs the folder. So
a reader sees a whole object or none, and an acknowledged one survives a power cut. Empty folders stay.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Final

from scaiflow_api.storage.blobs import BlobInfo
from scaiflow_api.storage.errors import BlobExists, BlobNotFound
from scaiflow_api.storage.file_names import NameKind, read_name, relative_folder, relative_path
from scaiflow_api.storage.keys import check_key

_SETTLED_FOLDERS: Final = 16_384


class BlobFolder:
    """`sync` and `link` are the two system calls that disks refuse in practice; tests pass their own."""

    def __init__(
        self,
        root: Path,
        *,
        sync: Callable[[int], None] = os.fsync,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self._root = root.absolute()
        self._incoming = self._root / ".incoming"
        self._sync = sync
        self._link = link
        self._has_links = True
        self._settled: set[Path] = set()

    def open(self) -> None:
        """Make the folder and prove that it can be written. Raises OSError."""
        for folder in reversed([self._incoming, *self._incoming.parents]):
            if not folder.is_dir():
                self._make(folder)
        with self._spooled(b"probe") as probe:
            twin = probe.with_name(f"{probe.name}-twin")
            try:
                self._link(probe, twin)
            except OSError:
                self._has_links = False
            finally:
                twin.unlink(missing_ok=True)

    def probe(self) -> None:
        """Write and remove a small file. Raises OSError."""
        with self._spooled(b"probe"):
            pass

    def read(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise BlobNotFound from None

    def write(self, key: str, data: bytes, *, if_absent: bool) -> None:
        target = self._path(key)
        if if_absent and target.exists():
            raise BlobExists  # spares the loser two syncs; the link below decides the race
        with self._spooled(data) as spooled:
            self._settle(target.parent)
            if not self._has_links:
                self._move(spooled, target, if_absent=if_absent)
            elif if_absent:
                try:
                    self._link(spooled, target)
                except FileExistsError:
                    raise BlobExists from None
            else:
                spooled.replace(target)
        self._sync_folder(target.parent)

    def remove(self, key: str) -> None:
        target = self._path(key)
        with suppress(FileNotFoundError):
            target.unlink()
            self._sync_folder(target.parent)

    def entries(self, prefix: str) -> Iterator[BlobInfo]:
        """Walk only the folders that can hold `prefix`. What is in memory is the way to where the walk stands."""
        base, slash, _ = prefix.rpartition("/")
        start = self._root / relative_folder(base) if slash else self._root
        wanted = prefix.encode()
        open_folders = [self._scan(start, (base + slash).encode())]
        while open_folders:
            step = next(open_folders[-1], None)
            if step is None:
                open_folders.pop()
                continue
            key, path, kind = step
            if kind is not NameKind.OBJECT:
                if key.startswith(wanted) or wanted.startswith(key):
                    open_folders.append(self._scan(path, key))
            elif key.startswith(wanted) and (info := _info(key, path)):
                yield info

    def sweep(self, before: datetime, *, dry_run: bool) -> int:
        """Remove what puts that died before that moment left, unless it is a `dry_run`; return how many files."""
        found = 0
        for leftover in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # its writer, or another sweep, was faster
                if leftover.stat().st_mtime < before.timestamp():
                    if not dry_run:
                        leftover.unlink()
                    found += 1
        return found

    def _scan(self, folder: Path, above: bytes) -> Iterator[tuple[bytes, Path, NameKind]]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as listing:
            for entry in listing:
                if (named := read_name(entry.name)) is not None:
                    part, kind = named
                    key = above + part + (b"/" if kind is NameKind.FOLDER else b"")
                    yield key, folder / entry.name, kind

    def _path(self, key: str) -> Path:
        return self._root / relative_path(key)

    @contextmanager
    def _spooled(self, data: bytes) -> Iterator[Path]:
        """Yield a synced file with `data`; it is gone afterwards unless it was renamed."""
        path = self._incoming / secrets.token_hex(16)
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                self._sync(file.fileno())
            yield path
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _move(self, spooled: Path, target: Path, *, if_absent: bool) -> None:
        """Rename under a lock: the way to create only once where the disk knows no hard links."""
        with (self._root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go with the file, also when the process dies
            if if_absent and target.exists():
                raise BlobExists
            spooled.replace(target)

    def _settle(self, folder: Path) -> None:
        """Make `folder` and those above it exist, and be on the disk.

        A folder that is there may still be unsynced by the writer that made it, so its first use
        by this process syncs it once more.
        """
        if folder == self._root or (folder in self._settled and folder.is_dir()):
            return
        self._settle(folder.parent)
        if not folder.is_dir():
            self._make(folder)
        elif folder not in self._settled:
            self._sync_folder(folder.parent)
        if len(self._settled) >= _SETTLED_FOLDERS:
            self._settled.clear()
        self._settled.add(folder)

    def _make(self, folder: Path) -> None:
        with suppress(FileExistsError):  # another writer was faster
            folder.mkdir(0o700 if folder == self._root else 0o777)
        self._sync_folder(folder.parent)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)


def _info(key: bytes, path: Path) -> BlobInfo | None:
    """Return the entry, or None for what is gone again or was not put there by a store."""
    try:
        text = key.decode()
        check_key(text)
        status = path.stat()
    except (ValueError, FileNotFoundError):
        return None
    if not S_ISREG(status.st_mode):
        return None
    return BlobInfo(text, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
