"""What is too much, too slow, too many or nonsense ends its own socket, and nobody else's."""

import asyncio
import gc
import random
import time
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import websockets
from api_flow_calls import create
from api_sync_clients import FRAME_HEADROOM, Client, eventually, served
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Json, Open
from fastapi import FastAPI, WebSocket
from people import People
from pycrdt import Map, create_sync_message
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scaiflow_api.domains.sync import awareness
from scaiflow_api.domains.sync.draft_log import Place
from scaiflow_api.domains.sync.protocol import awareness_frame, update_frame
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.settings import Sync

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGE, DOCUMENT, OUTBOUND, AWARENESS = 20_000, 100_000, 60_000, 15_000


@pytest.fixture(scope="module")
def sync() -> Sync:
    return Sync(
        poll_s=0.1,
        idle_s=0.2,
        findings_delay_s=3600,
        max_message_bytes=MESSAGE,
        max_document_bytes=DOCUMENT,
        max_outbound_bytes=OUTBOUND,
        max_awareness_bytes=AWARENESS,
        max_peers=3,
        opening_timeout_s=1.5,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def warm(url: str, api: httpx.AsyncClient, people: People, echo: Json) -> None:
    """Start the process that holds drafts: it takes its time, which here is short."""
    flow = str((await create(api, people.bob.headers, echo))["id"])
    async with asyncio.timeout(10):
        while True:
            client = Client(url, flow, people.bob)
            await client.open()
            with suppress(TimeoutError):
                await asyncio.wait_for(client.synced.wait(), 2)
                await client.drop()
                return
            await client.drop()


async def test_a_message_that_is_too_large(window: Open) -> None:
    one, other = await window().connect(), await window().connect()
    await one.send(update_frame(bytes(MESSAGE)))
    assert await one.closed() == 4413

    # After any code of its own the server would be sent the same again and again.
    for frames in (bytes(MESSAGE + FRAME_HEADROOM + 1), [bytes(MESSAGE)] * 2):
        one = await window().connect()
        with suppress(websockets.ConnectionClosed):
            await one.send(frames)
        assert await one.closed() == 4413

    one = await window().connect()
    one.say({"at": "x" * AWARENESS})
    assert await one.closed() == 4413
    other.nodes["node_new"] = Map({"id": "node_new"})
    await eventually(lambda: "node_new" in other.nodes)


async def test_who_repeats_what_others_say_may_say_more(window: Open) -> None:
    """As y-websocket's clients do: one person could have sent all others away, and a crowd any newcomer."""
    others, echo = [await window().connect() for _ in range(2)], await window().connect()
    for other in others:
        other.say({"at": "x" * (AWARENESS * 6 // 10)})
    await eventually(lambda: len(echo.states) == len(others))

    entries = [awareness.Entry(client, 1, orjson.dumps(state)) for client, state in echo.states.items()]
    await echo.send(awareness_frame(awareness.written(entries)))
    echo.say({"at": 1})
    await eventually(lambda: echo.doc.client_id in others[0].states)


async def test_a_draft_that_becomes_too_large_and_that_a_large_one_can_be_joined(window: Open) -> None:
    one = await window().connect()
    before = len(one.nodes)
    with suppress(AssertionError):
        for number in range(DOCUMENT // 15_000 + 3):
            one.nodes[f"node_{number}"] = Map({"id": f"node_{number}", "text": "x" * 15_000})
    assert await one.closed() == 4413

    for _ in range(2):
        other = await window().connect()
        stored = len(other.nodes) - before
        assert stored * 15_000 > OUTBOUND
        assert stored * 15_000 < DOCUMENT
        # To make room is always possible.
        del other.nodes[next(name for name in other.nodes if "text" in other.nodes[name])]
        await other.drop()


async def test_a_draft_whose_history_is_large_goes_on(window: Open) -> None:
    one, other = await window().connect(), await window().connect()
    one.nodes["node_x"] = Map({"id": "node_x"})
    for number in range(20):
        one.nodes["node_x"]["text"] = f"{number} " + "x" * 15_000
        await eventually(
            lambda number=number: (
                "node_x" in other.nodes and (other.nodes["node_x"].get("text") or "").startswith(f"{number} ")
            )
        )


async def test_one_too_many_is_told_to_try_again(window: Open) -> None:
    for _ in range(3):
        await window().connect()
    late = window()
    await late.open()
    assert await late.closed() == 4529


async def test_who_does_not_say_what_it_has_is_closed_whatever_else_it_says(
    url: str, flow_id: str, people: People
) -> None:
    began = time.monotonic()
    async with websockets.connect(f"{url}/flows/{flow_id}/sync?token={people.bob.token()}") as socket:
        with suppress(websockets.ConnectionClosed):
            while time.monotonic() - began < 5:
                entry = awareness.Entry(5, int((time.monotonic() - began) * 100), b"{}")
                await socket.send(awareness_frame(awareness.written([entry])))
                await asyncio.sleep(0.05)
        assert socket.close_code == 1013
    assert 1.4 < time.monotonic() - began < 4


async def test_who_does_not_read_is_cut_off_and_slows_nobody(
    url: str, flow_id: str, people: People, window: Open, rooms: Rooms
) -> None:
    one, other = await window().connect(), await window().connect()
    closed = rooms.counters.closed[1013]
    stalled = await websockets.connect(
        f"{url}/flows/{flow_id}/sync?token={people.bob.token()}", max_queue=1, compression=None
    )
    await stalled.send(create_sync_message(one.doc))
    stalled.transport.pause_reading()
    slowest = 0.0
    for number in range(2_000):
        began = time.monotonic()
        one.say({"at": number, "much": "x" * (AWARENESS - 200)}, clock=number + 1)
        await eventually(
            lambda number=number: (other.states.get(one.doc.client_id) or {}).get("at") == number
        )
        slowest = max(slowest, time.monotonic() - began)
        if rooms.counters.closed[1013] > closed:
            break
    assert rooms.counters.closed[1013] == closed + 1
    assert slowest < 1
    (room,) = [room for room in rooms._rooms.values() if room.place.flow_id == flow_id]
    await eventually(lambda: len(room.peers) == 2)
    stalled.transport.abort()


GARBAGE = [
    b"",
    b"\x00",
    b"\x04",
    b"\x63\x01",
    b"\x00\x03\x00",
    b"\x00\x02\x05\x01",
    b"\x00\x02\x02\x00\x00\x00",
    b"\x00\x00\x02\x00\x00",
    b"\x01\x05\x01",
    b"\x01\x03\x01\x05\x01",
    b"\x01\x04\x01\x05\x01\x00",
    b"\xff" * 12,
    b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x02\x00\x01x",
    awareness_frame(awareness.written([awareness.Entry(1, 1, b"[1]")])),
    awareness_frame(awareness.written([awareness.Entry(1, 1, b"{")])),
    update_frame(b"\x01\x01\x05\x00"),
    update_frame(b"\x01" + b"\x80" * 30),
    update_frame(b"\x01\x01\x07\x00\x08\x01\x04flow\x01x" + b"u\x01" * 5_000 + b"~\x00"),
    "text",
]


@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
async def test_nonsense_closes_its_own_socket(window: Open, frame: Any) -> None:
    one, other = await window().connect(), await window().connect()

    await one.send(frame)

    assert await one.closed() == 4400
    other.nodes["node_new"] = Map({"id": "node_new"})
    third = await window().connect()
    await eventually(lambda: "node_new" in third.nodes)


async def test_any_bytes_end_at_most_their_own_socket(window: Open, rooms: Rooms) -> None:
    """Good frames with some bytes changed: whatever they do, the others go on and agree."""
    chance = random.Random(11)
    one, attacker = await window().connect(), await window().connect()
    good = [create_sync_message(one.doc), awareness_frame(b"\x01\x05\x01\x02{}"), b"\x03"]
    updates: list[bytes] = []
    watch = attacker.doc.observe(lambda event: updates.append(update_frame(event.update)))
    for number in range(5):
        attacker.nodes[f"node_{number}"] = Map({"id": f"node_{number}"})
        attacker.nodes[f"node_{number}"]["label"] = "x"
    del attacker.nodes["node_3"]
    attacker.doc.unobserve(watch)
    for _ in range(400):
        frame = bytearray(chance.choice(good + updates))
        for _ in range(chance.randint(1, 3)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        try:
            await attacker.send(bytes(frame))
        except websockets.ConnectionClosed:
            await attacker.open()
        if chance.random() < 0.05:
            await asyncio.sleep(0.002)
    await attacker.drop()

    other = await window().connect()
    for writer, reader in ((one, other), (other, one)):
        name = f"node_of_{writer.doc.client_id}"
        writer.nodes[name] = Map({"id": name})
        await eventually(lambda name=name, reader=reader: name in reader.nodes)
    assert rooms.counters.closed[1012] == 0, "the room itself did not end"


async def test_an_idle_socket_keeps_nothing_of_how_it_came(window: Open, rooms: Rooms, flow_id: str) -> None:
    gc.collect()
    before = {id(found) for found in _left_of_handshakes()}
    await window().connect()
    assert [found for found in _left_of_handshakes() if id(found) not in before] == []
    (peer,) = rooms._rooms[Place("tnt_acme", flow_id)].peers
    assert not peer.admitted.caller.token


def _left_of_handshakes() -> list[object]:
    """Return what referred to itself would stay until the next search for garbage, so nothing is searched here."""
    return [found for found in gc.get_objects() if isinstance(found, WebSocket | HttpToolsProtocol)]


async def test_other_servers_than_ours_serve_it_too(
    app: FastAPI, flow_id: str, people: People, window: Open
) -> None:
    here = await window().connect()
    async with served(app, as_ours=False) as other_url:
        there = await Client(other_url, flow_id, people.bob).connect()
        there.flow["config"]["said"] = "hello"
        await eventually(lambda: here.content()["config"].get("said") == "hello")
        await there.send(b"nonsense")
        assert await there.closed() == 4400


async def test_the_counters_tell_of_all_that(rooms: Rooms) -> None:
    counters = rooms.counters
    assert counters.closed[4413] >= 1
    assert counters.updates_stored >= counters.commits > 0
    assert counters.bytes_received > 0
    assert counters.bytes_sent > 0
