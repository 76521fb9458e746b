"""Scratch databases on the servers that the service tests need.

`SCAIFLOW_TEST_POSTGRES_URL` and `SCAIFLOW_TEST_MARIADB_URL` name other servers than this machine's: SQLAlchemy async
URLs of an account that may create databases.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

SERVERS = {
    "postgres": os.environ.get(
        "SCAIFLOW_TEST_POSTGRES_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("SCAIFLOW_TEST_MARIADB_URL", "mysql+asyncmy://root@127.0.0.1:3306/test"),
}


@asynccontextmanager
async def scratch_database(server: str) -> AsyncIterator[str]:
    """Make an empty database on a server, and drop it at the end. A server that is away is a failure."""
    name = f"scaiflow_test_{uuid4().hex[:12]}"
    url = make_url(SERVERS[server])
    admin = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        async with admin.connect() as connection:
            force = " WITH (FORCE)" if server == "postgres" else ""
            await connection.execute(text(f"DROP DATABASE {name}{force}"))
        await admin.dispose()
