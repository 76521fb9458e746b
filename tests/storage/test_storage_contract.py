"""The contract of object stores, on the stores that need no server."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blob_store_contract import BlobStoreContract
from boto3.session import Session
from moto import mock_aws

from scaiflow_api.storage.files import FileBlobs
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.storage.s3 import S3Blobs


class TestMemoryBlobs(BlobStoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryBlobs]:
        store = MemoryBlobs()
        yield store
        await store.close()


class TestFileBlobs(BlobStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        store = FileBlobs(tmp_path / "blobs")
        yield store
        await store.close()


class TestFileBlobsWithoutHardLinks(BlobStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        store = FileBlobs(tmp_path / "blobs", link=refuse_link)
        yield store
        await store.close()


@pytest.fixture(scope="module")
def moto_blobs() -> Iterator[S3Blobs]:
    with mock_aws():
        client = Session().client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="flows")
        client.close()
        # One thread: moto looks and writes in two steps. The race is run on a real server.
        store = S3Blobs("flows", None, "us-east-1", "key", "secret", threads=1)
        yield store
        asyncio.run(store.close())


class TestS3Blobs(BlobStoreContract):
    @pytest.fixture
    def store(self, moto_blobs: S3Blobs) -> S3Blobs:
        return moto_blobs


def refuse_link(source: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")
