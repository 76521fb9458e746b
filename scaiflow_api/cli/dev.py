"""`scaiflow dev`: the API and the local grid, each a process, watched together."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scaiflow_api.cli.environment import embed
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.ports import require_free_port

_START_WITHIN_S = 30.0
_STOP_WITHIN_S = 12.0
_WELCOME = """
ScaiFlow is running.

  {api}/       what is here, and sign-in
  {api}/docs   the API, to try out
  {grid}/       the local grid: ScaiKey and ScaiGrid on this machine

Next: open a second terminal in this folder and follow the tour in README.md. It begins with

  TOKEN=$(.venv/bin/scaiflow token alice)

Ctrl-C stops everything; your data stays in {data}.
"""


def run() -> None:
    """Start both servers, say what to open, and stop both when either ends or Ctrl-C comes.

    The settings are read by the servers themselves: this process loads nothing that takes long.
    """
    embed()
    if os.environ["SCAIFLOW_ENV"] == "production":
        raise CommandFailed(
            "'dev' is for development: unset SCAIFLOW_ENV, or start the API with 'scaiflow serve'"
        )
    data = _require_folder(Path(os.environ["SCAIFLOW_DATA_FOLDER"]))
    places = [_place(server) for server in ("API", "GRID")]
    signal.signal(signal.SIGTERM, _interrupt)
    children: list[subprocess.Popen[bytes]] = []
    try:
        children += [_start("api"), _start("grid")]
        for host, port in places:
            _await_port(host, port, children)
        api, grid = (f"http://{host}:{port}" for host, port in places)
        print(_WELCOME.format(api=api, grid=grid, data=data), flush=True)
        sys.stdout.flush()
        _watch(children)
    except KeyboardInterrupt:
        print("stopping", file=sys.stderr)
    finally:
        _stop(children)


def _place(server: str) -> tuple[str, int]:
    """Return where a server is to listen, having seen that it can."""
    host, variable = os.environ[f"SCAIFLOW_{server}_HOST"], f"SCAIFLOW_{server}_PORT"
    try:
        port = int(os.environ[variable])
    except ValueError:
        raise CommandFailed(f"{variable} is no number: {os.environ[variable]}") from None
    require_free_port(host, port, variable)
    return host, port


def _require_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CommandFailed(
            f"cannot write in {folder.absolute()} ({error.strerror}); choose another folder with SCAIFLOW_DATA_FOLDER"
        ) from None
    return folder


def _start(server: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "scaiflow_api.cli.serve", server])  # noqa: S603 - our own module


def _await_port(host: str, port: int, children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        _require_alive(children)
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.05)
    raise CommandFailed(f"nothing listens on {host}:{port} after {_START_WITHIN_S:.0f} s")


def _watch(children: list[subprocess.Popen[bytes]]) -> NoReturn:
    while True:
        _require_alive(children)
        time.sleep(0.5)


def _require_alive(children: list[subprocess.Popen[bytes]]) -> None:
    if any(child.poll() is not None for child in children):
        raise CommandFailed("a server has stopped; what it said last stands above")


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _STOP_WITHIN_S
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
