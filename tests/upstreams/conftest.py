"""Clients with short patience, so that a failing upstream costs milliseconds."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from scaiflow_api.kit.clock import Clock
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.scaibunker import ScaiBunker
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaigrid_checkpoints import ScaiGridCheckpoints
from scaiflow_api.upstreams.scaikey import ScaiKey
from scaiflow_api.upstreams.scaiqueue import ScaiQueue

GRID = "https://grid.test"
KEY = "https://key.test/scaikey"


class SteeredClock(Clock):
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self._now = datetime(2026, 5, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SteeredClock:
    return SteeredClock()


@pytest.fixture
def impatient() -> Policy:
    return Policy(deadline_s=0.5, max_bytes=100_000, attempts=3, base_delay_s=0.001, max_delay_s=0.002)


@pytest.fixture
def token() -> SecretStr:
    return SecretStr("tok-alice")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with open_transport(ScaiGridSettings(_env_file=None)) as client:
        yield client


@pytest.fixture
def scaigrid(http: httpx.AsyncBaseTransport, impatient: Policy) -> ScaiGrid:
    return ScaiGrid(http, ScaiGridSettings(_env_file=None, base_url=GRID), policy=impatient)


@pytest.fixture
def scaikey(http: httpx.AsyncBaseTransport, impatient: Policy, clock: SteeredClock) -> ScaiKey:
    settings = ScaiKeySettings(
        _env_file=None, base_url=KEY, client_id="scaiflow", client_secret=SecretStr("s3cret&")
    )
    return ScaiKey(http, settings, clock, policy=impatient)


@pytest.fixture
def checkpoints(scaigrid: ScaiGrid) -> ScaiGridCheckpoints:
    return ScaiGridCheckpoints.beside(scaigrid)


@pytest.fixture
def scaiqueue(scaigrid: ScaiGrid) -> ScaiQueue:
    return ScaiQueue.beside(scaigrid)


@pytest.fixture
def scaibunker(scaigrid: ScaiGrid) -> ScaiBunker:
    return ScaiBunker.beside(scaigrid)
