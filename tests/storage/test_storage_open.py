import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scaiflow_api.storage.errors import StoreNotUsable, StoreUnavailable
from scaiflow_api.storage.files import FileBlobs
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.storage.open import open_blobs
from scaiflow_api.storage.s3 import S3Blobs


@pytest.mark.parametrize(
    "url", ["file:./my%20blobs", "file:my%20blobs", "file:{folder}/my%20blobs", "file://{folder}/my%20blobs"]
)
async def test_a_file_url_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_blobs(url.format(folder=tmp_path))
    assert isinstance(store, FileBlobs)
    await store.put("x.json", b"{}")
    assert (tmp_path / "my blobs" / "x.json").read_bytes() == b"{}"
    await store.close()


def test_a_new_folder_is_closed_to_other_users(tmp_path: Path) -> None:
    open_blobs(f"file:{tmp_path}/blobs")
    assert (tmp_path / "blobs").stat().st_mode & 0o077 == 0


def test_memory_is_a_store() -> None:
    assert isinstance(open_blobs("memory:"), MemoryBlobs)


async def test_an_s3_url_names_bucket_endpoint_and_region() -> None:
    store = open_blobs(
        "s3://my-flows?endpoint=http://127.0.0.1:8333&region=eu-central-1", access_key="a", secret_key="s"
    )
    assert isinstance(store, S3Blobs)
    await store.close()


async def test_a_server_that_takes_connections_and_never_answers_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        endpoint = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        store = open_blobs(
            f"s3://my-flows?endpoint={endpoint}", access_key="a", secret_key="s", timeout_s=0.3
        )
        for ask in (store.get("k"), store.put("k", b"x", if_absent=True), store.delete("k"), store.check()):
            async with asyncio.timeout(1):
                with pytest.raises(StoreUnavailable):
                    await ask
        async with asyncio.timeout(3):  # its threads are given up as well, a little later
            await store.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "begins with none of"),
        ("./blobs", "begins with none of"),
        ("ftp://x", "begins with none of"),
        ("file:", "file:./folder or file:///folder"),
        ("file://blobs", "file:./folder or file:///folder"),
        ("file:./blobs?x=1", "file:./folder or file:///folder"),
        ("s3://", "not the name of a bucket"),
        ("s3://UPPER", "not the name of a bucket"),
        ("s3://AKIA:hunter2@bucket", "not the name of a bucket"),
        ("s3://bucket/folder", "whole bucket"),
        ("s3://bucket?host=x", "the option 'host' is unknown"),
        ("s3://bucket?endpoint=127.0.0.1:8333", "not an http or https address"),
        ("s3://bucket?endpoint=http://[", "not an http or https address"),
        ("s3://bucket?endpoint=http://AKIA:hunter2@h", "holds a name or password"),
        ("s3://[", "not a URL"),
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str, reason: str) -> None:
    with pytest.raises(StoreNotUsable, match=reason) as refused:
        open_blobs(url, access_key="a", secret_key="s")
    assert str(refused.value).startswith("SCAIFLOW_STORE_URL cannot be used: ")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("keys", [{"access_key": "a"}, {"secret_key": "s"}])
def test_half_a_credential_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(StoreNotUsable, match="go together"):
        open_blobs("s3://bucket", **keys)


def test_a_file_store_does_not_load_boto3() -> None:
    program = (
        "import sys, scaiflow_api.storage.open; print('boto3' in sys.modules, 'botocore' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False False\n"
