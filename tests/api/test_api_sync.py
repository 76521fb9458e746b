"""Editing together, over real sockets."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from api_flow_calls import create
from api_sync_clients import Client, eventually, served
from fastapi import FastAPI
from people import People, Person
from pycrdt import Map

from scaiflow_api.settings import Settings, Sync

Json = dict[str, Any]
Open = Callable[..., Client]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Impatient, so that nobody has to wait."""
    return settings.model_copy(update={"sync": Sync(poll_s=0.1, findings_delay_s=0.02, idle_s=0.2)})


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    async with served(app) as address:
        yield address


@pytest.fixture
async def flow_id(api: httpx.AsyncClient, people: People, echo: Json) -> str:
    return str((await create(api, people.bob.headers, echo))["id"])


@pytest.fixture
async def window(url: str, flow_id: str, people: People) -> AsyncIterator[Open]:
    """Make a client of the flow: bob's, unless somebody else is named."""
    clients: list[Client] = []

    def open_window(person: Person = people.bob, flow: str = flow_id, **options: Any) -> Client:
        clients.append(Client(url, flow, person, **options))
        return clients[-1]

    yield open_window
    for client in clients:
        await client.drop()


async def test_a_newcomer_sees_the_flow_and_each_change_reaches_the_others(window: Open, echo: Json) -> None:
    one, other = await window().connect(), await window().connect()
    assert set(one.nodes) == {node["id"] for node in echo["nodes"]}

    one.nodes["node_new"] = Map({"id": "node_new", "label": "New"})
    await eventually(lambda: "node_new" in other.nodes)
    other.nodes["node_new"]["label"] = "Newer"
    await eventually(lambda: one.nodes["node_new"]["label"] == "Newer")

    third = await window().connect()
    assert third.content() == one.content() == other.content()


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
