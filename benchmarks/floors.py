"""What the same work costs without us: the other side of every ratio."""

import os
import sqlite3
import time
from pathlib import Path

from fastapi import FastAPI, Response


def bare_route() -> FastAPI:
    """Build an application with one route that returns the bytes of the file named by BENCH_BODY."""
    app = FastAPI()
    body = Path(os.environ["BENCH_BODY"]).read_bytes()

    @app.get("/flow")
    async def flow() -> Response:
        return Response(body, media_type="application/json")

    return app


def rows_and_files(folder: Path, document: bytes, *, seconds: float) -> float:
    """Insert one row and write one fsynced file, in a plain loop; return how many pairs a second."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (id INTEGER, sha TEXT)"
    )
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        with (folder / f"{done}.json").open("wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        connection.execute("INSERT INTO t VALUES (?, ?)", (done, "0" * 64))
        done += 1
    elapsed = time.perf_counter() - started
    connection.close()
    return done / elapsed
