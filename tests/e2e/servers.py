"""Real servers as processes, on ports and in folders of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import httpx

from scaiflow_api.cli.token import sign_in

ROOT = Path(__file__).parents[2]
START_WITHIN_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Place:
    """Where one pair of servers lives."""

    folder: Path
    api_port: int = field(default_factory=free_port)
    grid_port: int = field(default_factory=free_port)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def grid(self) -> str:
        return f"http://127.0.0.1:{self.grid_port}/"

    @property
    def environment(self) -> dict[str, str]:
        """The process's environment without any of our settings, but for this place's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCAI", "MAKE"))}
        return {
            **kept,
            "SCAIFLOW_DATA_FOLDER": str(self.folder),
            "SCAIFLOW_API_PORT": str(self.api_port),
            "SCAIFLOW_GRID_PORT": str(self.grid_port),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def scaiflow(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scaiflow_api.cli", *arguments],
            env={**self.environment, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_WITHIN_S,
        )

    def token(self, who: str) -> str:
        """Sign in as `scaiflow token` does, in this process."""
        with patch.dict(os.environ, self.environment, clear=True):
            return sign_in(who)

    def headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(who)}"}


@contextmanager
def running(
    place: Place, command: list[str], *urls: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a command, wait until all of `urls` answer, and end it with its whole group."""
    log = place.folder / f"log-{time.monotonic_ns()}.txt"
    place.folder.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env={**place.environment, **environment},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            for url in urls:
                await_answer(process, url, log)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def await_answer(process: subprocess.Popen[str], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    with httpx.Client(timeout=2, trust_env=False) as client:  # one: making it costs as much as fifty requests
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                client.get(url)
                return
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}: {log.read_text()}")


def scaiflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scaiflow_api.cli", *arguments]
