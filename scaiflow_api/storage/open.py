"""From settings to a store."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from scaiflow_api.storage.blobs import BlobStore
from scaiflow_api.storage.errors import StoreNotUsable
from scaiflow_api.storage.files import FileBlobs
from scaiflow_api.storage.memory import MemoryBlobs

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_S3_OPTIONS: Final = frozenset({"endpoint", "region"})


def open_blobs(
    url: str, *, access_key: str | None = None, secret_key: str | None = None, timeout_s: float = 15.0
) -> BlobStore:
    """Open the store that a URL names. The caller closes it.

    `file:./blobs` (relative to the working folder) or `file:///var/lib/blobs`;
    `s3://bucket?endpoint=http://127.0.0.1:8333&region=us-east-1`, both options may be left out;
    `memory:`. `timeout_s` bounds each call. Raises `StoreNotUsable`, whose sentence never repeats
    the URL: it may hold a secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("it is not a URL") from None
    match parts.scheme:
        case "file":
            return FileBlobs(_folder(parts), deadline=timeout_s)
        case "s3":
            return _open_s3(parts, access_key, secret_key, timeout_s)
        case "memory":
            return MemoryBlobs()
    raise _refused("it begins with none of file:, s3: and memory:")


def _refused(reason: str) -> StoreNotUsable:
    return StoreNotUsable(f"SCAIFLOW_STORE_URL cannot be used: {reason}.")


def _folder(parts: SplitResult) -> Path:
    if parts.netloc not in {"", "localhost"} or not parts.path or parts.query or parts.fragment:
        raise _refused("a file store is written file:./folder or file:///folder")
    return Path(unquote(parts.path))


def _open_s3(
    parts: SplitResult, access_key: str | None, secret_key: str | None, timeout_s: float
) -> BlobStore:
    if not _BUCKET.fullmatch(parts.netloc):
        raise _refused("what follows s3:// is not the name of a bucket")
    if parts.path.strip("/") or parts.fragment:
        raise _refused("an S3 store is a whole bucket, without a folder")
    options = parse_qs(parts.query)
    if unknown := sorted(options.keys() - _S3_OPTIONS):
        raise _refused(f"the option {unknown[0]!r} is unknown; there are endpoint and region")
    if bool(access_key) != bool(secret_key):
        raise StoreNotUsable("SCAIFLOW_S3_ACCESS_KEY and SCAIFLOW_S3_SECRET_KEY go together: one is missing.")
    endpoint = options.get("endpoint", [None])[-1]
    if endpoint is not None:
        _check_endpoint(endpoint)
    from scaiflow_api.storage.s3 import S3Blobs  # noqa: PLC0415 - boto3 costs 0.6 s and 40 MB

    region = options.get("region", [None])[-1]
    return S3Blobs(parts.netloc, endpoint, region, access_key or None, secret_key or None, deadline=timeout_s)


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        raise _refused("its endpoint is not an http or https address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _refused("its endpoint is not an http or https address")
    if parts.username or parts.password:
        raise _refused("its endpoint holds a name or password; use SCAIFLOW_S3_ACCESS_KEY and _SECRET_KEY")
