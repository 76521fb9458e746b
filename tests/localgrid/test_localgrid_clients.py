"""The clients that the API uses understand what the grid's modules say."""

import asyncio
from pathlib import Path

import httpx
import pytest
from localgrid_queues import a_queue
from localgrid_support import BASE, SCAIBUNKER, RunningGrid
from pydantic import SecretStr

from scaiflow_api.localgrid.scaibunker import sandbox
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.failures import UpstreamRejected
from scaiflow_api.upstreams.scaibunker import ScaiBunker
from scaiflow_api.upstreams.scaiqueue import ScaiQueue

SETTINGS = ScaiGridSettings(base_url=f"{BASE}/scaigrid")
KEY = SecretStr("sgk_local_development")


@pytest.fixture
def wire(grid: RunningGrid) -> httpx.ASGITransport:
    return httpx.ASGITransport(grid.app)


async def test_queues_are_made_found_and_made_once(wire: httpx.ASGITransport) -> None:
    client = ScaiQueue(wire, SETTINGS)
    scope = await client.create_scope(KEY, "support", description="Tickets")
    made = [
        await client.create_queue(KEY, scope.id, f"q-{mode}", consumer_mode=mode, max_retries=3)
        for mode in ("fifo", "priority", "deadline", "broadcast")
    ]

    assert await client.scopes(KEY) == [scope]
    found = await client.queues(KEY, scope.id)
    assert [(queue.slug, queue.consumer_mode) for queue in found[-4:]] == [
        (f"q-{mode}", mode) for mode in ("fifo", "priority", "deadline", "broadcast")
    ]
    assert [queue.id for queue in found[-4:]] == [queue.id for queue in made]
    lost = await asyncio.gather(
        *(client.create_scope(KEY, "billing") for _ in range(2)), return_exceptions=True
    )
    (refused,) = [answer for answer in lost if isinstance(answer, UpstreamRejected)]
    assert refused.conflict


async def test_lists_are_read_to_their_last_page(grid: RunningGrid, wire: httpx.ASGITransport) -> None:
    queue = await a_queue(await grid.caller("usr_bob"))
    scope_id = queue.scope.rpartition("/")[2]
    client = ScaiQueue(wire, SETTINGS)
    for number in range(100):
        await client.create_queue(KEY, scope_id, f"q-{number}")

    assert len(await client.queues(KEY, scope_id)) == 5 + 1 + 100


async def test_bunkers_are_listed_in_scaiflows_words(
    grid: RunningGrid, wire: httpx.ASGITransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def probe(_: Path) -> None: ...

    monkeypatch.setattr(sandbox, "probe", probe)
    alice = await grid.caller("usr_alice")
    made = await alice("POST", f"{SCAIBUNKER}/bunkers", json={"image": "python-3.12"})
    await alice("POST", f"{SCAIBUNKER}/bunkers", json={"image": "debian-12", "lifecycle_mode": "session"})
    paused = (await alice("GET", f"{SCAIBUNKER}/bunkers")).json()["data"][1]["id"]
    await alice("POST", f"{SCAIBUNKER}/bunkers/{paused}/pause")
    found = await ScaiBunker(wire, SETTINGS).bunkers(KEY)

    assert [(b.bunker_id, b.image_ref, b.lifecycle, b.status) for b in found] == [
        (made.json()["data"]["id"], "python-3.12", "ephemeral", "ready"),
        (paused, "debian-12", "session", "paused"),
    ]
