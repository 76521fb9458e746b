"""What all tests share: one database that is migrated once and clean in every test."""

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import compiled_once
import mocked_upstreams
import pytest
from databases import scratch_database
from hypothesis import settings
from sqlalchemy.ext.asyncio import create_async_engine
from xdist.scheduler import LoadScopeScheduling

from scaiflow_api.db import models
from scaiflow_api.db.base import Base
from scaiflow_api.db.schema import upgrade
from scaiflow_api.kit.logging import configure_logging

assert models.__all__
assert compiled_once.SameDialect
assert mocked_upstreams.EveryTransport


# Untold, structlog draws every traceback with the values of all variables, which takes seconds.
configure_logging(os.environ.get("SCAIFLOW_TEST_LOG", "CRITICAL"))


# pytest keeps the asserts that it rewrote, also where Python is told to keep nothing: half of what collecting takes,
# and three workers do it.
sys.dont_write_bytecode = False


# The settings of whoever runs the tests are not those of the tests.
for name in list(os.environ):
    if name.startswith(("SCAIFLOW_", "SCAIKEY_", "SCAIGRID_", "SCAIVAULT_")) and not name.startswith(
        "SCAIFLOW_TEST_"
    ):
        del os.environ[name]


# `HYPOTHESIS_PROFILE=fuzz`: tests that ask for the profile's number of examples run for minutes.
settings.register_profile("fuzz", max_examples=20_000)
if "HYPOTHESIS_PROFILE" in os.environ:
    settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])


class Together(LoadScopeScheduling):
    """Gives workers one test at a time, but files whose tests share servers whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.startswith(("tests/e2e/", "tests/api/test_api_sync")) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage in what is loaded and collected, then and later: it stays, and there is much of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        default="sqlite",
        choices=["sqlite", "postgres", "mariadb"],
        help="the database that the tests of repositories and of the API run against",
    )


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--database"))


@pytest.fixture(scope="session")
def migrated_database(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database at the newest schema: a template file for SQLite, else one on the server."""
    if database_server == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('schema') / 'template.db'}"
        upgrade(url)
        yield url
        return
    with asyncio.Runner() as runner:
        scratch = scratch_database(database_server)
        url = runner.run(scratch.__aenter__())
        upgrade(url)
        yield url
        runner.run(scratch.__aexit__(None, None, None))


@pytest.fixture
async def database_url(migrated_database: str, database_server: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a database without rows."""
    if database_server == "sqlite":
        shutil.copy(migrated_database.removeprefix("sqlite+aiosqlite:///"), tmp_path / "test.db")
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
        return
    yield migrated_database
    engine = create_async_engine(migrated_database)
    async with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(table.delete())
    await engine.dispose()
