"""What saving by REST does to those who have the flow open, or had it: over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from api_flow_calls import Json
from api_sync_clients import Client, eventually, served
from fastapi import FastAPI
from people import People

from scaiflow_api.db.models.flow import Flow
from scaiflow_api.domains.sync.draft.following import LoadedDraft
from scaiflow_api.domains.sync.opening import Opening
from scaiflow_api.resources import Resources

Open = Callable[[], Client]


@pytest.fixture
async def window(app: FastAPI, flow: str, people: People) -> AsyncIterator[Open]:
    clients: list[Client] = []
    async with served(app) as url:

        def open_window() -> Client:
            clients.append(Client(url, flow, people.bob))
            return clients[-1]

        yield open_window
        for client in clients:
            await client.drop()


@pytest.fixture
def first(echo: Json) -> str:
    return str(echo["nodes"][0]["id"])


@pytest.fixture
def second(echo: Json) -> str:
    return str(echo["nodes"][1]["id"])


async def save(api: httpx.AsyncClient, people: People, flow: str, echo: Json, label: str) -> None:
    one, other, *others = echo["nodes"]
    content = {**echo, "nodes": [one, {**other, "label": label}, *others]}
    answer = await api.put(f"/flows/{flow}", json={"content": content}, headers=people.bob.headers)
    assert answer.status_code == 200, answer.text


def label_of(client: Client, node: str) -> object:
    return client.nodes[node]["label"]


async def test_a_save_and_a_restore_reach_open_windows_and_undo_no_typing(
    api: httpx.AsyncClient, people: People, window: Open, flow: str, echo: Json, first: str, second: str
) -> None:
    one, other = await window().connect(), await window().connect()
    one.nodes[first]["label"] = "Typed"
    await eventually(lambda: label_of(other, first) == "Typed")

    await save(api, people, flow, echo, "Saved")
    await eventually(lambda: label_of(one, second) == label_of(other, second) == "Saved")
    answer = await api.post(f"/flows/{flow}/versions/1.0.0/restore", headers=people.bob.headers)

    assert answer.status_code == 200
    original = echo["nodes"][1]["label"]
    await eventually(lambda: label_of(one, second) == label_of(other, second) == original)
    assert label_of(one, first) == label_of(other, first) == "Typed"


async def test_the_draft_is_saved_while_people_go_on(
    api: httpx.AsyncClient, people: People, window: Open, flow: str, first: str, second: str
) -> None:
    one, other = await window().connect(), await window().connect()
    one.nodes[first]["label"] = "Typed"
    await eventually(lambda: label_of(other, first) == "Typed")

    answer = await api.post(f"/flows/{flow}/draft/save", headers=people.bob.headers)
    one.nodes[first]["label"] = "Typed on"
    await eventually(lambda: label_of(other, first) == "Typed on")
    read = (await api.get(f"/flows/{flow}/draft", headers=people.bob.headers)).json()

    assert (answer.json()["version"], answer.json()["content"]["nodes"][0]["label"]) == ("1.0.1", "Typed")
    assert (read["base_version"], read["content"]["nodes"][0]["label"]) == ("1.0.1", "Typed on")


async def test_who_was_away_comes_back_with_edits_after_a_save(
    api: httpx.AsyncClient, people: People, window: Open, flow: str, echo: Json, first: str, second: str
) -> None:
    away = await window().connect()
    await away.drop()
    away.nodes[first]["label"] = "Typed on the train"
    del away.flow["edges"][echo["edges"][0]["id"]]

    await save(api, people, flow, echo, "Saved")
    await away.connect()

    newcomer = await window().connect()
    assert label_of(away, second) == label_of(newcomer, second) == "Saved"
    await eventually(lambda: label_of(newcomer, first) == "Typed on the train")
    ids = [node["id"] for node in echo["nodes"]]
    assert sorted(newcomer.nodes.keys()) == sorted(away.nodes.keys()) == sorted(ids)
    assert len(newcomer.flow["edges"]) == len(echo["edges"]) - 1


async def test_what_keeps_a_version_from_an_open_draft_is_looked_at_again_when_the_draft_has_changed(
    api: httpx.AsyncClient,
    resources: Resources,
    people: People,
    window: Open,
    flow: str,
    echo: Json,
    second: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes seconds of the process that reads everybody's drafts."""
    loads: list[str] = []
    load = Opening.load

    async def counted(self: Opening, of: Flow) -> LoadedDraft:
        loads.append(of.version)
        return await load(self, of)

    monkeypatch.setattr(Opening, "load", counted)
    for name, value in {"max_entries": 1_000, "poll_s": 0.02, "findings_delay_s": 3600}.items():
        monkeypatch.setitem(resources.settings.sync.__dict__, name, value)
    one, other = await window().connect(), await window().connect()
    one.flow["large"] = [0] * 1_000
    await eventually(lambda: "large" in other.flow)

    await save(api, people, flow, echo, "Saved")
    await eventually(lambda: loads == ["1.0.0", "1.0.1"])
    await asyncio.sleep(0.3)
    one.flow["still"] = True
    await eventually(lambda: loads == ["1.0.0", "1.0.1", "1.0.1"])
    del other.flow["large"]

    await eventually(lambda: label_of(one, second) == label_of(other, second) == "Saved")


async def test_a_discarded_draft_closes_all_windows_and_one_with_its_past_cannot_come_back(
    api: httpx.AsyncClient, people: People, window: Open, flow: str, echo: Json, first: str
) -> None:
    one, other, away = await window().connect(), await window().connect(), await window().connect()
    await away.drop()
    away.nodes[first]["label"] = "Typed on the train"
    one.nodes[first]["label"] = "Typed"
    await eventually(lambda: label_of(other, first) == "Typed")

    answer = await api.post(f"/flows/{flow}/draft/discard", headers=people.bob.headers)

    assert answer.status_code == 200
    assert [await one.closed(), await other.closed()] == [4410, 4410]
    await away.open()
    assert await away.closed() == 4410
    fresh = await window().connect()
    assert label_of(fresh, first) == echo["nodes"][0]["label"]
    assert sorted(fresh.nodes.keys()) == sorted(node["id"] for node in echo["nodes"])
