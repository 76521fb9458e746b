"""What the same work costs without us: the other side of every ratio."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from fastapi import FastAPI, Response


def bare_route() -> FastAPI:
    """Build an application with a route for each file in the folder BENCH_BODIES, which returns its bytes."""
    app = FastAPI()
    for file in Path(os.environ["BENCH_BODIES"]).iterdir():
        _serve(app, f"/{file.name}", file.read_bytes())
    return app


def _serve(app: FastAPI, path: str, body: bytes) -> None:
    @app.get(path)
    async def serve() -> Response:
        return Response(body, media_type="application/json")


def rows_and_files(url: str, folder: Path, document: bytes, *, seconds: float) -> float:
    """Insert one row and write one fsynced file, in a plain loop; return how many pairs a second."""
    if url.startswith("sqlite"):
        return _with_sqlite(folder, document, seconds)
    return asyncio.run(_with_postgres(url, folder, document, seconds))


def _with_sqlite(folder: Path, document: bytes, seconds: float) -> float:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (id INTEGER, sha TEXT)"
    )
    done, started = 0, time.perf_counter()
    with _files(folder, document) as files:
        while time.perf_counter() - started < seconds:
            next(files)
            connection.execute("INSERT INTO t VALUES (?, ?)", (done, "0" * 64))
            done += 1
        elapsed = time.perf_counter() - started
    connection.close()
    (folder / "floor.db").unlink()
    return done / elapsed


async def _with_postgres(url: str, folder: Path, document: bytes, seconds: float) -> float:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE floor (id INTEGER, sha TEXT)")
    done, started = 0, time.perf_counter()
    with _files(folder, document) as files:
        while time.perf_counter() - started < seconds:
            next(files)
            await connection.execute("INSERT INTO floor VALUES ($1, $2)", done, "0" * 64)
            done += 1
        elapsed = time.perf_counter() - started
    await connection.execute("DROP TABLE floor")
    await connection.close()
    return done / elapsed


@contextmanager
def _files(folder: Path, document: bytes) -> Iterator[Iterator[Path]]:
    """Yield an iterator that writes one more fsynced file at each step; they are gone afterwards."""
    written: list[Path] = []

    def write() -> Iterator[Path]:
        while True:
            path = folder / f"{len(written)}.json"
            with path.open("wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            written.append(path)
            yield path

    yield write()
    for path in written:
        path.unlink()
