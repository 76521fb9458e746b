"""Editors in Node: stock y-websocket providers, in one process that is told what to do."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "node"
PATIENCE_S = 20.0
Json = dict[str, Any]


def installed() -> None:
    """Install what the lock file names, unless it is there. No Node is a failure."""
    for tool in ("node", "npm"):
        assert shutil.which(tool), f"{tool} is needed for the tests with y-websocket's own clients"
    lock, there = FOLDER / "package-lock.json", FOLDER / "node_modules/.package-lock.json"
    if not there.exists() or there.stat().st_mtime < lock.stat().st_mtime:
        order = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(order, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr


class Editor:
    """One provider and its document."""

    def __init__(self, node: "Node", name: str) -> None:
        self._node = node
        self._name = name

    async def tell(self, command: str, **told: Any) -> Any:
        return await self._node.tell(command, editor=self._name, **told)

    async def look(self) -> Json:
        seen: Json = await self.tell("look")
        return seen

    async def set(self, *path: str, to: Any) -> None:
        await self.tell("set", path=path, value=to)

    async def nodes(self) -> Json:
        found: Json = (await self.look())["content"].get("nodes", {})
        return found

    async def until(self, holds: Callable[[Json], bool], within_s: float = PATIENCE_S) -> Json:
        """Look until what is seen is as it should be; return it."""
        seen: Json = {}
        try:
            async with asyncio.timeout(within_s):
                while True:
                    seen = await self.look()
                    if holds(seen):
                        return seen
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{self._name} sees {seen}") from None

    async def synced(self) -> "Editor":
        await self.until(lambda seen: bool(seen["isSynced"]))
        return self


class Node:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self._opened = 0

    async def tell(self, command: str, **told: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps({"command": command, **told}).encode() + b"\n")
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        assert line, "node ended"
        return json.loads(line)

    async def open(self, server: str, token: str | None = None, **options: Any) -> Editor:
        """Open a flow: `server` is `ws://…/api/v1/flows/<flow_id>`, to which the provider adds its room, `sync`."""
        self._opened += 1
        editor = Editor(self, f"editor {self._opened}")
        params = {} if token is None else {"token": token}
        await editor.tell("open", server=server, params=params, **options)
        return editor


@asynccontextmanager
async def running_node() -> AsyncIterator[Node]:
    """Start the process; it ends, with all its sockets, when its input does."""
    await asyncio.to_thread(installed)
    process = await asyncio.create_subprocess_exec(
        "node",
        "editors.mjs",
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        yield Node(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
