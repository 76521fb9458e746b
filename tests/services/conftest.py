"""A real S3 server, started for these tests. When it cannot start they fail: they are never skipped."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from seaweedfs import S3Server, running_seaweedfs

sys.path.append(str(Path(__file__).parents[1] / "storage"))  # the contract suite lives there
pytest.register_assert_rewrite("blob_store_contract")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server
