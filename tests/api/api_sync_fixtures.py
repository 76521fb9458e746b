"""What the tests of editing together share: an impatient server for a whole module, a flow, windows on it."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from api_apps import new_app
from api_flow_calls import create
from api_sync_clients import Client, served
from fastapi import FastAPI
from people import People, Person
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine
from tokens import AUDIENCE, ISSUER, PublishedKeys

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.auth.tokens import TokenVerifier
from scaiflow_api.db.base import Base
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Database, Environment, ScaiKey, Settings, Store, Sync

Json = dict[str, Any]
Open = Callable[..., Client]

EXAMPLES = Path(__file__).parents[2] / "examples"
IMPATIENT = Sync(poll_s=0.1, findings_delay_s=3600, idle_s=0.2)
"""Nobody has to wait; and there are no findings, which would change drafts by themselves."""

fixture = pytest_asyncio.fixture(loop_scope="module")
module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest.fixture(scope="module")
def sync() -> Sync:
    return IMPATIENT


@pytest.fixture(scope="module")
def echo() -> Json:
    document: Json = orjson.loads((EXAMPLES / "echo-agent.flow.json").read_bytes())
    return document


@module_fixture
async def database_url(
    migrated_database: str, database_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    if database_server == "sqlite":
        copy = tmp_path_factory.mktemp("sync") / "test.db"
        shutil.copy(migrated_database.removeprefix("sqlite+aiosqlite:///"), copy)
        yield f"sqlite+aiosqlite:///{copy}"
        return
    yield migrated_database
    engine = create_async_engine(migrated_database)
    async with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(table.delete())
    await engine.dispose()


@pytest.fixture(scope="module")
def settings(database_url: str, sync: Sync, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        api=Api(env=Environment.DEVELOPMENT),
        database=Database(url=SecretStr(database_url), pool_size=5),
        store=Store(url=f"file:{tmp_path_factory.mktemp('blobs')}"),
        scaikey=ScaiKey(base_url=ISSUER, client_id=AUDIENCE, client_secret=SecretStr("client-secret")),
        sync=sync,
    )


@module_fixture
async def resources(settings: Settings, people: People) -> AsyncIterator[Resources]:
    async with open_resources(settings) as opened:
        verifier = TokenVerifier(
            base_url=ISSUER, audiences=(AUDIENCE,), keys=PublishedKeys(), clock=opened.clock
        )
        for person, role in ((people.alice, AdminRole.TENANT_ADMIN), (people.root, AdminRole.SUPER_ADMIN)):
            await opened.principals.grant(
                person.tenant_id, person.id, role, source="bootstrap", now=opened.clock.now()
            )
        yield replace(opened, tokens=verifier)


@module_fixture
async def app(settings: Settings, resources: Resources) -> FastAPI:
    return new_app(settings, resources)


@module_fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    async with served(app) as address:
        yield address


@module_fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
        yield client


@pytest.fixture
def rooms(app: FastAPI) -> Rooms:
    found: Rooms = app.state.rooms
    return found


@fixture
async def flow_id(api: httpx.AsyncClient, people: People, echo: Json) -> str:
    return str((await create(api, people.bob.headers, echo))["id"])


@fixture
async def window(url: str, flow_id: str, people: People) -> AsyncIterator[Open]:
    """Make a client of the flow: bob's, unless somebody else is named."""
    clients: list[Client] = []

    def open_window(person: Person = people.bob, flow: str = flow_id, **options: Any) -> Client:
        clients.append(Client(url, flow, person, **options))
        return clients[-1]

    yield open_window
    for client in clients:
        await client.drop()


__all__ = [
    "api",
    "app",
    "database_url",
    "echo",
    "flow_id",
    "people",
    "resources",
    "rooms",
    "settings",
    "sync",
    "url",
    "window",
]
