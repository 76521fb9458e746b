"""The local grid and the API as two processes, and somebody who is signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import environment, free_port, memory_mb, running
from scaiflow_api.cli.token import sign_in


@dataclass(frozen=True, slots=True)
class Pair:
    """Where they are, and alice's token."""

    api: str
    grid: str
    token: str


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Pair]:
    """Start both, with their state in the folder; tell at the end what memory they use."""
    api_port, grid_port = free_port(), free_port()
    chosen = {
        "SCAIFLOW_DATA_FOLDER": str(folder),
        "SCAIFLOW_API_PORT": str(api_port),
        "SCAIFLOW_GRID_PORT": str(grid_port),
        "SCAIFLOW_LOG_LEVEL": "WARNING",
        **settings,
    }
    grid = ["-m", "scaiflow_api.cli", "grid"]
    api = ["-m", "scaiflow_api.cli", "serve"]
    with (
        environment(chosen),
        running(grid, f"http://127.0.0.1:{grid_port}/scaikey/") as (grid_process, grid_started),
    ):
        token = sign_in("alice")  # also completes the environment for the API
        with running(api, f"http://127.0.0.1:{api_port}/healthz") as (api_process, api_started):
            print(f"start-up: API {api_started:.2f} s, local grid {grid_started:.2f} s")
            yield Pair(f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{grid_port}/scaigrid", token)
            used = f"API {memory_mb(api_process):.0f} MB, local grid {memory_mb(grid_process):.0f} MB"
            print(f"\nmemory after that: {used}")
