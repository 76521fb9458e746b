"""Editing together, over real sockets: what one changes the others see, and it is stored before they do."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_sync_clients import Client, eventually, served
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Json, Open
from people import People
from pycrdt import Doc, Map, create_update_message

from scaiflow_api.app import create_app
from scaiflow_api.db.drafts import Drafts
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.domains.sync.closing import TRY_AGAIN
from scaiflow_api.domains.sync.document import epoch_client_id, seed, to_flow
from scaiflow_api.domains.sync.document.encoding import encode, encode_object
from scaiflow_api.domains.sync.document.shape import DOCUMENT, shared_part
from scaiflow_api.domains.sync.document.writing import write
from scaiflow_api.domains.sync.draft import bounds
from scaiflow_api.domains.sync.draft_log import Place
from scaiflow_api.domains.sync.protocol import update_frame
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.live.announcements import ProcessAnnouncements
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stored(resources: Resources, flow_id: str) -> Any:
    """What the log says."""
    async with resources.db.read() as session:
        draft = await Drafts(session).find("tnt_acme", flow_id)
        assert draft is not None
        entries = await Drafts(session).entries(draft)
    doc: Doc[Any] = Doc()
    for entry in entries:
        doc.apply_update(entry.update)
    return doc.get("flow", type=Map).to_py()


async def end(rooms: Rooms, flow_id: str) -> None:
    """End a room, as when its process ends."""
    await rooms._rooms.pop(Place("tnt_acme", flow_id)).end(TRY_AGAIN)


def replace_announcements(resources: Resources) -> Resources:
    return replace(resources, announcements=ProcessAnnouncements())


async def log_length(resources: Resources, flow_id: str) -> int:
    async with resources.db.read() as session:
        draft = await Drafts(session).find("tnt_acme", flow_id)
        assert draft is not None
        return len(await Drafts(session).entries(draft))


async def test_a_newcomer_sees_the_flow_and_each_change_reaches_the_others(window: Open, echo: Json) -> None:
    one, other = await window().connect(), await window().connect()
    assert set(one.nodes) == {node["id"] for node in echo["nodes"]}

    one.nodes["node_new"] = Map({"id": "node_new", "label": "New"})
    await eventually(lambda: "node_new" in other.nodes)
    other.nodes["node_new"]["label"] = "Newer"
    await eventually(lambda: one.nodes["node_new"]["label"] == "Newer")

    third = await window().connect()
    assert third.content() == one.content() == other.content()


async def test_who_comes_at_the_same_moment_gets_one_and_the_same_draft(
    window: Open, resources: Resources, flow_id: str, echo: Json
) -> None:
    crowd = await asyncio.gather(*(window().connect() for _ in range(8)))

    assert all(client.content() == crowd[0].content() for client in crowd)
    assert set(crowd[0].nodes) == {node["id"] for node in echo["nodes"]}
    assert await log_length(resources, flow_id) == 1


async def test_two_processes_open_the_same_room_at_once(
    settings: Settings, resources: Resources, url: str, flow_id: str, people: People
) -> None:
    """They share the database and nothing else, not even announcements: each looks for itself."""
    lonely = create_app(settings, replace_announcements(resources))
    async with served(lonely) as other_url:
        one, other = Client(url, flow_id, people.bob), Client(other_url, flow_id, people.bob)
        await asyncio.gather(one.connect(), other.connect())
        assert one.content() == other.content()
        one.nodes["node_one"] = Map({"id": "node_one"})
        other.nodes["node_other"] = Map({"id": "node_other"})
        await eventually(lambda: {"node_one", "node_other"} <= set(one.nodes) & set(other.nodes))
        assert await stored(resources, flow_id) == one.content()
        for client in (one, other):
            await client.drop()


async def test_what_another_sees_is_stored(window: Open, resources: Resources, flow_id: str) -> None:
    one, other = await window().connect(), await window().connect()
    for number in range(20):
        one.nodes[f"node_{number}"] = Map({"id": f"node_{number}"})
        await eventually(lambda number=number: f"node_{number}" in other.nodes)
        assert f"node_{number}" in (await stored(resources, flow_id))["nodes"]


async def test_who_was_away_brings_edits_back_and_gets_those_of_others(window: Open) -> None:
    one, other = await window().connect(), await window().connect()
    node = next(iter(one.nodes))
    await one.drop()
    one.nodes["node_offline"] = Map({"id": "node_offline"})
    one.nodes[node]["label"] = "Offline"
    other.nodes["node_online"] = Map({"id": "node_online"})
    del other.nodes[node]

    await one.connect()

    await eventually(lambda: {"node_offline", "node_online"} <= set(one.nodes) & set(other.nodes))
    await eventually(lambda: one.content() == other.content())


async def test_a_draft_outlives_its_process_and_its_room(
    rooms: Rooms, settings: Settings, resources: Resources, window: Open, flow_id: str, people: People
) -> None:
    one = await window().connect()
    one.nodes["node_kept"] = Map({"id": "node_kept"})
    other = await window().connect()
    await eventually(lambda: "node_kept" in other.nodes)
    content = one.content()
    await one.drop()
    await other.drop()
    await eventually(
        lambda: Place("tnt_acme", flow_id) not in rooms._rooms
    )  # nobody is there: it is unloaded

    assert (await window().connect()).content() == content
    async with served(create_app(settings, resources)) as restarted:
        again = await Client(restarted, flow_id, people.bob).connect()
        assert again.content() == content
        await one.drop()
        one.url = again.url
        one.nodes["node_later"] = Map({"id": "node_later"})
        await one.connect()  # with its old copy: nothing is doubled
        await eventually(lambda: again.content() == one.content())
        assert set(again.nodes) == {*content["nodes"], "node_later"}
        await one.drop()
        await again.drop()


async def test_a_draft_that_was_seeded_by_another_rule_goes_on_as_it_began(
    window: Open,
    api: httpx.AsyncClient,
    people: People,
    rooms: Rooms,
    flow_id: str,
    echo: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What makes seeds may change: a seed is stored, and never made again for a draft that has begun."""
    monkeypatch.setattr(bounds, "seed", seeded_otherwise)
    one = await window().connect()
    monkeypatch.undo()
    assert "$list" in one.flow["edges"], "as the other rule has it"
    await one.drop()
    one.nodes["node_offline"] = Map({"label": "Offline"})
    await end(rooms, flow_id)

    other = await window().connect()
    assert set(other.nodes) == {node["id"] for node in echo["nodes"]}
    other.nodes["node_online"] = Map({"label": "Online"})
    await one.connect()
    await eventually(lambda: {"node_offline", "node_online"} <= set(one.nodes) & set(other.nodes))

    changed = {**echo, "edges": [], "metadata": {"by": "rest"}}
    (
        await api.put(f"/flows/{flow_id}", headers=people.bob.headers, json={"content": changed})
    ).raise_for_status()
    await eventually(lambda: one.content()["metadata"].get("by") == "rest")
    draft = (await api.get(f"/flows/{flow_id}/draft", headers=people.bob.headers)).raise_for_status().json()
    assert sorted(node["id"] for node in draft["content"]["nodes"]) == sorted(
        [*(node["id"] for node in echo["nodes"]), "node_offline", "node_online"]
    )
    assert draft["content"]["edges"] == []
    await eventually(lambda: one.content() == other.content())


