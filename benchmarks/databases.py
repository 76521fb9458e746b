"""Databases to measure on: a file, and one on a PostgreSQL server that is dropped afterwards."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg

POSTGRES = os.environ.get("BENCH_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
"""An account that may create databases."""


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    """Yield the address of a database in a file."""
    yield f"sqlite+aiosqlite:///{folder / 'scaiflow.db'}"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yield the address of an empty database on the server."""
    name = f"scaiflow_bench_{uuid4().hex[:12]}"
    asyncio.run(_execute(f"CREATE DATABASE {name}"))
    try:
        server = POSTGRES.rpartition("/")[0].removeprefix("postgresql")
        yield f"postgresql+asyncpg{server}/{name}"
    finally:
        asyncio.run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(statement: str) -> None:
    connection = await asyncpg.connect(POSTGRES)
    await connection.execute(statement)
    await connection.close()


DATABASES = {"SQLite": sqlite, "PostgreSQL": postgres}
