"""Who may open a draft's socket, what they may do there, and that it ends when they may no longer."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
import websockets
from api_flow_calls import grant
from api_sync_clients import eventually
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Open, fixture
from mirror import change_user, mirror
from people import People, Person
from pycrdt import Map
from sqlalchemy import delete, update

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.db.models.group import Membership
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.resources import Resources

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN_S = 5.0
NINA = Person("usr_nina", "tnt_acme")


async def code_of(url: str, flow_id: str, query: str = "", **options: Any) -> int:
    """Open a socket; return the code that it is closed with at once."""
    async with websockets.connect(f"{url}/flows/{flow_id}/sync{query}", **options) as socket:
        await asyncio.wait_for(socket.wait_closed(), WITHIN_S)
        assert socket.close_code is not None
        return socket.close_code


async def regrant(resources: Resources, flow_id: str, level: str) -> None:
    async with resources.db.write() as session:
        await session.execute(update(FlowAcl).where(FlowAcl.flow_id == flow_id).values(level=level))


async def test_without_a_good_token_nobody_comes_in(url: str, flow_id: str, people: People) -> None:
    assert await code_of(url, flow_id) == 4401
    assert await code_of(url, flow_id, "?token=none") == 4401
    assert await code_of(url, flow_id, f"?token={people.bob.token(exp=1_700_000_000)}") == 4401
    assert await code_of(url, flow_id, f"?token={people.bob.token(aud='somebody')}") == 4401


async def test_a_flow_that_one_may_not_see_is_closed_to_one(url: str, flow_id: str, people: People) -> None:
    assert await code_of(url, flow_id, f"?token={people.erin.token()}") == 4403
    assert await code_of(url, flow_id, f"?token={people.nobody.token()}") == 4403
    assert await code_of(url, flow_id, f"?token={people.dave.token()}") == 4404  # of another tenant
    assert await code_of(url, "flow_nowhere", f"?token={people.bob.token()}") == 4404
    assert await code_of(url, "flow%00", f"?token={people.bob.token()}") == 4404


async def test_a_refusal_is_in_the_audit_log(
    url: str, api: httpx.AsyncClient, flow_id: str, people: People
) -> None:
    assert await code_of(url, flow_id, f"?token={people.erin.token()}") == 4403

    rows = await api.get(f"/flows/{flow_id}/audit", headers=people.bob.headers)
    denied = [row for row in rows.json()["events"] if row["action"] == "access.denied"]
    assert [(row["actor_id"], row["details"]["method"]) for row in denied] == [("usr_erin", "WEBSOCKET")]


async def test_a_token_may_come_in_any_of_three_ways(url: str, flow_id: str, people: People) -> None:
    token = people.bob.token()
    for query, options, chosen in (
        (f"?token={token}", {}, None),
        (f"?access_token={token}", {}, None),
        ("", {"subprotocols": ["scaiflow.sync.v1", f"bearer.{token}"]}, "scaiflow.sync.v1"),
        ("", {"additional_headers": people.bob.headers}, None),
    ):
        async with websockets.connect(f"{url}/flows/{flow_id}/sync{query}", **options) as socket:
            assert socket.subprotocol == chosen
            await socket.send(b"\x00\x00\x01\x00")
            answer = await asyncio.wait_for(socket.recv(), WITHIN_S)
            assert answer[:2] == b"\x00\x01"


async def test_the_token_is_in_no_log(
    url: str, flow_id: str, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    token = people.bob.token()
    before = logging.getLogger().handlers, logging.getLogger().level
    configure_logging("DEBUG")
    try:
        async with websockets.connect(f"{url}/flows/{flow_id}/sync?token={token}&other=x1y2") as socket:
            await socket.send(b"\x00\x00\x01\x00")
            await asyncio.wait_for(socket.recv(), WITHIN_S)
        assert await code_of(url, flow_id, "?token=x1y2") == 4401
        assert await code_of(url, flow_id, subprotocols=["scaiflow.sync.v1", "bearer.x1y2"]) == 4401
    finally:
        logging.getLogger().handlers, level = before
        logging.getLogger().setLevel(level)
    lines = [line for line in capsys.readouterr().err.splitlines() if "websockets.client" not in line]
    ours = [line for line in lines if '"logger":"uvicorn' in line or '"logger":"scaiflow' in line]
    assert any(flow_id in line for line in ours)
    for line in ours:
        assert token not in line
        assert "token=" not in line


async def test_who_may_only_view_receives_and_is_told_that_its_change_was_not_taken(
    window: Open, resources: Resources, flow_id: str, people: People, rooms: Rooms
) -> None:
    await grant(resources, flow_id, people.erin.id, "view")
    await grant(resources, flow_id, people.carol.id, "admin")  # whose token only lets her look
    writer = await window().connect()
    refused = rooms.counters.updates_refused
    for viewer in (await window(people.erin).connect(), await window(people.carol).connect()):
        assert viewer.refusals == []
        writer.nodes["node_seen"] = Map({"id": "node_seen"})
        await eventually(lambda viewer=viewer: "node_seen" in viewer.nodes)
        del writer.nodes["node_seen"]
        await eventually(lambda viewer=viewer: "node_seen" not in viewer.nodes)

        viewer.nodes["node_refused"] = Map({"id": "node_refused"})
        await eventually(lambda viewer=viewer: len(viewer.refusals) == 1)
        assert viewer.refusals[0][:2] == b"\x02\x00"

        # What it did while it was away is refused too; that it repeats what is deleted is no change.
        await viewer.drop()
        viewer.refusals.clear()
        await viewer.connect()
        await eventually(lambda viewer=viewer: len(viewer.refusals) == 1)
    fresh = await window(people.erin).connect()
    writer.nodes["node_last"] = Map({"id": "node_last"})
    await eventually(lambda: "node_last" in fresh.nodes)
    await fresh.drop()
    await fresh.connect()
    writer.nodes["node_really_last"] = Map({"id": "node_really_last"})
    await eventually(lambda: "node_really_last" in fresh.nodes)
    assert fresh.refusals == []
    assert "node_refused" not in writer.nodes
    assert rooms.counters.updates_refused == refused + 4


async def test_a_level_that_changes_counts_on_open_sockets(
    window: Open, resources: Resources, flow_id: str, people: People
) -> None:
    await grant(resources, flow_id, people.erin.id, "edit")
    owner, editor = await window().connect(), await window(people.erin).connect()
    editor.nodes["node_one"] = Map({"id": "node_one"})
    await eventually(lambda: "node_one" in owner.nodes)

    await regrant(resources, flow_id, "view")
    async with asyncio.timeout(WITHIN_S):
        while not editor.refusals:
            editor.nodes["node_one"]["label"] = "again"
            await asyncio.sleep(0.02)
    await regrant(resources, flow_id, "edit")
    # It is asked for what was refused: all that it changes builds upon that.
    await eventually(lambda: owner.nodes["node_one"].get("label") == "again")
    editor.nodes["node_two"] = Map({"id": "node_two"})
    await eventually(lambda: "node_two" in owner.nodes)
    async with resources.db.write() as session:
        await session.execute(delete(FlowAcl).where(FlowAcl.flow_id == flow_id))
    assert await editor.closed() == 4403
    owner.nodes["node_last"] = Map({"id": "node_last"})  # nobody else is disturbed
    await asyncio.sleep(0.15)
    assert "node_last" in owner.nodes


async def test_whoever_leaves_the_group_of_a_grant_leaves_the_room(
    window: Open, resources: Resources, flow_id: str, people: People
) -> None:
    olga = Person("usr_olga", "tnt_acme")
    await mirror(resources.db, "tnt_acme", users=[olga.id], groups={"grp_sync": [olga.id]})
    await grant(resources, flow_id, "grp_sync", "view")
    member = await window(olga).connect()

    async with resources.db.write() as session:
        left = update(Membership).where(Membership.user_id == olga.id)
        await session.execute(left.values(deleted_at=resources.clock.now()))

    assert await member.closed() == 4403


async def test_a_suspended_account_is_put_out(
    window: Open, resources: Resources, flow_id: str, people: People
) -> None:
    frank = Person("usr_frank", "tnt_acme")
    await grant(resources, flow_id, frank.id, "edit")
    client = await window(frank).connect()

    await change_user(resources.db, "tnt_acme", frank.id, status="SUSPENDED")

    assert await client.closed() == 4401


async def test_a_role_that_is_taken_away_is_judged_anew(
    window: Open, resources: Resources, people: People
) -> None:
    boss = Person("usr_boss", "tnt_acme")
    await mirror(resources.db, "tnt_acme", users=[boss.id])
    await change_user(resources.db, "tnt_acme", boss.id, manual_role="tenant_admin")
    client = await window(boss).connect()

    await change_user(resources.db, "tnt_acme", boss.id, manual_role=None)

    assert await client.closed() == 1012
    await asyncio.sleep(0)
    await client.open()
    # The standing of a request may be five seconds old, that of an open socket is not.
    assert await client.closed() in (1012, 4403)


async def test_a_token_that_ends_ends_the_socket(window: Open, resources: Resources, people: People) -> None:
    client = window()
    soon = resources.clock.now() + timedelta(seconds=1)
    client.token = people.bob.token(exp=int(soon.timestamp()))
    await client.connect()

    assert await client.closed() == 4401


async def test_a_deleted_flow_is_closed_to_all(
    window: Open, api: httpx.AsyncClient, flow_id: str, people: People
) -> None:
    one, other = await window().connect(), await window(people.alice).connect()

    answer = await api.delete(f"/flows/{flow_id}", headers=people.bob.headers)

    assert answer.status_code == 204
    assert {await one.closed(), await other.closed()} == {4409}
    await one.open()
    assert await one.closed() == 4404


@fixture
async def named(resources: Resources, flow_id: str) -> None:
    await mirror(resources.db, "tnt_acme", users=[NINA.id])
    await change_user(resources.db, "tnt_acme", NINA.id, display_name="Nina Example")
    await grant(resources, flow_id, NINA.id, "view")


@pytest.mark.usefixtures("named")
async def test_names_come_from_the_token_and_a_client_speaks_for_itself_alone(
    window: Open,
) -> None:
    bob, nina = await window().connect(), await window(NINA).connect()
    me = nina.doc.client_id
    nina.say({"user": {"name": "Bob", "id": "usr_bob", "color": "#a4ff32"}, "cursor": [1, 2]})

    shown = {"name": "Nina Example", "id": "usr_nina", "color": "#a4ff32"}
    await eventually(lambda: bob.states.get(me) == {"user": shown, "cursor": [1, 2]})
    late = await window().connect()
    await eventually(lambda: me in late.states)

    bob.say({"user": {}}, client=me, clock=99)  # for another
    bob.say(None, client=me, clock=100)
    bob.say({"at": 1})
    await eventually(lambda: bob.doc.client_id in nina.states)
    assert late.states[me] == {"user": shown, "cursor": [1, 2]}

    await nina.drop()
    await eventually(lambda: bob.states[me] is None)
    assert bob.states[bob.doc.client_id] == {"at": 1, "user": {"id": "usr_bob", "name": "Bob"}}


async def test_who_comes_back_before_the_old_socket_is_gone_keeps_its_client_id(window: Open) -> None:
    bob, other = await window().connect(), await window().connect()
    me = bob.doc.client_id
    bob.say({"at": 1}, clock=1)
    await eventually(lambda: me in other.states)
    again = window()
    again.states = {}
    await again.connect()

    again.say({"at": 2}, clock=2, client=me)
    await eventually(lambda: (other.states[me] or {}).get("at") == 2)
    await bob.drop()  # the old one: the client goes on living
    await asyncio.sleep(0.05)
    assert (other.states[me] or {}).get("at") == 2


async def test_awareness_is_asked_for(window: Open) -> None:
    bob = await window().connect()
    bob.say({"at": 1})
    other = await window().connect()
    await eventually(lambda: bob.doc.client_id in other.states)
    other.states.clear()
    await other.send(b"\x03")
    await eventually(lambda: bob.doc.client_id in other.states)
