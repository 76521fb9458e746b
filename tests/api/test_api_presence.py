"""Who else has a flow open: heartbeats, and that only those who may view the flow see and are seen."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_apps import shared_app
from api_flow_calls import Json, create, grant
from api_refusals import refused
from mirror import SYNCED, change_user, mirror
from people import People, Person
from sqlalchemy import delete, update

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.db.models.group import Membership
from scaiflow_api.live import open_presence
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json, resources: Resources) -> str:
    """A flow of bob's that erin may view."""
    await mirror(resources.db, "tnt_acme", users=["usr_bob", "usr_erin", "usr_carol"])
    flow_id = str((await create(api, people.bob.headers, echo))["id"])
    await grant(resources, flow_id, "usr_erin", "view")
    return flow_id


async def beat(api: httpx.AsyncClient, flow: str, who: Person, **body: Any) -> httpx.Response:
    told = {"display_name": who.id[4:].title(), "color": "#a4ff32", **body}
    return await api.post(f"/flows/{flow}/presence/heartbeat", json=told, headers=who.headers)


async def names(api: httpx.AsyncClient, flow: str, who: Person) -> list[str]:
    answer = await api.get(f"/flows/{flow}/presence", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return [peer["display_name"] for peer in answer.json()["peers"]]


async def test_the_others_see_a_heartbeat_and_its_sender_does_not(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    told = await beat(api, flow, people.bob, display_name=" Bob ", color="#3284FF")
    assert (told.status_code, told.content) == (204, b"")
    assert not {"content-type", "content-length"} & set(told.headers)

    seen = await api.get(f"/flows/{flow}/presence", headers=people.erin.headers)
    assert seen.json() == {
        "peers": [
            {"user_id": "usr_bob", "display_name": "Bob", "color": "#3284FF", "last_seen_ago_s": 0},
        ]
    }
    assert await names(api, flow, people.bob) == []


async def test_peers_are_listed_by_name(api: httpx.AsyncClient, people: People, flow: str) -> None:
    for who in (people.erin, people.alice, people.bob):
        await beat(api, flow, who)

    assert await names(api, flow, people.root) == ["Alice", "Bob", "Erin"]


async def test_a_person_who_leaves_is_gone(api: httpx.AsyncClient, people: People, flow: str) -> None:
    await beat(api, flow, people.bob)
    left = await api.delete(f"/flows/{flow}/presence", headers=people.bob.headers)

    assert (left.status_code, left.content) == (204, b"")
    assert await names(api, flow, people.erin) == []


@pytest.mark.parametrize(
    "body",
    [
        {"display_name": ""},
        {"display_name": "  "},
        {"display_name": "x" * 101},
        {"display_name": "a\nb"},
        {"display_name": "a\x00"},
        {"display_name": "a\x9b"},
        {"display_name": None},
        {"color": "red"},
        {"color": "#a4ff3"},
        {"color": "#a4ff32;"},
        {"color": "#a4ff32\n"},
        {"color": "url(x)"},
        {"status": "typing"},
    ],
    ids=str,
)
async def test_what_a_canvas_could_not_draw_is_refused(
    api: httpx.AsyncClient, people: People, flow: str, body: Json
) -> None:
    assert refused(await beat(api, flow, people.bob, **body)) == (422, "invalid_request")
    assert await names(api, flow, people.erin) == []


async def test_a_name_that_is_no_text_is_refused(api: httpx.AsyncClient, people: People, flow: str) -> None:
    answer = await api.post(
        f"/flows/{flow}/presence/heartbeat",
        content=b'{"display_name": "\\ud800", "color": "#a4ff32"}',
        headers={**people.bob.headers, "Content-Type": "application/json"},
    )
    assert answer.status_code == 422


async def test_a_deleted_flow_shows_nobody(api: httpx.AsyncClient, people: People, flow: str) -> None:
    await beat(api, flow, people.bob)
    await api.delete(f"/flows/{flow}", headers=people.bob.headers)

    for who in (people.bob, people.erin, people.root):
        answer = await api.get(f"/flows/{flow}/presence", headers=who.headers)
        assert refused(answer) == (404, "flow_not_found")
        assert refused(await beat(api, flow, who)) == (404, "flow_not_found")


class TestLostAccess:
    """Somebody announced themselves, and within the half minute loses what let them in."""

    async def test_after_a_revoked_grant_nobody_sees_them(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await beat(api, flow, people.erin)
        assert await names(api, flow, people.bob) == ["Erin"]
        async with resources.db.write() as session:
            await session.execute(delete(FlowAcl).where(FlowAcl.flow_id == flow))

        assert await names(api, flow, people.bob) == []
        assert refused(await beat(api, flow, people.erin)) == (404, "flow_not_found")

    async def test_after_leaving_the_group_nobody_sees_them(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await mirror(resources.db, "tnt_acme", groups={"grp_ops": ["usr_carol"]})
        await grant(resources, flow, "grp_ops", "view")
        await beat(api, flow, people.carol)
        assert await names(api, flow, people.bob) == ["Carol"]
        async with resources.db.write() as session:
            await session.execute(update(Membership).values(deleted_at=SYNCED))

        assert await names(api, flow, people.bob) == []

    @pytest.mark.parametrize("change", [{"status": "SUSPENDED"}, {"deleted_at": SYNCED}], ids=str)
    async def test_after_the_account_was_closed_nobody_sees_them(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, change: Json
    ) -> None:
        await beat(api, flow, people.erin)
        await change_user(resources.db, "tnt_acme", "usr_erin", **change)

        assert await names(api, flow, people.bob) == []

    async def test_after_a_role_was_revoked_nobody_sees_them(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await beat(api, flow, people.alice)
        await beat(api, flow, people.root)
        assert await names(api, flow, people.bob) == ["Alice", "Root"]
        await change_user(resources.db, "tnt_acme", "usr_alice", manual_role=None)
        await change_user(resources.db, "tnt_platform", "usr_root", manual_role="tenant_admin")

        assert await names(api, flow, people.bob) == []

    async def test_after_the_flow_was_given_away_its_old_owner_needs_a_grant(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await beat(api, flow, people.bob)
        await api.post(f"/flows/{flow}/transfer", json={"owner_id": "usr_erin"}, headers=people.bob.headers)
        assert await names(api, flow, people.erin) == ["Bob"], "the old owner keeps a grant"
        async with resources.db.write() as session:
            await session.execute(delete(FlowAcl).where(FlowAcl.flow_id == flow))

        assert await names(api, flow, people.erin) == []


async def test_whose_groups_only_the_token_knows_is_seen(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    """ScaiKey has not told of oscar yet, so nothing here says that he is in the group."""
    oscar = Person("usr_oscar", "tnt_acme", groups=("grp_ops",))
    await grant(resources, flow, "grp_ops", "view")
    await beat(api, flow, oscar)

    assert await names(api, flow, people.bob) == ["Oscar"]


async def test_a_namesake_from_another_tenant_is_somebody_else(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    """A super admin looks in whose id is that of the owner."""
    namesake = Person("usr_bob", "tnt_platform")
    await mirror(resources.db, "tnt_platform", users=["usr_bob"])
    await change_user(resources.db, "tnt_platform", "usr_bob", manual_role="super_admin")
    await beat(api, flow, namesake, display_name="The operator")
    await beat(api, flow, people.bob)

    assert await names(api, flow, people.bob) == ["The operator"]
    assert await names(api, flow, namesake) == ["Bob"]


async def test_without_redis_only_presence_is_away(
    settings: Settings, resources: Resources, people: People, echo: Json
) -> None:
    presence = open_presence("redis://127.0.0.1:1/0")
    app = shared_app(settings, replace(resources, presence=presence))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
        flow = (await create(api, people.bob.headers, echo))["id"]

        for answer in (
            await beat(api, flow, people.bob),
            await api.get(f"/flows/{flow}/presence", headers=people.bob.headers),
            await api.delete(f"/flows/{flow}/presence", headers=people.bob.headers),
        ):
            assert refused(answer) == (503, "presence_unavailable")
            assert answer.headers["retry-after"] == "5"
        ready = await api.get("http://api.test/readyz")
        assert ready.status_code == 200
        assert ready.json()["optional"] == {"presence": "presence_unavailable"}
    await presence.close()
