"""Services on a real database, with a played ScaiGrid."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx
from domains_deploys import limits
from played_grid import PlayedGrid
from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.deploy.service import DeployFlow
from scaiflow_api.domains.flows.saving import FlowWriter
from scaiflow_api.domains.flows.schemas import FlowCreate
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.kit.clock import SystemClock
from scaiflow_api.kit.turns import Turns
from scaiflow_api.settings import Api, Settings
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.storage import FlowVersions
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKeys

EXAMPLES = Path(__file__).parents[2] / "examples"
GRID = "http://grid.test/scaigrid"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
async def audit(db: Database) -> AsyncIterator[AuditTrail]:
    trail = AuditTrail(db, SystemClock())
    yield trail
    await trail.close()


@pytest.fixture
def versions() -> FlowVersions:
    return FlowVersions(MemoryBlobs())


@pytest.fixture
def flows(db: Database, versions: FlowVersions) -> FlowService:
    return FlowService(db, versions)


@pytest.fixture
def writer(db: Database, versions: FlowVersions) -> FlowWriter:
    return FlowWriter(db, versions, DEFAULT_LIMITS, SystemClock(), Turns())


@pytest.fixture
def bob() -> Caller:
    return Caller(subject="usr_bob", tenant_id="tnt_acme", token=SecretStr("tok-bob"))


@pytest.fixture
def echo() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((EXAMPLES / "echo-agent.flow.json").read_bytes())
    return document


@pytest.fixture
def keep(writer: FlowWriter, bob: Caller) -> Callable[[dict[str, Any]], Awaitable[Flow]]:
    """Store a flow of bob's."""

    async def create(content: dict[str, Any]) -> Flow:
        return (await writer.create(bob, FlowCreate(content=content)))[0]

    return create


@pytest.fixture
def grid() -> Iterator[PlayedGrid]:
    with respx.mock(assert_all_called=False) as router:
        yield PlayedGrid(router, GRID)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with open_transport(ScaiGridSettings(_env_file=None)) as client:
        yield client


@pytest.fixture
def scaigrid(http: httpx.AsyncBaseTransport) -> ScaiGrid:
    policy = Policy(deadline_s=0.5, base_delay_s=0.001, max_delay_s=0.002)
    return ScaiGrid(http, ScaiGridSettings(_env_file=None, base_url=GRID), policy=policy)


Paying = Callable[..., Credentials]


@pytest.fixture
def paying(scaigrid: ScaiGrid, http: httpx.AsyncBaseTransport) -> Paying:
    """Make the choice of credentials of an operator with these ScaiGrid settings; no tenant has a key."""

    def make(**changed: Any) -> Credentials:
        settings = ScaiGridSettings(_env_file=None, **changed)
        grids = TenantGrids(http, settings, public_only=True)
        return Credentials(
            Settings(api=Api(_env_file=None), scaigrid=settings), scaigrid, TenantKeys(None), grids
        )

    return make


@pytest.fixture
def credentials(paying: Paying) -> Credentials:
    return paying()


@pytest.fixture
def deploys(db: Database, flows: FlowService, credentials: Credentials) -> DeployFlow:
    return DeployFlow(
        db=db,
        flows=flows,
        credentials=credentials,
        clock=SystemClock(),
        limits=limits(0.3, 5),
    )
