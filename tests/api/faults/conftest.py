"""A process whose steps are counted, and one that is well, on the same database, store and ScaiGrid."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest
import respx
from api_apps import shared_app
from api_flow_calls import Json
from mirror import mirror
from operations import World
from people import People
from played_grid import PlayedGrid
from steps import SteppedBlobs, SteppedGrid, Steps, count_steps

from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import ScaiGrid, Settings
from scaiflow_api.storage import FlowVersions

ELSEWHERE = "http://stepped.test"


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def grid(steps: Steps) -> Iterator[PlayedGrid]:
    """ScaiGrid, as the process that is well sees it."""
    with respx.mock(assert_all_called=False) as router:
        played = PlayedGrid(router, "http://scaigrid.test")
        SteppedGrid(router, ELSEWHERE, played, steps)
        yield played


@pytest.fixture
async def faulty(
    settings: Settings, resources: Resources, grid: PlayedGrid, steps: Steps
) -> AsyncIterator[httpx.AsyncClient]:
    """The process whose steps are counted."""
    there = ScaiGrid(base_url=ELSEWHERE, timeout_s=1.0, start_timeout_s=1.0)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_resources(settings.model_copy(update={"scaigrid": there}))
        )
        blobs = SteppedBlobs(opened.blobs, steps)
        count_steps(opened.db, steps)
        opened = replace(opened, tokens=resources.tokens, blobs=blobs, versions=FlowVersions(blobs))
        transport = httpx.ASGITransport(shared_app(settings, opened), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://faulty.test/api/v1")
        yield await stack.enter_async_context(client)


@pytest.fixture
async def world(
    short_wait_for_orphans: None,
    api: httpx.AsyncClient,
    resources: Resources,
    people: People,
    echo: Json,
    grid: PlayedGrid,
) -> World:
    await mirror(resources.db, "tnt_acme", users=["usr_erin", "usr_bob", "usr_carol"], synced=False)
    return World(api, resources, people, echo, grid.cores, grid.queues)
