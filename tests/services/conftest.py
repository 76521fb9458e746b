"""Real servers. One that is missing fails the tests that need it: it is never skipped.

The databases and Redis are those of this machine's usual ports, or those named by
`SCAIFLOW_TEST_POSTGRES_URL`, `SCAIFLOW_TEST_MARIADB_URL` (SQLAlchemy async URLs of an account that may
create databases) and `SCAIFLOW_TEST_REDIS_URL`.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from databases import scratch_database
from redis import Redis
from seaweedfs import S3Server, running_seaweedfs

sys.path.append(str(Path(__file__).parents[1] / "storage"))  # the contract suite lives there
pytest.register_assert_rewrite("blob_store_contract")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the URL of an empty database that is this worker's own."""
    yield from database_on("postgres")


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """Yield the URL of an empty database that is this worker's own."""
    yield from database_on("mariadb")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Return the URL of a server that answers. It is shared: use keys of your own and remove them."""
    url = os.environ.get("SCAIFLOW_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
    with Redis.from_url(url) as redis:
        redis.ping()
    return url


def database_on(server: str) -> Iterator[str]:
    """Talk to the server in a thread: the loop of a test may be running."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(scratch_database(server)) as url,
    ):
        yield url
