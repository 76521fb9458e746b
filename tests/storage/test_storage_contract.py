"""The contract of object stores, on the stores that need no server."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blob_store_contract import BlobStoreContract
from boto3.session import Session
from moto import mock_aws

from scaiflow_api.storage import files
from scaiflow_api.storage.files import FileBlobs
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.storage.s3 import S3Blobs

PAGE = 50
"""Keys of a listing's page in these tests."""


class TestMemoryBlobs(BlobStoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryBlobs]:
        store = MemoryBlobs()
        yield store
        await store.close()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PAGE", PAGE)


@pytest.mark.usefixtures("small_pages")
class TestFileBlobs(BlobStoreContract):
    more_than_a_page = PAGE + 10

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        store = FileBlobs(tmp_path / "blobs")
        yield store
        await store.close()


@pytest.mark.usefixtures("small_pages")
class TestFileBlobsWithoutHardLinks(BlobStoreContract):
    more_than_a_page = PAGE + 10

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        store = FileBlobs(tmp_path / "blobs", link=refuse_link)
        yield store
        await store.close()


@pytest.fixture(scope="module")
def moto_blobs() -> Iterator[S3Blobs]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(PAGE))
        client = Session().client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="flows")
        client.close()
        # One thread: moto looks and writes in two steps. The race is run on a real server.
        store = S3Blobs("flows", None, "us-east-1", "key", "secret", threads=1)
        yield store
        asyncio.run(store.close())


class TestS3Blobs(BlobStoreContract):
    more_than_a_page = PAGE + 10

    @pytest.fixture
    def store(self, moto_blobs: S3Blobs) -> S3Blobs:
        return moto_blobs


def refuse_link(source: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")
