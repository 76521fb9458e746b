"""What the file store promises beyond the contract: durability, crashes, disks that refuse."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scaiflow_api.storage.errors import BlobExists, BlobNotFound, StoreNotUsable, StoreUnavailable
from scaiflow_api.storage.files import FileBlobs

KEY = "flows/tnt_acme/flow_x/v1.0.0.flow.json"


class Disk:
    """The real fsync, which notes what it synced and fails on demand."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.refuses: Callable[[os.stat_result], int | None] = lambda _: None

    def sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if code := self.refuses(status):
            raise OSError(code, os.strerror(code))
        os.fsync(descriptor)
        self.synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))


def always(code: int) -> Callable[[os.stat_result], int | None]:
    return lambda _: code


def on_folders(code: int) -> Callable[[os.stat_result], int | None]:
    return lambda status: code if stat.S_ISDIR(status.st_mode) else None


async def keys_of(store: FileBlobs) -> list[str]:
    return sorted([info.key async for info in store.keys("")])


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def test_an_object_lies_where_its_key_says(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    await store.put(KEY, b"{}", if_absent=True)
    await store.close()
    assert (tmp_path / KEY).read_bytes() == b"{}"
    assert files_below(tmp_path) == [tmp_path / KEY]


async def test_a_key_may_also_be_a_folder(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    for key in ("a", "a/b", "a/b/c.d", "a/b/c.d/e"):
        await store.put(key, key.encode(), if_absent=True)
    assert [await store.get(key) for key in await keys_of(store)] == [b"a", b"a/b", b"a/b/c.d", b"a/b/c.d/e"]
    await store.delete("a")
    assert await keys_of(store) == ["a/b", "a/b/c.d", "a/b/c.d/e"]
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to name what was synced")
@pytest.mark.parametrize("if_absent", [True, False])
async def test_a_put_syncs_the_file_and_every_new_folder(tmp_path: Path, disk: Disk, if_absent: bool) -> None:
    store = FileBlobs(tmp_path, sync=disk.sync)
    disk.synced.clear()
    await store.put(KEY, b"{}", if_absent=if_absent)
    file, *folders = disk.synced
    assert Path(file).parent == tmp_path / ".incoming"
    assert folders == [
        str(tmp_path),
        str(tmp_path / "flows"),
        str(tmp_path / "flows/tnt_acme"),
        str((tmp_path / KEY).parent),
    ]
    disk.synced.clear()
    await store.put(KEY.replace("1.0.0", "1.0.1"), b"{}", if_absent=if_absent)
    assert disk.synced[1:] == [str((tmp_path / KEY).parent)]
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to name what was synced")
async def test_a_folder_made_by_another_process_is_synced_before_its_first_use(
    tmp_path: Path, disk: Disk
) -> None:
    (tmp_path / KEY).parent.mkdir(parents=True)
    store = FileBlobs(tmp_path, sync=disk.sync)
    disk.synced.clear()
    await store.put(KEY, b"{}", if_absent=True)
    assert str(tmp_path / "flows/tnt_acme") in disk.synced
    await store.close()


async def test_a_folder_that_was_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    await store.put(KEY, b"1")
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).parent.rmdir()
    await store.put(KEY, b"2", if_absent=True)
    assert await store.get(KEY) == b"2"
    await store.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
async def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, disk: Disk, code: int) -> None:
    store = FileBlobs(tmp_path, sync=disk.sync)
    await store.put("kept", b"old")
    disk.refuses = always(code)
    for if_absent in (True, False):
        with pytest.raises(StoreUnavailable) as refused:
            await store.put(KEY, b"{}", if_absent=if_absent)
        assert refused.value.detail() == {
            "error": "store_unavailable",
            "message": "The store of flow contents cannot be used at the moment.",
            "fix": "Try again in a moment. If it lasts, the operator finds the cause in the log.",
        }
    with pytest.raises(StoreUnavailable):
        await store.put("kept", b"new")
    with pytest.raises(StoreUnavailable):
        await store.check()
    assert list((tmp_path / ".incoming").iterdir()) == []
    assert await keys_of(store) == ["kept"]
    assert await store.get("kept") == b"old"
    disk.refuses = always(0)
    await store.put(KEY, b"{}", if_absent=True)
    await store.close()


async def test_a_put_whose_folder_cannot_be_synced_is_not_acknowledged(tmp_path: Path, disk: Disk) -> None:
    store = FileBlobs(tmp_path, sync=disk.sync)
    disk.refuses = on_folders(errno.EIO)
    with pytest.raises(StoreUnavailable):
        await store.put("k", b"x", if_absent=True)
    await store.close()


