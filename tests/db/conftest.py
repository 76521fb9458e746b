"""The database that most tests of this folder use."""

from collections.abc import AsyncIterator

import pytest

from scaiflow_api.db.session import Database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, pool_size=8)
    yield opened
    await opened.close()
