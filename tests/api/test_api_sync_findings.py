"""Findings of a draft, for all who have it open; and a log that is merged while people write."""

import asyncio

import pytest
from api_sync_clients import PATIENCE_S, Client, eventually
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Json, Open
from pycrdt import Map

from scaiflow_api.db.drafts import Drafts
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.domains.sync import room
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Sync

MERGE_AFTER = 10
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def sync() -> Sync:
    return Sync(poll_s=0.1, findings_delay_s=0.02, merge_after=MERGE_AFTER)


async def test_findings_are_told_to_all_and_go_when_they_are_mended(window: Open, echo: Json) -> None:
    one, other = await window().connect(), await window().connect()
    edge = echo["edges"][0]

    def told(client: Client) -> list[Json]:
        found = (client.diagnostics.to_py() or {}).values()
        return [finding for finding in found if finding["edge_id"] == edge["id"]]

    one.flow["edges"][edge["id"]]["target"]["node"] = "node_nowhere"
    await eventually(lambda: told(other) != [])
    assert {"severity", "code", "message", "path"} <= set(told(other)[0])

    other.flow["edges"][edge["id"]]["target"]["node"] = edge["target"]["node"]
    await eventually(lambda: told(one) == [])


async def test_a_long_log_is_merged_while_people_write(
    window: Open, resources: Resources, flow_id: str, rooms: Rooms
) -> None:
    one, other = await window().connect(), await window().connect()

    for number in range(60):
        (one, other)[number % 2].nodes[f"node_{number}"] = Map({"id": f"node_{number}"})
        if number % 7 == 0:
            await asyncio.sleep(0.01)
    await eventually(lambda: len(one.nodes) == len(other.nodes) >= 60)

    assert rooms.counters.merges > 0
    async with resources.db.read() as session:
        draft = await Drafts(session).find("tnt_acme", flow_id)
        assert draft is not None
        assert 0 < draft.merged_seq <= draft.last_seq
        entries = await Drafts(session).entries(draft)
    assert [entry.seq for entry in entries] == list(range(draft.merged_seq, draft.last_seq + 1))
    assert sum(len(entry.update) for entry in entries) == draft.size
    third = await window().connect()
    assert third.content() == one.content() == other.content()


async def test_a_log_is_merged_in_a_pause(
    window: Open, resources: Resources, flow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_REST_S", 0.05)
    one = await window().connect()
    for number in range(MERGE_AFTER):
        one.flow["config"]["said"] = f"{number} times"
        await asyncio.sleep(0.005)

    async with asyncio.timeout(PATIENCE_S):
        while (draft := await draft_of(resources, flow_id)).merged_seq < MERGE_AFTER:  # noqa: ASYNC110 - in the database
            await asyncio.sleep(0.01)
    assert draft.last_seq < 4 * MERGE_AFTER, "it did not become too long"


async def draft_of(resources: Resources, flow_id: str) -> SyncDocument:
    async with resources.db.read() as session:
        draft = await Drafts(session).find("tnt_acme", flow_id)
    assert draft is not None
    return draft
