"""The contract of object stores on a real S3 server."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from blob_store_contract import BlobStoreContract
from seaweedfs import S3Server
from settable_clock import SettableClock

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.housekeeping.service import Housekeeping
from scaiflow_api.storage.errors import StoreUnavailable
from scaiflow_api.storage.flow_versions import FlowVersions, VersionTaken
from scaiflow_api.storage.open import open_blobs
from scaiflow_api.storage.s3 import S3Blobs

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def s3_blobs(s3_server: S3Server) -> Iterator[S3Blobs]:
    store = S3Blobs(
        s3_server.bucket, s3_server.endpoint_url, None, s3_server.access_key, s3_server.secret_key
    )
    yield store
    asyncio.run(store.close())


class TestS3BlobsOnSeaweedFS(BlobStoreContract):
    @pytest.fixture
    def store(self, s3_blobs: S3Blobs) -> S3Blobs:
        return s3_blobs


class TestSettings:
    @pytest.fixture
    def folder(self) -> str:
        return f"t{secrets.token_hex(6)}"

    async def test_a_store_opened_by_its_url_works(self, s3_server: S3Server, folder: str) -> None:
        store = open_blobs(
            f"s3://{s3_server.bucket}?endpoint={s3_server.endpoint_url}&region=us-east-1",
            access_key=s3_server.access_key,
            secret_key=s3_server.secret_key,
        )
        await store.check()
        await store.put(f"{folder}/k", b"x", if_absent=True)
        assert await store.get(f"{folder}/k") == b"x"
        await store.close()

    @pytest.fixture(params=["wrong secret", "unknown key", "no such bucket"])
    async def misconfigured(
        self, s3_server: S3Server, request: pytest.FixtureRequest
    ) -> AsyncIterator[S3Blobs]:
        bucket, access_key, secret_key = s3_server.bucket, s3_server.access_key, s3_server.secret_key
        match request.param:
            case "wrong secret":
                secret_key = "0" * 32
            case "unknown key":
                access_key = "0" * 16
            case "no such bucket":
                bucket = "another-bucket"
        store = S3Blobs(bucket, s3_server.endpoint_url, None, access_key, secret_key)
        yield store
        await store.close()

    async def test_a_store_that_lets_nobody_in_is_unavailable(
        self, misconfigured: S3Blobs, folder: str
    ) -> None:
        for call in (
            misconfigured.check(),
            misconfigured.put(f"{folder}/k", b"x", if_absent=True),
            misconfigured.get(f"{folder}/k"),
        ):
            with pytest.raises(StoreUnavailable):
                await call


async def test_of_sixteen_writers_of_a_version_one_wins(s3_blobs: S3Blobs) -> None:
    flows = FlowVersions(s3_blobs)
    tenant = f"Tenant ü {secrets.token_hex(4)}"
    documents = [f'{{"writer":{number}}}'.encode() for number in range(16)]
    results = await asyncio.gather(
        *(flows.write(tenant, "flow_x", "1.0.1", document) for document in documents), return_exceptions=True
    )
    (winner,) = [document for document, result in zip(documents, results, strict=True) if result is None]
    assert sum(isinstance(result, VersionTaken) for result in results) == 15
    assert (await flows.read(tenant, "flow_x", "1.0.1")).text == winner


async def test_housekeeping_removes_what_no_row_names(s3_blobs: S3Blobs, database_url: str) -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    db = Database(database_url)
    async with db.write() as session:
        session.add(
            Flow(
                id="flow_kept",
                tenant_id="tnt a/ü",
                owner_id="usr_bob",
                name="Kept",
                description="",
                version="1.0.0",
                created_at=later,
                updated_at=later,
            )
        )
    kept, orphan, foreign = (
        FlowVersions.KEYS.of("tnt a/ü", "flow_kept", "1.0.0"),
        FlowVersions.KEYS.of("tnt a/ü", "flow_gone", "1.0.0"),
        f"notes/{secrets.token_hex(6)}",
    )
    for key in (kept, orphan, foreign):
        await s3_blobs.put(key, b"12345")

    housekeeping = Housekeeping(db, s3_blobs, SettableClock(later), grace_s=86_400)
    report = housekeeping.begin(dry_run=False)
    await housekeeping.run(report)
    await db.close()

    assert report.objects.named == 1
    assert report.objects.removed == report.objects.orphans >= 1
    left = {info.key async for info in s3_blobs.keys("")}
    assert {kept, foreign} <= left
    assert orphan not in left
