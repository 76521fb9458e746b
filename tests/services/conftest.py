"""Real servers. An S3 server is started for these tests; when it cannot start they fail: they are never skipped."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from seaweedfs import S3Server, running_seaweedfs

for folder in ("storage", "live", "e2e", "api"):  # the contract suites, and servers as processes, live there
    sys.path.append(str(Path(__file__).parents[1] / folder))
pytest.register_assert_rewrite("blob_store_contract", "presence_contract")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server
