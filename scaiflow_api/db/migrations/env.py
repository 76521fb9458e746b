"""Runs migrations on whatever database the configuration names. See `scaiflow_api.db.schema`."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection, text

from scaiflow_api.db import models
from scaiflow_api.db.base import Base
from scaiflow_api.db.schema import engine_of

assert models.__all__, "importing the models fills the metadata"

_LONGEST_MIGRATION_S = 3600
_LOCKS = {
    "postgresql": ["SELECT pg_advisory_xact_lock(hashtext('scaiflow schema'))"],
    # The locks of a whole server have to name the database; one ends with its connection.
    "mysql": [f"SELECT GET_LOCK(CONCAT('scaiflow ', SHA1(DATABASE())), {_LONGEST_MIGRATION_S})"],
    "sqlite": [f"PRAGMA busy_timeout={_LONGEST_MIGRATION_S * 1000}", "BEGIN IMMEDIATE"],
}
_LOCKS["mariadb"] = _LOCKS["mysql"]


def _run(connection: Connection) -> None:
    def is_here(item: Any, _name: str | None, kind: str, _found: bool, _like: object) -> bool:
        """Tell whether this kind of database has a thing: some indexes are for one kind only."""
        return kind != "index" or item.info.get("only") in (None, connection.dialect.name)

    # Processes that start at once take turns: those behind the first find the schema as it should be.
    for statement in _LOCKS[connection.dialect.name]:
        connection.execute(text(statement))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        include_object=is_here,
        render_as_batch=connection.dialect.name == "sqlite",
        user_module_prefix="base.",
    )
    with context.begin_transaction():
        context.run_migrations()


async def _connect() -> None:
    engine = engine_of(context.config.attributes["url"])
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


@contextmanager
def _names_may_be_ignored() -> Iterator[None]:
    """MariaDB warns of each primary key that its name is ignored, which means nothing to who reads it."""
    driver = logging.getLogger("asyncmy")
    before = driver.level
    driver.setLevel(logging.ERROR)
    try:
        yield
    finally:
        driver.setLevel(before)


with _names_may_be_ignored():
    asyncio.run(_connect())
