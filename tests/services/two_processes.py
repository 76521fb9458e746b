"""Two API processes that share a database, an object store and Redis, and nothing else."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import httpx
from databases import scratch_database
from redis_server import URL as REDIS
from seaweedfs import S3Server
from servers import Place, running, scaiflow


@dataclass
class Cluster:
    """A grid, what API processes of it share, and how to start one."""

    grid_place: Place
    shared: dict[str, str]

    def place(self, name: str) -> Place:
        return Place(self.grid_place.folder / name, grid_port=self.grid_place.grid_port)

    def process(self, place: Place) -> AbstractContextManager[Popen[str]]:
        return running(place, scaiflow("serve"), f"{place.api}/readyz", **self.shared)

    def headers(self, who: str) -> dict[str, str]:
        return self.grid_place.headers(who)

    def grid(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.grid_place.grid_port}", timeout=30)


@contextmanager
def a_cluster(folder: Path, s3: S3Server) -> Iterator[Cluster]:
    """Start the grid beside an empty database and an empty bucket."""
    with asyncio.Runner() as runner:
        scratch = scratch_database("postgres")
        database = runner.run(scratch.__aenter__())
        grid = Place(folder)
        address = f"http://127.0.0.1:{grid.grid_port}"
        shared = {
            "SCAIFLOW_ENV": "development",
            "SCAIFLOW_DB_URL": database,
            "SCAIFLOW_STORE_URL": f"s3://{s3.bucket}?endpoint={s3.endpoint_url}&region=us-east-1",
            "SCAIFLOW_S3_ACCESS_KEY": s3.access_key,
            "SCAIFLOW_S3_SECRET_KEY": s3.secret_key,
            "SCAIFLOW_REDIS_URL": REDIS,
            "SCAIKEY_BASE_URL": f"{address}/scaikey",
            "SCAIFLOW_SCAIKEY_CLIENT_ID": "scaiflow-local",
            "SCAIGRID_BASE_URL": f"{address}/scaigrid",
            "SCAIFLOW_BOOTSTRAP_ADMINS": "tnt_acme/usr_alice=tenant_admin,tnt_platform/usr_root=super_admin",
        }
        with running(grid, scaiflow("grid"), f"{address}/", SCAIFLOW_GRID_FAULTS="true"):
            yield Cluster(grid, shared)
        runner.run(scratch.__aexit__(None, None, None))


@contextmanager
def at_once(cluster: Cluster, *places: Place) -> Iterator[None]:
    """Start several processes at the same moment, on whatever state the database is in."""
    with ExitStack() as stack, ThreadPoolExecutor(len(places)) as threads:
        for started in [threads.submit(stack.enter_context, cluster.process(place)) for place in places]:
            started.result()
        yield
