"""`scaiflow dev`: the API and the local grid, each a process, watched together."""

import asyncio
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

import typer

from scaiflow_api.cli.environment import embed, load_settings
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.serve import require_free_port
from scaiflow_api.settings import Settings

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
    """Start both servers, say what to open, and stop both when either ends or Ctrl-C comes."""
    embed()
    settings = load_settings()
    if settings.is_production:
        raise CommandFailed(
            "'dev' is for development: unset SCAIFLOW_ENV, or start the API with 'scaiflow serve'"
        )
    data = _require_folder(Path(settings.localgrid.data_folder))
    require_free_port(settings.api.host, settings.api.port, "SCAIFLOW_API_PORT")
    require_free_port(settings.localgrid.host, settings.localgrid.port, "SCAIFLOW_GRID_PORT")
    signal.signal(signal.SIGTERM, _interrupt)
    children: list[subprocess.Popen[bytes]] = []
    try:
        children += [_start("serve"), _start("grid")]
        _await_port(settings.localgrid.host, settings.localgrid.port, children)
        _await_port(settings.api.host, settings.api.port, children)
        _grant_demo_roles(settings)
        api, grid = (f"http://{part.host}:{part.port}" for part in (settings.api, settings.localgrid))
        typer.echo(_WELCOME.format(api=api, grid=grid, data=data))
        sys.stdout.flush()
        _watch(children)
    except KeyboardInterrupt:
        typer.echo("stopping", err=True)
    finally:
        _stop(children)


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


def _grant_demo_roles(settings: Settings) -> None:
    """Give the demo administrators the roles that live in our own database, as an operator would on the host."""
    from scaiflow_api.auth.caller import AdminRole
    from scaiflow_api.db.principals import Principals
    from scaiflow_api.db.session import Database
    from scaiflow_api.kit.clock import SystemClock

    async def grant() -> None:
        db = Database(settings.database.url.get_secret_value())
        try:
            principals, now = Principals(db), SystemClock().now()
            for tenant, user, role in (
                ("tnt_acme", "usr_alice", AdminRole.TENANT_ADMIN),
                ("tnt_platform", "usr_root", AdminRole.SUPER_ADMIN),
            ):
                await principals.grant(tenant, user, role, source="bootstrap", now=now)
        finally:
            await db.close()

    asyncio.run(grant())


def _start(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "scaiflow_api.cli", command])  # noqa: S603 - our own module


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
