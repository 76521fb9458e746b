"""A disk without room, a real one of a few megabytes: nothing acknowledged is lost, what failed succeeds later."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_flow_calls import Json, create, numbers
from api_refusals import refused
from people import People
from pydantic import SecretStr

from scaiflow_api.domains.audit.verification import verify_chain
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Database, Settings, Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk to fill")
MEGABYTES = 8
"""Room for SQLite's tables and the log of what is written to them."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a disk to fill is not allowed here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(params=["store", "database", "both"])
def settings(settings: Settings, request: pytest.FixtureRequest, disk: Path, database_url: str) -> Settings:
    """Those of the other tests, with the store, SQLite's folder or both on the small disk."""
    changed: dict[str, Any] = {}
    if request.param != "database":
        changed["store"] = Store(url=f"file:{disk / 'blobs'}")
    if request.param != "store":
        if not database_url.startswith("sqlite"):
            pytest.skip("the folder of a database server is not ours to fill")
        there = disk / "test.db"
        there.write_bytes(Path(database_url.removeprefix("sqlite+aiosqlite:///")).read_bytes())
        changed["database"] = Database(url=SecretStr(f"sqlite+aiosqlite:///{there}"), pool_size=5)
    return settings.model_copy(update=changed)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on the disk."""
    for log in disk.glob("*.db-wal"):
        with closing(sqlite3.connect(log.with_suffix(".db"))) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else there is room in it
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096):
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        filler.unlink()


REFUSED = {(503, "store_unavailable"), (503, "database_unavailable")}


async def until_refused(send: Callable[[], Awaitable[httpx.Response]], done: list[httpx.Response]) -> None:
    """Do something again and again until there is no room for it; what was acknowledged goes into `done`."""
    for _ in range(100):
        answer = await send()
        if not answer.is_success:
            assert refused(answer) in REFUSED
            assert {"message", "fix", "trace_id"} <= set(answer.json()["detail"])
            return
        done.append(answer)
    raise AssertionError("the disk is not full")


@pytest.mark.usefixtures("short_wait_for_orphans")
async def test_nothing_acknowledged_is_lost_and_retries_succeed_once_there_is_room(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json, disk: Path
) -> None:
    bob = people.bob.headers
    flow = (await create(api, bob, echo, name="Kept"))["id"]
    path = f"/flows/{flow}"
    content = {**echo, "metadata": {"description": "x" * 20_000}}

    def ask(method: str, path: str, body: Json) -> Callable[[], Awaitable[httpx.Response]]:
        return lambda: api.request(method, path, json=body, headers=bob)

    sends = {
        "save": ask("PUT", path, {"content": content}),
        "create": ask("POST", "/flows", {"content": content, "name": "Made"}),
        "publish": ask("POST", "/catalog/publish", {"package_id": "kept", "content": content}),
    }
    done: dict[str, list[httpx.Response]] = {name: [] for name in sends}
    with full(disk):
        for name, send in sends.items():
            await until_refused(send, done[name])
        for read in (path, "/flows", f"{path}/versions", "/catalog", "/me"):
            assert (await api.get(read, headers=bob)).status_code == 200, "what is there can be read"
    for name, send in sends.items():
        answer = await send()
        assert answer.is_success, answer.text
        done[name].append(answer)

    saved = [answer.json()["version"] for answer in done["save"]]
    versions = await numbers(api, bob, flow)
    assert versions == [*saved[::-1], "1.0.0"], "each acknowledged, none besides"
    made = [answer.json()["id"] for answer in done["create"]]
    listed = (await api.get("/flows?search=Made&limit=500", headers=bob)).json()
    assert listed["total"] == len(made)
    for flow_id in made:
        assert (await api.get(f"/flows/{flow_id}", headers=bob)).status_code == 200
    published = [answer.json()["version"] for answer in done["publish"]]
    package = (await api.get("/catalog/kept", headers=bob)).json()
    assert sorted(published) == sorted(row["version"] for row in package["versions"])
    for version in published:
        download = await api.get(f"/catalog/kept/download?version={version}", headers=bob)
        assert download.status_code == 200
    assert (await verify_chain(resources.db, "tnt_acme")).findings == []
