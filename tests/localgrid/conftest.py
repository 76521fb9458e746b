"""A local grid on a file of its own, with a signing key that is made once per session."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from localgrid_support import FakeClock, RunningGrid, a_config, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaibunker import folders, sandbox
from scaiflow_api.localgrid.scaibunker.bubblewrap import Unavailable


@pytest.fixture(scope="session")
def grid_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid's file that holds nothing but a key: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("grid") / "template.db"

    async def make() -> None:
        async with running_grid(a_config(path)):
            pass

    asyncio.run(make())
    return path


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips the test, and says why, on a machine that cannot shut a command in."""
    folder = tmp_path_factory.mktemp("bunkers") / "probe"
    folders.make(folder)
    try:
        asyncio.run(sandbox.probe(folder))
    except Unavailable as reason:
        pytest.skip(f"no sandboxes on this machine: {reason}")


@pytest.fixture
def config(grid_template: Path, tmp_path: Path) -> GridConfig:
    shutil.copy(grid_template, tmp_path / "grid.db")
    return a_config(tmp_path / "grid.db", faults=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def grid(config: GridConfig, clock: FakeClock) -> AsyncIterator[RunningGrid]:
    async with running_grid(config, clock) as running:
        yield running
