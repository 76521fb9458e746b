"""The servers that are compared, each a process of its own; ours has the local grid beside it, for tokens."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx

from benchmarks.coediting.footprint import Footprint, of_tree
from benchmarks.coediting.node import HERE, NODE
from benchmarks.documents import flow_of
from benchmarks.servers import environment, free_port, running
from scaiflow_api.cli.token import sign_in

MOST_PEERS = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs. `url` has `{room}` where the room's name goes."""

    name: str
    url: str
    process: "subprocess.Popen[bytes]"
    named: bool = False
    """Whether each frame begins with the room's name."""
    make_rooms: Callable[[int, int], list[str]] = field(default=lambda count, _: _names(count))
    """Makes so many rooms of so many nodes each. Those of the peers have to be filled."""
    is_filled: bool = False

    def described(self) -> dict[str, object]:
        return {"name": self.name, "url": self.url, "named": self.named}

    def footprint(self) -> Footprint:
        """Return what the server uses, after it was quiet for a moment and has let go of what it can."""
        time.sleep(1)
        if not self.is_filled:
            for _ in range(2):
                self.process.send_signal(signal.SIGUSR2)
                time.sleep(0.3)
        return of_tree(self.process.pid)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that can be started, any number of times."""

    name: str
    start: Callable[[], AbstractContextManager[Target]]


def hocuspocus() -> Contender:
    return Contender("Hocuspocus", lambda: _peer("Hocuspocus", "hocuspocus.mjs", path="", named=True))


def y_websocket_server() -> Contender:
    name = "@y/websocket-server"
    return Contender(name, lambda: _peer(name, "y_websocket_server.mjs", path="{room}", named=False))


def ours(name: str, token: str, database: str) -> Contender:
    """Return ours with its state in a database, and in the folder of `signed_in`."""
    return Contender(name, lambda: _scaiflow(name, token, database))


@contextmanager
def signed_in(folder: Path) -> Iterator[str]:
    """Start the local grid; yield the token of somebody who may do all. Completes the environment for the API."""
    grid_port = free_port()
    chosen = {
        "SCAIFLOW_DATA_FOLDER": str(folder),
        "SCAIFLOW_GRID_PORT": str(grid_port),
        "SCAIFLOW_LOG_LEVEL": "WARNING",
        "SCAIFLOW_SYNC_MAX_PEERS": str(MOST_PEERS),
    }
    with (
        environment(chosen),
        running(["-m", "scaiflow_api.cli", "grid"], f"http://127.0.0.1:{grid_port}/scaikey/"),
    ):
        yield sign_in("alice")


@contextmanager
def _scaiflow(name: str, token: str, database: str) -> Iterator[Target]:
    port = free_port()
    api = f"127.0.0.1:{port}"
    chosen = {"SCAIFLOW_API_PORT": str(port), "SCAIFLOW_DB_URL": database}

    def make_rooms(count: int, nodes: int) -> list[str]:
        body = {"content": flow_of(nodes)}
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=f"http://{api}/api/v1", headers=headers, timeout=60, trust_env=False
        ) as http:
            return [str(http.post("/flows", json=body).raise_for_status().json()["id"]) for _ in range(count)]

    with running(["-m", "scaiflow_api.cli", "serve"], f"http://{api}/healthz", **chosen) as (process, _):
        url = f"ws://{api}/api/v1/flows/{{room}}/sync?token={token}"
        yield Target(name, url, process, make_rooms=make_rooms, is_filled=True)


@contextmanager
def _peer(name: str, script: str, *, path: str, named: bool) -> Iterator[Target]:
    port = free_port()
    command = ["--expose-gc", str(HERE / "peers" / script)]
    place = {"HOST": "127.0.0.1", "PORT": str(port)}
    with running(command, f"http://127.0.0.1:{port}/", program=str(NODE), **place) as (process, _):
        yield Target(name, f"ws://127.0.0.1:{port}/{path}", process, named=named)


def _names(count: int) -> list[str]:
    return [uuid4().hex for _ in range(count)]
