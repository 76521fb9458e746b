"""The real application on a real database; only what lies beyond our own process is played."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx
from api_apps import give_back, shared_app, undocumented
from api_flow_calls import create
from fastapi import FastAPI
from people import People
from played_directory import PlayedDirectory
from played_grid import PlayedGrid
from pydantic import SecretStr
from tokens import AUDIENCE, ISSUER, PublishedKeys

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.auth.tokens import TokenVerifier
from scaiflow_api.db.principals import Principals
from scaiflow_api.db.session import Database as Rows
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Database, Environment, ScaiGrid, ScaiKey, Secrets, Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
SCAIGRID = "http://scaigrid.test"

_SETTINGS = Settings(
    api=Api(env=Environment.DEVELOPMENT),
    database=Database(pool_size=5),
    scaikey=ScaiKey(base_url=ISSUER, client_id=AUDIENCE, client_secret=SecretStr("client-secret")),
    scaigrid=ScaiGrid(
        base_url=SCAIGRID,
        timeout_s=2.0,
        start_timeout_s=1.0,
        lookup_cache_s=0,
        test_timeout_s=5.0,
        test_events_wait_s=0.05,
    ),
    secrets=Secrets(key=SecretStr(base64.b64encode(bytes(32)).decode())),
)
"""What all tests set alike; to read the environment for all sections takes longer than many a test."""


@pytest.fixture(autouse=True)
def apps_are_free() -> Iterator[None]:
    give_back()
    yield
    found, undocumented[:] = undocumented.copy(), []
    assert found == [], "the OpenAPI document does not tell of these errors"


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture(scope="session")
def migrated_database(
    migrated_database: str, database_server: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The template of SQLite files has the administrators too; a server's database loses its rows after each test."""
    if database_server != "sqlite":
        return migrated_database
    template = tmp_path_factory.mktemp("administrators") / "template.db"
    shutil.copy(migrated_database.removeprefix("sqlite+aiosqlite:///"), template)
    url = f"sqlite+aiosqlite:///{template}"

    async def appoint() -> None:
        db = Rows(url)
        await _appoint(Principals(db))
        await db.close()

    asyncio.run(appoint())
    return url


async def _appoint(principals: Principals) -> None:
    people, now = People(), SystemClock().now()
    for person, role in ((people.alice, AdminRole.TENANT_ADMIN), (people.root, AdminRole.SUPER_ADMIN)):
        await principals.grant(person.tenant_id, person.id, role, source="bootstrap", now=now)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    places = {
        "database": _SETTINGS.database.model_copy(update={"url": SecretStr(database_url)}),
        "store": _SETTINGS.store.model_copy(update={"url": f"file:{tmp_path / 'blobs'}"}),
    }
    return _SETTINGS.model_copy(update=places)


@pytest.fixture
def keys() -> PublishedKeys:
    return PublishedKeys()


@pytest.fixture
async def resources(
    settings: Settings, people: People, keys: PublishedKeys, database_server: str
) -> AsyncIterator[Resources]:
    async with open_resources(settings) as opened:
        verifier = TokenVerifier(base_url=ISSUER, audiences=(AUDIENCE,), keys=keys, clock=opened.clock)
        if database_server != "sqlite":
            await _appoint(opened.principals)
        yield replace(opened, tokens=verifier, directory=PlayedDirectory())  # type: ignore[arg-type]


@pytest.fixture
async def app(settings: Settings, resources: Resources) -> AsyncIterator[FastAPI]:
    app = shared_app(settings, resources)
    yield app
    await app.state.rooms.close()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
        yield client


@pytest.fixture
def echo() -> dict[str, Any]:
    """The content of the echo agent."""
    document: dict[str, Any] = orjson.loads((EXAMPLES / "echo-agent.flow.json").read_bytes())
    return document


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: dict[str, Any]) -> str:
    """The id of a flow that bob owns."""
    return str((await create(api, people.bob.headers, echo))["id"])


@pytest.fixture
def grid() -> Iterator[PlayedGrid]:
    """A ScaiGrid without Cores."""
    with respx.mock(assert_all_called=False) as router:
        yield PlayedGrid(router, SCAIGRID)


@pytest.fixture
def short_wait_for_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A save whose commit failed leaves its object; the next one waits a moment for it, not five seconds."""
    monkeypatch.setitem(FlowWriter.__init__.__kwdefaults__, "orphan_after_s", 0.05)
