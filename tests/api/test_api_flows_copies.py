"""Copying a flow, and giving one away."""

import asyncio

import httpx
import pytest
from api_flow_calls import Json, create, grant, numbers
from api_refusals import refused
from people import People
from sqlalchemy import select, update

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.db.models.user import User
from scaiflow_api.resources import Resources


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json) -> str:
    """A flow that bob owns, in two versions."""
    flow_id: str = (await create(api, people.bob.headers, echo, description="mine"))["id"]
    await api.put(f"/flows/{flow_id}", json={"content": echo}, headers=people.bob.headers)
    return flow_id


class TestDuplicate:
    """POST /v1/flows/{id}/duplicate."""

    async def test_a_viewer_gets_an_own_flow_that_begins_anew(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, echo: Json
    ) -> None:
        await grant(resources, flow, "usr_erin", "view")
        headers = people.erin.headers

        answer = await api.post(f"/flows/{flow}/duplicate", headers=headers)

        assert answer.status_code == 201, answer.text
        copy = answer.json()
        assert copy["id"] != flow
        assert (copy["owner_id"], copy["tenant_id"]) == ("usr_erin", "tnt_acme")
        assert (copy["name"], copy["description"]) == ("Echo Agent (copy)", "mine")
        assert copy["content"] == {**echo, "id": copy["id"], "name": copy["name"], "version": "1.0.0"}
        assert await numbers(api, headers, copy["id"]) == ["1.0.0"]
        (version,) = (await api.get(f"/flows/{copy['id']}/versions", headers=headers)).json()
        assert (version["author_id"], version["message"]) == (
            "usr_erin",
            "Copy of 'Echo Agent', version 1.0.1",
        )
        hidden = await api.get(f"/flows/{copy['id']}", headers=people.bob.headers)
        assert hidden.status_code == 404, "grants are not copied"

    async def test_a_name_can_be_given_and_a_long_one_is_cut(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        headers = people.bob.headers
        named = await api.post(f"/flows/{flow}/duplicate", json={"name": " Mine "}, headers=headers)
        assert named.json()["name"] == "Mine"
        long = await api.post(f"/flows/{flow}/duplicate", json={"name": "n" * 200}, headers=headers)
        again = await api.post(f"/flows/{long.json()['id']}/duplicate", headers=headers)
        assert again.json()["name"] == "n" * 193 + " (copy)"
        empty = await api.post(f"/flows/{flow}/duplicate", json={"name": " "}, headers=headers)
        assert refused(empty) == (422, "invalid_request")

    @pytest.mark.parametrize(
        ("who", "outcome"),
        [
            ("erin", (404, "flow_not_found")),
            ("dave", (404, "flow_not_found")),
            ("carol", (403, "permission_denied")),
        ],
    )
    async def test_who_may_not(
        self, api: httpx.AsyncClient, people: People, flow: str, who: str, outcome: tuple[int, str]
    ) -> None:
        headers = getattr(people, who).headers
        answer = await api.post(f"/flows/{flow}/duplicate", headers=headers)

        assert refused(answer) == outcome
        assert (await api.get("/flows", headers=headers)).json()["total"] == 0

    async def test_a_super_admins_copy_lands_in_its_own_tenant(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        copy = (await api.post(f"/flows/{flow}/duplicate", headers=people.root.headers)).json()

        assert (copy["owner_id"], copy["tenant_id"]) == ("usr_root", "tnt_platform")


async def meet(api: httpx.AsyncClient, *headers: dict[str, str]) -> None:
    """Let people sign in for the first time, so that the mirror knows them."""
    for known in headers:
        assert (await api.get("/me", headers=known)).status_code == 200


class TestTransfer:
    """POST /v1/flows/{id}/transfer."""

    async def grants(self, resources: Resources, flow: str) -> list[tuple[str, str, str]]:
        async with resources.db.read() as session:
            rows = await session.scalars(select(FlowAcl).where(FlowAcl.flow_id == flow))
            return sorted((row.principal_id, row.level, row.granted_by) for row in rows)

    async def test_the_new_owner_owns_it_and_the_old_one_keeps_a_grant(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await meet(api, people.erin.headers)
        await grant(resources, flow, "usr_erin", "view")
        await grant(resources, flow, "grp_eng", "view")
        before = await api.get(f"/flows/{flow}", headers=people.bob.headers)

        answer = await api.post(
            f"/flows/{flow}/transfer", json={"owner_id": "usr_erin"}, headers=people.bob.headers
        )

        assert answer.status_code == 200, answer.text
        assert (answer.json()["owner_id"], answer.json()["version"]) == ("usr_erin", "1.0.1")
        assert await self.grants(resources, flow) == [
            ("grp_eng", "view", "usr_bob"),
            ("usr_bob", "admin", "usr_bob"),
        ]
        after = await api.get(f"/flows/{flow}", headers=people.bob.headers)
        assert after.json()["owner_id"] == "usr_erin"
        assert after.headers["etag"] != before.headers["etag"]
        back = await api.post(
            f"/flows/{flow}/transfer", json={"owner_id": "usr_bob"}, headers=people.bob.headers
        )
        assert refused(back) == (403, "insufficient_acl"), "a grant of admin is not enough"
        assert (back.json()["detail"]["needed"], back.json()["detail"]["held"]) == ("owner", "admin")

    async def test_a_condition_that_no_longer_holds_leaves_it_where_it_is(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await meet(api, people.erin.headers)
        path, body, bob = f"/flows/{flow}/transfer", {"owner_id": "usr_erin"}, people.bob.headers
        seen = (await api.get(f"/flows/{flow}", headers=bob)).headers["etag"]
        renamed = await api.put(f"/flows/{flow}", json={"name": "Renamed"}, headers=bob)

        stale = await api.post(path, json=body, headers={**bob, "If-Match": seen})
        owner = (await api.get(f"/flows/{flow}", headers=bob)).json()["owner_id"]
        fresh = await api.post(path, json=body, headers={**bob, "If-Match": renamed.headers["etag"]})

        assert refused(stale) == (412, "version_conflict")
        assert owner == "usr_bob"
        assert (fresh.status_code, fresh.json()["owner_id"]) == (200, "usr_erin")

    async def test_there_and_back_leaves_one_grant(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await meet(api, people.erin.headers)
        for owner, giver in (("usr_erin", people.bob), ("usr_bob", people.erin)):
            given = await api.post(f"/flows/{flow}/transfer", json={"owner_id": owner}, headers=giver.headers)
            assert given.status_code == 200

        assert await self.grants(resources, flow) == [("usr_erin", "admin", "usr_erin")]

    @pytest.mark.parametrize(
        ("who", "level", "outcome"),
        [
            ("alice", None, None),
            ("root", None, None),
            ("erin", "admin", (403, "insufficient_acl")),
            ("erin", "deploy", (403, "insufficient_acl")),
            ("erin", None, (404, "flow_not_found")),
            ("dave", "admin", (404, "flow_not_found")),
        ],
    )
    async def test_who_may(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        who: str,
        level: str | None,
        outcome: tuple[int, str] | None,
    ) -> None:
        person = getattr(people, who)
        await meet(api, people.carol.headers)
        if level is not None:
            await grant(resources, flow, person.id, level)

        answer = await api.post(
            f"/flows/{flow}/transfer", json={"owner_id": "usr_carol"}, headers=person.headers
        )

        assert answer.status_code == 200 if outcome is None else refused(answer) == outcome
        owner = (await api.get(f"/flows/{flow}", headers=people.alice.headers)).json()["owner_id"]
        assert owner == ("usr_carol" if outcome is None else "usr_bob")

    @pytest.mark.parametrize("target", ["usr_ghost", "usr_dave", "usr_suspended", "usr_gone"])
    async def test_the_new_owner_is_an_active_user_of_the_same_tenant(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, target: str
    ) -> None:
        await meet(api, people.dave.headers)
        now = resources.clock.now()
        async with resources.db.write() as session:
            for name, status, gone in (("suspended", "SUSPENDED", None), ("gone", "ACTIVE", now)):
                session.add(
                    User(
                        tenant_id="tnt_acme",
                        id=f"usr_{name}",
                        status=status,
                        created_at=now,
                        deleted_at=gone,
                    )
                )

        answer = await api.post(
            f"/flows/{flow}/transfer", json={"owner_id": target}, headers=people.bob.headers
        )

        assert refused(answer) == (404, "owner_not_found")
        assert await self.grants(resources, flow) == []

    async def test_to_the_owner_itself_changes_nothing(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        headers = people.bob.headers
        tag = (await api.get(f"/flows/{flow}", headers=headers)).headers["etag"]
        async with resources.db.write() as session:
            await session.execute(update(User).where(User.id == "usr_bob").values(status="SUSPENDED"))

        answer = await api.post(
            f"/flows/{flow}/transfer", json={"owner_id": "usr_bob"}, headers=people.alice.headers
        )

        assert answer.json()["owner_id"] == "usr_bob"
        again = await api.get(f"/flows/{flow}", headers={**people.alice.headers, "If-None-Match": tag})
        assert again.status_code == 304
        assert await self.grants(resources, flow) == []

    async def test_of_many_at_once_the_owner_gives_once(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await meet(api, people.erin.headers, people.carol.headers)
        owners = ["usr_erin", "usr_carol"] * 6

        answers = await asyncio.gather(
            *(
                api.post(f"/flows/{flow}/transfer", json={"owner_id": owner}, headers=people.bob.headers)
                for owner in owners
            )
        )

        given = [answer for answer in answers if answer.status_code == 200]
        assert len({answer.json()["owner_id"] for answer in given}) == 1, "then bob is no longer the owner"
        assert len(given) == 6, "who asks for what is done already is told so"
        assert {refused(answer) for answer in answers if answer not in given} == {(403, "insufficient_acl")}
        assert await self.grants(resources, flow) == [("usr_bob", "admin", "usr_bob")]
        now = (await api.get(f"/flows/{flow}", headers=people.alice.headers)).json()
        assert now["owner_id"] == given[0].json()["owner_id"]

    async def test_administrators_give_one_after_the_other(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await meet(api, people.erin.headers, people.carol.headers)

        answers = await asyncio.gather(
            *(
                api.post(f"/flows/{flow}/transfer", json={"owner_id": owner}, headers=people.alice.headers)
                for owner in ["usr_erin", "usr_carol"] * 6
            )
        )

        assert {answer.status_code for answer in answers} == {200}
        now = (await api.get(f"/flows/{flow}", headers=people.alice.headers)).json()["owner_id"]
        kept = {principal: level for principal, level, _ in await self.grants(resources, flow)}
        assert set(kept.values()) == {"admin"}
        assert set(kept) == {"usr_bob", "usr_erin", "usr_carol"} - {now}