async def test_what_a_crash_left_is_neither_listed_nor_in_the_way(tmp_path: Path) -> None:
    first = FileBlobs(tmp_path)
    await first.close()
    half = tmp_path / ".incoming" / "0123456789abcdef"
    half.write_bytes(b"half a docu")
    store = FileBlobs(tmp_path)
    assert await keys_of(store) == []
    with pytest.raises(BlobNotFound):
        await store.get(KEY)
    await store.put(KEY, b"whole", if_absent=True)
    assert await keys_of(store) == [KEY]
    assert half.exists(), "it may be the running put of another process"
    await store.close()


async def test_a_sweep_removes_what_is_left_of_old_puts(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    before = datetime.now(UTC) - timedelta(hours=1)
    for leftover, age in ((old, -1), (young, 1)):
        leftover.write_bytes(b"half")
        os.utime(leftover, (before.timestamp() + age,) * 2)
    assert await store.sweep(before, dry_run=True) == 1
    assert old.exists()
    assert await store.sweep(before) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert await store.sweep(before) == 0
    await store.close()


async def test_a_crash_after_the_link_keeps_the_object_when_swept(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    await store.put(KEY, b"{}", if_absent=True)
    twin = tmp_path / ".incoming" / "twin"
    twin.hardlink_to(tmp_path / KEY)
    os.utime(twin, (0, 0))
    assert await store.sweep(datetime.now(UTC)) == 1
    assert await store.get(KEY) == b"{}"
    with pytest.raises(BlobExists):
        await store.put(KEY, b"", if_absent=True)
    await store.close()


async def test_foreign_files_are_not_listed(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    await store.put(KEY, b"{}")
    for name in ("README", ".DS_Store", "notes", "lost+found", "flows/Thumbs.db", "flows/%ff.x"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.with.dots").mkdir()
    assert await keys_of(store) == [KEY]
    await store.close()


@pytest.mark.parametrize("root", ["file", "file/below", "file/below/deeper"])
def test_a_root_that_is_no_folder_is_refused_with_a_sentence(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreNotUsable) as refused:
        FileBlobs(tmp_path / root)
    assert str(tmp_path / root) in str(refused.value)
    assert "SCAIFLOW_STORE_URL" in str(refused.value)


def test_a_root_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path, disk: Disk) -> None:
    disk.refuses = always(errno.EROFS)
    with pytest.raises(StoreNotUsable, match="Read-only file system"):
        FileBlobs(tmp_path, sync=disk.sync)


def test_a_root_without_permission_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """In a process of its own, which gives up root's right to write anywhere."""
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from scaiflow_api.storage.errors import StoreNotUsable\n"
        "from scaiflow_api.storage.files import FileBlobs\n"
        "if os.geteuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        "try: FileBlobs(Path(sys.argv[1]) / 'blobs')\n"
        "except StoreNotUsable as refused: print(refused)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, locked], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert "cannot hold flow contents: Permission denied." in done.stdout


async def test_two_stores_on_one_folder_agree_on_the_winner(tmp_path: Path) -> None:
    stores = [FileBlobs(tmp_path), FileBlobs(tmp_path)]
    await stores[0].put(KEY, b"first", if_absent=True)
    with pytest.raises(BlobExists):
        await stores[1].put(KEY, b"second", if_absent=True)
    for store in stores:
        await store.close()


async def test_a_call_that_takes_too_long_is_unavailable(tmp_path: Path) -> None:
    answers = threading.Event()
    answers.set()

    def sync(_: int) -> None:
        answers.wait(60)

    store = FileBlobs(tmp_path, deadline=0.05, sync=sync)
    answers.clear()
    with pytest.raises(StoreUnavailable):
        await store.put(KEY, b"{}")
    answers.set()
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from scaiflow_api.storage.files import FileBlobs

async def write(store, worker):
    for number in range(100_000):
        key = f"flows/t/w{worker}/v{number}.json"
        await store.put(key, key.encode() * 200, if_absent=True)
        print(key, flush=True)

async def main():
    store = FileBlobs(Path(sys.argv[1]))
    await asyncio.gather(*(write(store, worker) for worker in range(16)))

asyncio.run(main())
"""


def write_until_killed(root: Path) -> list[str]:
    """Return the keys that the writer said it had stored."""
    command = [sys.executable, "-c", WRITER, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout
    return [line.strip() for line in acknowledged if line.endswith("\n")]


async def test_a_killed_process_loses_no_acknowledged_object_and_leaves_none_half(tmp_path: Path) -> None:
    acknowledged = write_until_killed(tmp_path)
    assert len(acknowledged) >= 200
    store = FileBlobs(tmp_path)
    listed = await keys_of(store)
    assert set(acknowledged) <= set(listed)
    for key in listed:
        assert await store.get(key) == key.encode() * 200
    await store.close()
