"""Blobs in an S3 bucket, through boto3 in threads of its own. Imported only when S3 is the store."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from scaiflow_api.storage.blobs import BlobInfo
from scaiflow_api.storage.errors import BlobExists, BlobNotFound, StoreNotUsable, unavailable
from scaiflow_api.storage.keys import check_key, check_prefix
from scaiflow_api.storage.workers import Result, Workers

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_TICKET: Final = "scaiflow-put"
_ATTEMPTS: Final = 3
_CREATE_ATTEMPTS: Final = 4


class S3Blobs:
    """One client for all calls: a client a call costs six times as much.

    Without keys, boto3's own chain looks for credentials. Proxies and endpoints of the environment
    are not used. Times are in seconds; `deadline` bounds a call with all its attempts, a whole
    listing page by page. A server that does not answer has `read_timeout` for each of its attempts,
    by default a third of the deadline: a thread cannot be stopped, and is free again by then.
    """

    def __init__(
        self,
        bucket: str,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        *,
        threads: int = 8,
        connect_timeout: float = 3.0,
        read_timeout: float | None = None,
        deadline: float = 15.0,
    ) -> None:
        config = Config(  # type: ignore[call-arg]  # the stubs lack ignore_configured_endpoint_urls
            max_pool_connections=threads,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout or deadline / _ATTEMPTS,
            proxies={},
            ignore_configured_endpoint_urls=True,
            s3={"addressing_style": "path" if endpoint_url else "auto"},
        )
        try:
            open_client = partial(
                Session().client,
                "s3",
                endpoint_url=endpoint_url,
                region_name=region or ("us-east-1" if endpoint_url else None),
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
            )
            self._client: S3Client = open_client(config=config.merge(_attempts(_ATTEMPTS)))
            self._deleter: S3Client = open_client(config=config.merge(_attempts(1)))
        except (BotoCoreError, ValueError) as exc:
            raise StoreNotUsable(f"The S3 settings of SCAIFLOW_STORE_URL are refused: {exc}") from exc
        self._bucket = bucket
        self._workers = Workers("s3-blobs", threads=threads, deadline=deadline)

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        check_key(key)
        await self._run("put", partial(self._create if if_absent else self._write, key, data))

    async def get(self, key: str) -> bytes:
        check_key(key)
        return await self._run("get", partial(self._read, key))

    async def delete(self, key: str) -> None:
        check_key(key)
        await self._run("delete", partial(self._deleter.delete_object, Bucket=self._bucket, Key=key))

    async def keys(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        token: str | None = ""
        while token is not None:
            page, token = await self._run("list", partial(self._page, prefix, token))
            for info in page:
                yield info

    async def sweep(self, before: datetime, *, dry_run: bool = False) -> int:
        """Return 0: a put of one request leaves the whole object or nothing."""
        return 0

    async def check(self) -> None:
        await self._run("check", partial(self._client.head_bucket, Bucket=self._bucket))

    async def close(self) -> None:
        await self._workers.close()
        self._client.close()
        self._deleter.close()

    async def _run(self, action: str, work: Callable[[], Result]) -> Result:
        try:
            return await self._workers.run(work)
        except (BotoCoreError, ClientError, ResponseParserError, OSError) as exc:
            raise unavailable(action, exc) from exc

    def _write(self, key: str, data: bytes, **conditions: Any) -> None:
        _check_answer(self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **conditions), "ETag")

    def _create(self, key: str, data: bytes) -> None:
        """Put if absent. An attempt whose answer was lost makes the next one fail: that is no loser."""
        ticket = secrets.token_hex(16)
        repeated = False
        for attempt in range(1, _CREATE_ATTEMPTS + 1):
            try:
                return self._write(key, data, IfNoneMatch="*", Metadata={_TICKET: ticket})
            except ClientError as exc:
                status = _status(exc)
                repeated = repeated or exc.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                if status == 409 and attempt < _CREATE_ATTEMPTS:
                    repeated = True  # S3 asks to try again: another writer was at the key
                elif status != 412:
                    raise
                elif repeated and self._ticket(key) == ticket:
                    return None
                else:
                    raise BlobExists from None
        raise AssertionError("the last attempt returns or raises")

    def _ticket(self, key: str) -> str | None:
        return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(_TICKET)

    def _read(self, key: str) -> bytes:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            raise BlobNotFound from None
        with closing(answer["Body"]) as body:
            _check_answer(answer, "ETag")
            return body.read()

    def _page(self, prefix: str, token: str) -> tuple[list[BlobInfo], str | None]:
        more: Any = {"ContinuationToken": token} if token else {}
        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **more)
        _check_answer(answer, "IsTruncated")
        page = [
            BlobInfo(entry["Key"], entry["Size"], entry["LastModified"].astimezone(UTC))
            for entry in answer.get("Contents", [])
        ]
        return page, answer["NextContinuationToken"] if answer["IsTruncated"] else None


def _attempts(number: int) -> Config:
    return Config(retries={"mode": "standard", "total_max_attempts": number})


def _check_answer(answer: Mapping[str, Any], sign: str) -> None:
    """Refuse the 200 of something else, such as a gateway's page in HTML: boto3 reads it as empty."""
    if sign not in answer:
        raise ConnectionError(f"the answer has no {sign}: it is not that of an S3 server")


def _status(exc: ClientError) -> int:
    return exc.response["ResponseMetadata"]["HTTPStatusCode"]