def seeded_otherwise(content: Json, epoch: str) -> bytes:
    """Return a seed with its keys in another order, and edges as a list whose entries have no names."""
    doc: Doc[Any] = Doc(client_id=epoch_client_id(epoch))
    root = doc.get("flow", type=Map)
    with doc.transaction():
        for key, tree in reversed(encode_object(shared_part(content), DOCUMENT).items()):
            write(root, key, encode(content["edges"]) if key == "edges" else tree)
    return doc.get_update()


async def test_a_change_that_waits_for_another_survives_merging(
    window: Open, flow_id: str, rooms: Rooms
) -> None:
    """A change may come before the one that it builds upon, when the two go by different ways."""
    one = await window().connect()
    author: Doc[Any] = Doc(client_id=7)
    author.apply_update(one.doc.get_update())
    updates: list[bytes] = []
    subscription = author.observe(lambda event: updates.append(event.update))
    nodes = author.get("flow", type=Map)["nodes"]
    nodes["node_a"] = Map({"id": "node_a"})
    nodes["node_a"]["label"] = "builds upon the first"
    author.unobserve(subscription)

    before = rooms.counters.updates_stored
    await one.send(create_update_message(updates[1]))
    await eventually(lambda: rooms.counters.updates_stored == before + 1)
    await end(rooms, flow_id)
    assert await one.closed() == 1012
    one = await window().connect()
    await one.send(create_update_message(updates[0]))

    other = await window().connect()
    await eventually(lambda: "label" in other.nodes["node_a"])


