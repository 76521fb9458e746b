"""Editing together with the clients that canvases use: y-websocket's own, in Node."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from api_flow_calls import grant
from api_sync_clients import Client, eventually
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Json, Open, fixture, module_fixture
from node_editors import Editor, Node, running_node
from people import People, Person
from pycrdt import Map

from scaiflow_api.domains.sync.draft_log import Place
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Sync

pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def sync() -> Sync:
    return Sync(poll_s=0.1, findings_delay_s=0.05, idle_s=0.2)


@module_fixture
async def node() -> AsyncIterator[Node]:
    async with running_node() as started:
        yield started


class Editors:
    """Opens editors of one flow, and closes them."""

    def __init__(self, node: Node, server: str, bob: Person) -> None:
        self.node, self.server, self.bob = node, server, bob
        self.opened: list[Editor] = []

    async def __call__(self, person: Person | None = None, **options: Any) -> Editor:
        editor = await self.node.open(self.server, (person or self.bob).token(), **options)
        self.opened.append(editor)
        return editor


@fixture
async def editors(node: Node, url: str, flow_id: str, people: People) -> AsyncIterator[Editors]:
    made = Editors(node, f"{url}/flows/{flow_id}", people.bob)
    yield made
    for editor in made.opened:
        await editor.tell("close")


def ids(content: Json) -> list[str]:
    return sorted(content["nodes"])


async def test_a_stock_provider_sees_the_flow_and_what_others_do(
    editors: Editors, window: Open, echo: Json
) -> None:
    one, other = await (await editors()).synced(), await (await editors()).synced()
    python = await window().connect()
    assert ids((await one.look())["content"]) == sorted(node["id"] for node in echo["nodes"])

    await one.set("nodes", "node_one", to={"id": "node_one", "config": {"deep": {"er": 1}}})
    await other.until(lambda seen: "node_one" in seen["content"]["nodes"])
    await other.set("nodes", "node_one", "config", "deep", "er", to=2)
    python.nodes["node_two"] = Map({"id": "node_two"})

    await one.until(lambda seen: seen["content"]["nodes"]["node_one"]["config"] == {"deep": {"er": 2}})
    await one.until(lambda seen: "node_two" in seen["content"]["nodes"])
    await eventually(lambda: "node_one" in python.nodes)


async def test_the_token_may_be_a_subprotocol(node: Node, url: str, flow_id: str, people: People) -> None:
    editor = await node.open(
        f"{url}/flows/{flow_id}", protocols=["scaiflow.sync.v1", f"bearer.{people.bob.token()}"]
    )
    await editor.synced()
    await editor.tell("close")


async def test_a_refused_provider_stops_and_knows_why(
    node: Node, url: str, flow_id: str, people: People
) -> None:
    for server, token, code in (
        (f"{url}/flows/{flow_id}", "none", 4401),
        (f"{url}/flows/{flow_id}", people.erin.token(), 4403),
        (f"{url}/flows/flow_nowhere", people.bob.token(), 4404),
    ):
        editor = await node.open(server, token)
        seen = await editor.until(lambda seen: seen["closed"] is not None)
        assert (seen["closed"], seen["synced"], seen["content"]) == (code, 0, {})
        await editor.tell("close")


async def test_a_viewer_is_told_that_its_change_was_not_taken(
    editors: Editors, resources: Resources, flow_id: str, people: People
) -> None:
    await grant(resources, flow_id, people.erin.id, "view")
    writer, viewer = await (await editors()).synced(), await (await editors(people.erin)).synced()

    await viewer.set("nodes", "node_no", to={"id": "node_no"})
    await viewer.until(lambda seen: len(seen["denied"]) == 1)
    await writer.set("nodes", "node_yes", to={"id": "node_yes"})

    seen = await viewer.until(lambda seen: "node_yes" in seen["content"]["nodes"])
    assert seen["connected"]
    assert "node_no" not in await writer.nodes()


async def test_people_are_shown_by_their_own_names(editors: Editors, people: People) -> None:
    bob, alice = await (await editors()).synced(), await (await editors(people.alice)).synced()
    me = str((await bob.look())["client"])
    await bob.tell("say", state={"user": {"name": "Alice", "color": "#a4ff32"}, "cursor": {"x": 1}})

    seen = await alice.until(lambda seen: me in seen["who"] and "cursor" in seen["who"][me])
    assert seen["who"][me]["user"] == {"id": "usr_bob", "name": "Bob", "color": "#a4ff32"}

    await bob.tell("disconnect")
    await alice.until(lambda seen: me not in seen["who"])


async def test_who_was_offline_comes_back_with_edits_and_nothing_is_doubled(
    editors: Editors, rooms: Rooms, flow_id: str, echo: Json
) -> None:
    one, other = await (await editors()).synced(), await (await editors()).synced()
    await one.tell("disconnect")
    await one.set("nodes", "node_offline", to={"id": "node_offline"})
    await other.set("nodes", "node_online", to={"id": "node_online"})
    await other.tell("disconnect")
    await eventually(lambda: Place("tnt_acme", flow_id) not in rooms._rooms)  # unloaded

    await one.tell("connect")
    await other.tell("connect")

    wanted = sorted([*(node["id"] for node in echo["nodes"]), "node_offline", "node_online"])
    for editor in (one, other):
        await editor.until(lambda seen: ids(seen["content"]) == wanted)
    assert (await one.look())["content"] == (await other.look())["content"]


async def test_findings_are_told_to_all(editors: Editors, echo: Json) -> None:
    one, other = await (await editors()).synced(), await (await editors()).synced()
    edge = echo["edges"][0]["id"]

    await one.set("edges", edge, "target", "node", to="node_nowhere")

    await other.until(lambda seen: any(told["edge_id"] == edge for told in seen["diagnostics"].values()))


@pytest.mark.parametrize("way", ["save", "restore", "save while offline"])
async def test_what_rest_saves_reaches_the_draft_and_reverts_nobody(
    editors: Editors, api: httpx.AsyncClient, flow_id: str, people: People, echo: Json, way: str
) -> None:
    first, second = (node["id"] for node in echo["nodes"][:2])
    changed = {**echo, "nodes": [dict(node) for node in echo["nodes"]]}
    changed["nodes"][1]["label"] = "Changed"
    if way == "restore":
        await api.put(f"/flows/{flow_id}", json={"content": changed}, headers=people.bob.headers)
    editor, other = await (await editors()).synced(), await (await editors()).synced()
    await editor.set("nodes", first, "label", to="Unsaved")
    await other.until(lambda seen: seen["content"]["nodes"][first]["label"] == "Unsaved")
    if way == "save while offline":
        await editor.tell("disconnect")
        await editor.set("nodes", "node_offline", to={"id": "node_offline"})

    if way == "restore":
        answer = await api.post(f"/flows/{flow_id}/versions/1.0.0/restore", headers=people.bob.headers)
        wanted = echo["nodes"][1]["label"]
    else:
        answer = await api.put(f"/flows/{flow_id}", json={"content": changed}, headers=people.bob.headers)
        wanted = "Changed"
    assert answer.status_code == 200, answer.text
    if way == "save while offline":
        await editor.tell("connect")
        await other.until(lambda seen: "node_offline" in seen["content"]["nodes"])

    for each in (editor, other):
        seen = await each.until(lambda seen: seen["content"]["nodes"][second]["label"] == wanted)
        assert seen["content"]["nodes"][first]["label"] == "Unsaved"


async def test_a_discarded_draft_tells_its_editors_to_reload(
    editors: Editors, api: httpx.AsyncClient, flow_id: str, people: People, echo: Json
) -> None:
    one, away = await (await editors()).synced(), await (await editors()).synced()
    await one.set("nodes", "node_gone", to={"id": "node_gone"})
    await away.until(lambda seen: "node_gone" in seen["content"]["nodes"])
    await away.tell("disconnect")

    answer = await api.post(f"/flows/{flow_id}/draft/discard", headers=people.bob.headers)

    assert answer.is_success, answer.text
    await one.until(lambda seen: seen["closed"] == 4410)
    await away.tell("connect")
    await away.until(lambda seen: seen["closed"] == 4410)
    fresh = await (await editors()).synced()
    assert ids((await fresh.look())["content"]) == sorted(node["id"] for node in echo["nodes"])


async def test_a_crowd_types_and_agrees(editors: Editors, window: Open) -> None:
    crowd = [await editors() for _ in range(5)]
    for editor in crowd:
        await editor.synced()
    python: Client = await window().connect()
    for number in range(40):
        editor = crowd[number % len(crowd)]
        await editor.set("nodes", f"node_{number}", to={"id": f"node_{number}", "label": ""})
        python.nodes[f"node_py_{number}"] = Map({"id": f"node_py_{number}"})
    await eventually(lambda: sum(name.startswith("node_") for name in python.nodes) >= 80)
    for editor in crowd:
        await editor.until(lambda seen: set(seen["content"]["nodes"]) == set(python.nodes))
