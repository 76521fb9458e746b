"""Measures the sync of a large directory: 50,000 people, 2,000 groups, 200,000 memberships over real HTTP.

    python -m benchmarks.directory [SQLALCHEMY_URL_OF_AN_EMPTY_DATABASE]

The floor is reading the same lists and doing nothing with them.
"""

import asyncio
import os
import random
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

from benchmarks.servers import free_port, running
from scaiflow_api.cli.environment import load_settings
from scaiflow_api.db.schema import upgrade
from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.localgrid.scaikey.people import TENANTS_BY_ID
from scaiflow_api.resources import Resources, open_resources

PEOPLE, GROUPS, MEMBERSHIPS = 50_000, 2_000, 200_000
NOW = "2026-01-01T00:00:00.000000Z"


class Peak:
    """The most memory that this process keeps while the block runs, in MB above what it kept before."""

    def __enter__(self) -> Self:
        self._process, self._running = psutil.Process(), True
        self._before = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()

    def _watch(self) -> None:
        while self._running:
            self._most = max(self._most, self._process.memory_info().rss)
            time.sleep(0.05)

    @property
    def mb(self) -> float:
        grown: float = (self._most - self._before) / 1024**2
        return grown


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = free_port()
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite+aiosqlite:///{folder}/api.db"
        os.environ |= {
            "SCAIFLOW_ENV": "development",
            "SCAIFLOW_LOG_LEVEL": "ERROR",
            "SCAIFLOW_DB_URL": url,
            "SCAIFLOW_STORE_URL": "memory:",
            "SCAIFLOW_GRID_DB": f"{folder}/grid.db",
            "SCAIFLOW_GRID_PORT": str(port),
            "SCAIKEY_BASE_URL": f"http://127.0.0.1:{port}/scaikey",
            "SCAIFLOW_SCAIKEY_CLIENT_ID": "bench",
            "SCAIFLOW_SCAIKEY_CLIENT_SECRET": "bench-only",
            "SCAIFLOW_SUPER_ADMIN_GROUPS": "grp_b0",
        }
        configure_logging("ERROR")
        upgrade(url)
        stack.enter_context(running(["-m", "scaiflow_api.cli.serve", "grid"], f"http://127.0.0.1:{port}/"))
        fill(Path(folder) / "grid.db")
        asyncio.run(measure())


def fill(path: Path) -> None:
    """Add people and groups to the local grid's file, one tenth of the groups inside of others."""
    dice, tenants = random.Random(1), list(TENANTS_BY_ID)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    people = [(f"usr_b{n}", tenants[n % len(tenants)]) for n in range(PEOPLE)]
    groups = [(f"grp_b{n}", tenants[n % len(tenants)]) for n in range(GROUPS)]
    connection.executemany(
        "INSERT INTO users VALUES (?, ?, ?, ?, 'Bench', 'ACTIVE', ?, NULL)",
        [(user, tenant, f"{user}@bench.example", user, NOW) for user, tenant in people],
    )
    connection.executemany(
        "INSERT INTO groups VALUES (?, ?, ?, ?, NULL)",
        [(group, tenant, f"Group {group}", NOW) for group, tenant in groups],
    )
    seen: set[tuple[str, str]] = set()
    while len(seen) < MEMBERSHIPS:
        number = dice.randrange(GROUPS)
        user = dice.randrange(number % len(tenants), PEOPLE, len(tenants))
        seen.add((f"grp_b{number}", f"usr_b{user}"))
    connection.executemany(
        "INSERT INTO group_members VALUES (?, 'user', ?, ?)",
        [(group, user, NOW) for group, user in sorted(seen)],
    )
    connection.executemany(
        "INSERT INTO group_members VALUES (?, 'group', ?, ?)",
        [(f"grp_b{n}", f"grp_b{n + len(tenants)}", NOW) for n in range(0, GROUPS - len(tenants), 10)],
    )
    connection.execute("COMMIT")
    connection.close()


async def measure() -> None:
    async with open_resources(load_settings()) as resources:
        started = time.perf_counter()
        await read_everything(resources)
        floor = time.perf_counter() - started
        print(f"  {'reading the lists (the floor)':30} {floor:6.1f} s")
        for name in ("first sync", "second sync"):
            worked = time.process_time()
            with Peak() as peak:
                report = await DirectorySync(resources).run()
            assert report.skipped_reason is None, report
            added = (report.users_added, report.groups_added, report.memberships_added)
            print(
                f"  {name:30} {report.duration_seconds:6.1f} s, {report.duration_seconds / floor:.1f} of the floor,"
                f" {time.process_time() - worked:.1f} s of processor time, +{peak.mb:.0f} MB,"
                f" {added[0]} people, {added[1]} groups, {added[2]} memberships added"
            )


async def read_everything(resources: Resources) -> None:
    directory = resources.directory
    async for tenants in directory.tenants():
        for tenant in tenants:
            async for _ in directory.effective_users(tenant):
                pass

    async def walk(group: object) -> None:
        async for _ in directory.members(group):  # type: ignore[arg-type]
            pass

    async for groups in directory.groups():
        for start in range(0, len(groups), 8):
            await asyncio.gather(*(walk(group) for group in groups[start : start + 8]))


main()