async def test_a_save_by_rest_reaches_who_has_the_draft_open_and_reverts_nobody(
    window: Open, api: httpx.AsyncClient, people: People, flow_id: str, echo: Json
) -> None:
    one = await window().connect()
    first, second = (node["id"] for node in echo["nodes"][:2])
    one.nodes[first]["label"] = "Unsaved"
    changed = {**echo, "nodes": [dict(node) for node in echo["nodes"]]}
    changed["nodes"][1]["label"] = "Saved"

    answer = await api.put(f"/flows/{flow_id}", json={"content": changed}, headers=people.bob.headers)

    assert answer.status_code == 200, answer.text
    await eventually(lambda: one.nodes[second]["label"] == "Saved")
    assert one.nodes[first]["label"] == "Unsaved"


async def test_who_has_another_epoch_is_told_before_anything_is_exchanged(
    window: Open, resources: Resources, flow_id: str, echo: Json
) -> None:
    first = await window().connect()
    await first.drop()
    before = await log_length(resources, flow_id)
    stale = window()
    stale.doc.apply_update(seed(echo, "epoch_long_ago"))
    content = stale.content()

    await stale.open()

    assert await stale.closed() == 4410
    assert stale.content() == content
    assert await log_length(resources, flow_id) == before

    mixed = await window().connect()
    await mixed.send(update_frame(seed(echo, "epoch_long_ago")))
    assert await mixed.closed() == 4410
    assert await log_length(resources, flow_id) == before


async def test_a_draft_begun_anew_closes_who_has_the_old_one(
    window: Open, resources: Resources, flow_id: str, echo: Json
) -> None:
    one, other = await window().connect(), await window().connect()
    async with resources.db.write() as session:
        drafts = Drafts(session)
        draft = await drafts.find("tnt_acme", flow_id)
        assert draft is not None
        now = resources.clock.now()
        await drafts.begin_anew(
            draft, epoch="epoch_new", version="1.0.0", seed=seed(echo, "epoch_new"), now=now
        )

    assert await one.closed() == await other.closed() == 4410
    fresh = await window().connect()
    assert set(fresh.nodes) == {node["id"] for node in echo["nodes"]}
    assert epoch_client_id("epoch_new") >= 2**32
    await one.open()
    assert await one.closed() == 4410


@pytest.mark.parametrize("seed_of_chance", [7, 8])
async def test_random_edits_with_drops_and_reorders_converge(
    window: Open, resources: Resources, flow_id: str, rooms: Rooms, seed_of_chance: int
) -> None:
    """Several clients edit, lose their connections and come back; the room ends, and the keeper is killed."""
    chance = random.Random(seed_of_chance)
    clients = [await window().connect() for _ in range(4)]
    made: set[str] = set()
    for turn in range(100):
        client = chance.choice(clients)
        action = chance.random()
        if action < 0.5:
            name = f"node_{turn}"
            client.nodes[name] = Map({"id": name, "label": str(turn)})
            made.add(name)
        elif action < 0.8:
            node = chance.choice(sorted(client.nodes))
            client.nodes[node]["label"] = f"by {turn}"
        elif action < 0.9:
            client.delay = lambda: chance.random() * 0.003
        elif action < 0.97:
            await client.drop()
            client.nodes[f"node_off_{turn}"] = Map({"id": f"node_off_{turn}"})
            made.add(f"node_off_{turn}")
            await client.connect()
        elif action < 0.98 and (running := rooms._keeper._helper._running) is not None:
            running.process.kill()
        else:
            await end(rooms, flow_id)
            for other in clients:
                await other.closed()
                await other.drop()
                await other.connect()
        if chance.random() < 0.3:
            await asyncio.sleep(0)

    for client in clients:  # whoever was cut off brings what the server may lack
        await client.drop()
        await client.connect()
    await eventually(lambda: all(client.content() == clients[0].content() for client in clients))
    assert made <= set(clients[0].nodes)
    assert await stored(resources, flow_id) == clients[0].content()
    merged: Doc[Any] = Doc()
    for client in clients:
        merged.apply_update(client.doc.get_update())
    assert merged.get("flow", type=Map).to_py() == clients[0].content()
    ids = [node["id"] for node in to_flow(clients[0].doc)["nodes"]]
    assert len(ids) == len(set(ids))


async def test_what_cannot_be_stored_is_not_shown_and_comes_again(
    window: Open, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await window().connect(), await window().connect()

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(rooms._log, "append", away)
        one.nodes["node_kept"] = Map({"id": "node_kept"})
        assert await one.closed() == await other.closed() == 1012
    assert "node_kept" not in other.nodes

    await other.connect()
    assert "node_kept" not in other.nodes
    await one.connect()
    await eventually(lambda: "node_kept" in other.nodes)
