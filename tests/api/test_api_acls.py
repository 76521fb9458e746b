"""Granting, changing and revoking access to a flow."""

import asyncio
from typing import Any

import httpx
import pytest
from api_refusals import refused
from mirror import SYNCED, change_user, mirror
from people import People, Person
from sqlalchemy import delete, update

from scaiflow_api.db.models.flow import Flow, FlowAcl
from scaiflow_api.db.models.group import Group, Membership
from scaiflow_api.domains.acls.repository import AclRepository
from scaiflow_api.resources import Resources

Json = dict[str, Any]


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, resources: Resources, echo: Json) -> str:
    """A flow that bob owns, in a tenant whose people and groups are known."""
    await mirror(
        resources.db,
        "tnt_acme",
        users=["usr_bob", "usr_carol", "usr_erin"],
        groups={"grp_eng": ["usr_bob"], "grp_ops": ["usr_carol"]},
    )
    await mirror(resources.db, "tnt_globex", users=["usr_dave"], groups={"grp_far": ["usr_dave"]})
    made = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    return str(made.json()["id"])


def to_user(user_id: str, level: str) -> Json:
    return {"principal_type": "user", "principal_id": user_id, "level": level}


def to_group(group_id: str, level: str) -> Json:
    return {"principal_type": "group", "principal_id": group_id, "level": level}


async def grant(api: httpx.AsyncClient, flow: str, by: Person, body: Json) -> Json:
    answer = await api.post(f"/flows/{flow}/acls", json=body, headers=by.headers)
    assert answer.status_code == 201, answer.text
    granted: Json = answer.json()
    return granted


async def test_a_grant_is_made_listed_changed_and_revoked(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    acls = f"/flows/{flow}/acls"
    assert (await api.get(acls, headers=people.bob.headers)).json() == []

    granted = await grant(api, flow, people.bob, to_user("usr_erin", "edit"))

    assert granted.pop("granted_at")
    acl_id = granted.pop("id")
    assert acl_id.startswith("acl_")
    assert granted == {
        "flow_id": flow,
        "principal_type": "user",
        "principal_id": "usr_erin",
        "level": "edit",
        "granted_by": "usr_bob",
    }
    assert [row["id"] for row in (await api.get(acls, headers=people.bob.headers)).json()] == [acl_id]
    body = {"name": "By Erin"}
    assert (await api.put(f"/flows/{flow}", json=body, headers=people.erin.headers)).status_code == 200

    changed = await api.patch(f"{acls}/{acl_id}", json={"level": "view"}, headers=people.alice.headers)
    assert (changed.status_code, changed.json()["level"], changed.json()["granted_by"]) == (
        200,
        "view",
        "usr_alice",
    )
    denied = await api.put(f"/flows/{flow}", json=body, headers=people.erin.headers)
    assert denied.json()["detail"] | {"trace_id": ""} == {
        "error": "insufficient_acl",
        "flow_id": flow,
        "needed": "edit",
        "held": "view",
        "message": "This needs 'edit' access to the flow; you hold 'view'.",
        "fix": "Ask the flow's owner, or an administrator of your tenant, for 'edit' access.",
        "trace_id": "",
    }

    revoked = await api.delete(f"{acls}/{acl_id}", headers=people.bob.headers)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert refused(await api.get(f"/flows/{flow}", headers=people.erin.headers)) == (404, "flow_not_found")
    assert (await api.get("/flows", headers=people.erin.headers)).json()["total"] == 0


@pytest.mark.parametrize("level", ["view", "edit", "deploy"])
async def test_managing_grants_needs_admin(
    api: httpx.AsyncClient, people: People, flow: str, level: str
) -> None:
    granted = await grant(api, flow, people.bob, to_user("usr_erin", level))
    acls = f"/flows/{flow}/acls"
    headers = people.erin.headers

    answers = [
        await api.get(acls, headers=headers),
        await api.post(acls, json=to_user("usr_carol", "view"), headers=headers),
        await api.patch(f"{acls}/{granted['id']}", json={"level": "admin"}, headers=headers),
        await api.delete(f"{acls}/{granted['id']}", headers=headers),
    ]

    for answer in answers:
        detail = answer.json()["detail"]
        assert (answer.status_code, detail["error"], detail["needed"], detail["held"]) == (
            403,
            "insufficient_acl",
            "admin",
            level,
        )


async def test_an_admin_of_the_flow_manages_grants_like_its_owner(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    await grant(api, flow, people.bob, to_user("usr_erin", "admin"))

    assert (await grant(api, flow, people.erin, to_group("grp_ops", "view")))["granted_by"] == "usr_erin"

    assert (await api.get(f"/flows/{flow}", headers=people.carol.headers)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (to_user("usr_erin", "owner"), 400, "invalid_level"),
        (to_user("usr_erin", "ADMIN"), 400, "invalid_level"),
        (to_user("usr_erin", ""), 400, "invalid_level"),
        ({**to_user("usr_erin", "view"), "principal_type": "role"}, 400, "invalid_principal_type"),
        (to_user("usr_nobody_knows", "view"), 404, "principal_not_found"),
        (to_user("grp_ops", "view"), 404, "principal_not_found"),
        (to_group("grp_unknown", "view"), 404, "principal_not_found"),
        (to_user("usr_dave", "view"), 404, "principal_not_found"),
        (to_group("grp_far", "view"), 404, "principal_not_found"),
        (to_user("USR_ERIN", "view"), 404, "principal_not_found"),
        (to_user("usr_bob", "view"), 409, "owner_holds_admin"),
        ({"principal_type": "user", "principal_id": "usr_erin"}, 422, "invalid_request"),
        (to_user("", "view"), 422, "invalid_request"),
        (to_user("usr\0erin", "view"), 422, "invalid_request"),
        (to_user("u" * 129, "view"), 422, "invalid_request"),
        ({**to_user("usr_erin", "view"), "until": "tomorrow"}, 422, "invalid_request"),
    ],
)
async def test_a_bad_grant_is_refused_and_leaves_nothing(
    api: httpx.AsyncClient, people: People, flow: str, body: Json, status: int, error: str
) -> None:
    acls = f"/flows/{flow}/acls"

    assert refused(await api.post(acls, json=body, headers=people.bob.headers)) == (status, error)

    assert (await api.get(acls, headers=people.bob.headers)).json() == []


async def test_a_second_grant_points_at_the_first(api: httpx.AsyncClient, people: People, flow: str) -> None:
    first = await grant(api, flow, people.bob, to_group("grp_ops", "view"))

    answer = await api.post(
        f"/flows/{flow}/acls", json=to_group("grp_ops", "edit"), headers=people.bob.headers
    )

    assert refused(answer) == (409, "acl_exists")
    detail = answer.json()["detail"]
    assert (detail["acl_id"], detail["level"]) == (first["id"], "view")
    assert detail["fix"] == f"PATCH /api/v1/flows/{flow}/acls/{first['id']} changes its level."


async def test_of_grants_at_the_same_moment_one_is_made(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    acls = f"/flows/{flow}/acls"

    answers = await asyncio.gather(
        *(
            api.post(acls, json=to_user("usr_erin", level), headers=people.bob.headers)
            for level in ["view", "edit", "deploy", "admin"] * 2
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len((await api.get(acls, headers=people.bob.headers)).json()) == 1


async def test_a_grant_is_found_only_under_its_own_flow(
    api: httpx.AsyncClient, people: People, flow: str, echo: Json
) -> None:
    granted = await grant(api, flow, people.bob, to_user("usr_erin", "view"))
    other = (await api.post("/flows", json={"content": echo}, headers=people.bob.headers)).json()["id"]

    for path in (f"/flows/{other}/acls/{granted['id']}", f"/flows/{flow}/acls/acl_unknown"):
        patched = await api.patch(path, json={"level": "admin"}, headers=people.bob.headers)
        assert refused(patched) == (404, "acl_not_found")
        assert refused(await api.delete(path, headers=people.bob.headers)) == (404, "acl_not_found")
    bad = await api.patch(
        f"/flows/{flow}/acls/{granted['id']}", json={"level": "x"}, headers=people.bob.headers
    )
    assert refused(bad) == (400, "invalid_level")
    assert [row["level"] for row in await listed(api, people.bob, flow)] == ["view"]


async def listed(api: httpx.AsyncClient, who: Person, flow: str) -> list[Json]:
    rows: list[Json] = (await api.get(f"/flows/{flow}/acls", headers=who.headers)).json()
    return rows


async def test_a_level_that_stays_keeps_who_granted_it(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    granted = await grant(api, flow, people.bob, to_user("usr_erin", "view"))

    same = await api.patch(
        f"/flows/{flow}/acls/{granted['id']}", json={"level": "view"}, headers=people.alice.headers
    )

    assert same.json() == granted


async def test_a_super_admin_grants_only_within_the_tenant_of_the_flow(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    acls = f"/flows/{flow}/acls"
    away = await api.post(acls, json=to_user("usr_root", "view"), headers=people.root.headers)

    assert refused(away) == (404, "principal_not_found")
    assert (await grant(api, flow, people.root, to_user("usr_erin", "view")))["granted_by"] == "usr_root"


@pytest.mark.parametrize("kind", ["user", "group"])
async def test_a_deleted_principal_gets_nothing(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str, kind: str
) -> None:
    await change_user(resources.db, "tnt_acme", "usr_erin", deleted_at=SYNCED)
    async with resources.db.write() as session:
        await session.execute(update(Group).where(Group.id == "grp_ops").values(deleted_at=SYNCED))
    body = to_user("usr_erin", "view") if kind == "user" else to_group("grp_ops", "view")

    answer = await api.post(f"/flows/{flow}/acls", json=body, headers=people.bob.headers)

    assert refused(answer) == (404, "principal_not_found")


async def test_grants_of_a_deleted_flow_are_gone_with_it(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    granted = await grant(api, flow, people.bob, to_user("usr_erin", "admin"))
    await api.delete(f"/flows/{flow}", headers=people.bob.headers)
    acls = f"/flows/{flow}/acls"

    for answer in (
        await api.get(acls, headers=people.bob.headers),
        await api.post(acls, json=to_user("usr_carol", "view"), headers=people.bob.headers),
        await api.patch(f"{acls}/{granted['id']}", json={"level": "view"}, headers=people.bob.headers),
        await api.delete(f"{acls}/{granted['id']}", headers=people.bob.headers),
    ):
        assert refused(answer) == (404, "flow_not_found")


class TestTheLastWayIn:
    """The owner, and the tenant's admins, need no grant; where their accounts are dead, one grant must stay."""

    @pytest.fixture
    async def granted(self, api: httpx.AsyncClient, people: People, flow: str) -> str:
        """Erin's admin grant."""
        return str((await grant(api, flow, people.bob, to_user("usr_erin", "admin")))["id"])

    @pytest.fixture
    async def forsaken(self, resources: Resources, granted: str) -> None:
        """The owner has left, and the tenant has no administrator."""
        await change_user(resources.db, "tnt_acme", "usr_bob", deleted_at=SYNCED)
        await change_user(resources.db, "tnt_acme", "usr_alice", status="SUSPENDED")

    async def test_while_the_owner_is_there_anybody_may_leave(
        self, api: httpx.AsyncClient, people: People, flow: str, granted: str
    ) -> None:
        left = await api.delete(f"/flows/{flow}/acls/{granted}", headers=people.erin.headers)

        assert left.status_code == 204
        assert (await api.get(f"/flows/{flow}/acls", headers=people.bob.headers)).json() == []

    @pytest.mark.usefixtures("forsaken")
    async def test_the_last_admin_cannot_leave(
        self, api: httpx.AsyncClient, people: People, flow: str, granted: str
    ) -> None:
        path, headers = f"/flows/{flow}/acls/{granted}", people.erin.headers

        assert refused(await api.delete(path, headers=headers)) == (409, "last_way_in")
        lowered = await api.patch(path, json={"level": "deploy"}, headers=headers)
        assert refused(lowered) == (409, "last_way_in")

        assert [row["level"] for row in await listed(api, people.erin, flow)] == ["admin"]

    @pytest.mark.usefixtures("forsaken")
    @pytest.mark.parametrize("heir", [to_user("usr_carol", "admin"), to_group("grp_ops", "admin")])
    async def test_an_heir_lets_it_go(
        self, api: httpx.AsyncClient, people: People, flow: str, granted: str, heir: Json
    ) -> None:
        await grant(api, flow, people.erin, heir)

        left = await api.delete(f"/flows/{flow}/acls/{granted}", headers=people.erin.headers)

        assert left.status_code == 204
        assert len(await listed(api, people.carol, flow)) == 1

    @pytest.mark.usefixtures("forsaken")
    @pytest.mark.parametrize("heir", [to_user("usr_carol", "deploy"), to_group("grp_ops", "admin")])
    async def test_an_heir_who_cannot_manage_is_none(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        granted: str,
        heir: Json,
    ) -> None:
        await grant(api, flow, people.erin, heir)
        async with resources.db.write() as session:
            await session.execute(delete(Membership).where(Membership.group_id == "grp_ops"))

        left = await api.delete(f"/flows/{flow}/acls/{granted}", headers=people.erin.headers)

        assert refused(left) == (409, "last_way_in")

    @pytest.mark.usefixtures("forsaken")
    async def test_an_administrator_may_close_the_door(
        self, api: httpx.AsyncClient, people: People, flow: str, granted: str
    ) -> None:
        closed = await api.delete(f"/flows/{flow}/acls/{granted}", headers=people.root.headers)

        assert closed.status_code == 204
        assert await listed(api, people.root, flow) == []

    @pytest.mark.usefixtures("forsaken")
    async def test_of_two_who_leave_at_the_same_moment_one_stays(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, granted: str
    ) -> None:
        other = await grant(api, flow, people.erin, to_user("usr_carol", "admin"))
        carol = {
            "Authorization": f"Bearer {people.carol.token(permissions=['scaicore:view', 'scaicore:manage'])}"
        }

        answers = await asyncio.gather(
            api.delete(f"/flows/{flow}/acls/{granted}", headers=people.erin.headers),
            api.delete(f"/flows/{flow}/acls/{other['id']}", headers=carol),
        )

        assert sorted(answer.status_code for answer in answers) == [204, 409]


class TestGroupsOfTheMirror:
    """A synced user's groups are the mirror's; the token's count only for who was never synced."""

    async def test_a_token_cannot_claim_a_group_that_the_mirror_denies(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        await grant(api, flow, people.bob, to_group("grp_ops", "view"))
        liar = {"Authorization": f"Bearer {people.erin.token(groups=['grp_ops'])}"}

        assert refused(await api.get(f"/flows/{flow}", headers=liar)) == (404, "flow_not_found")
        assert (await api.get("/me", headers=liar)).json()["groups"] == []

    async def test_a_token_without_groups_loses_none(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        await grant(api, flow, people.bob, to_group("grp_ops", "view"))
        silent = {"Authorization": f"Bearer {people.carol.token(groups=None)}"}

        assert (await api.get(f"/flows/{flow}", headers=silent)).status_code == 200
        assert (await api.get("/me", headers=silent)).json()["groups"] == ["grp_ops"]

    @pytest.mark.parametrize("gone", ["membership", "group"])
    async def test_who_left_or_whose_group_is_gone_is_out(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, gone: str
    ) -> None:
        await grant(api, flow, people.bob, to_group("grp_ops", "view"))
        left = (
            update(Membership).where(Membership.group_id == "grp_ops")
            if gone == "membership"
            else update(Group).where(Group.id == "grp_ops")
        )
        async with resources.db.write() as session:
            await session.execute(left.values(deleted_at=SYNCED))

        assert refused(await api.get(f"/flows/{flow}", headers=people.carol.headers)) == (
            404,
            "flow_not_found",
        )
        assert (await api.get("/flows", headers=people.carol.headers)).json()["items"] == []

    async def test_who_was_never_synced_has_the_groups_of_the_token(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await grant(api, flow, people.bob, to_group("grp_ops", "view"))
        await change_user(resources.db, "tnt_acme", "usr_erin", last_synced_at=None)
        member = {"Authorization": f"Bearer {people.erin.token(groups=['grp_ops'])}"}

        assert (await api.get(f"/flows/{flow}", headers=member)).status_code == 200

    @pytest.mark.parametrize("gone", ["membership", "group"])
    async def test_who_was_never_synced_is_not_in_what_webhooks_say_was_left(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str, gone: str
    ) -> None:
        await grant(api, flow, people.bob, to_group("grp_ops", "view"))
        await mirror(resources.db, "tnt_acme", groups={"grp_new": ["usr_erin"]})
        await change_user(resources.db, "tnt_acme", "usr_erin", last_synced_at=None)
        member = {"Authorization": f"Bearer {people.erin.token(groups=['grp_ops', 'grp_own'])}"}
        async with resources.db.write() as session:
            session.add(
                Membership(
                    tenant_id="tnt_acme",
                    user_id="usr_erin",
                    group_id="grp_ops",
                    created_at=SYNCED,
                    deleted_at=SYNCED if gone == "membership" else None,
                )
            )
            if gone == "group":
                await session.execute(update(Group).where(Group.id == "grp_ops").values(deleted_at=SYNCED))

        assert refused(await api.get(f"/flows/{flow}", headers=member)) == (404, "flow_not_found")
        assert (await api.get("/me", headers=member)).json()["groups"] == ["grp_new", "grp_own"]

    async def test_a_namesake_group_of_another_tenant_opens_nothing(
        self, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
    ) -> None:
        await mirror(resources.db, "tnt_globex", groups={"grp_ops": ["usr_dave"]})
        await grant(api, flow, people.bob, to_group("grp_ops", "admin"))

        assert refused(await api.get(f"/flows/{flow}", headers=people.dave.headers)) == (
            404,
            "flow_not_found",
        )


async def test_whoever_loses_admin_while_asking_changes_nothing(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    flow: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    granted = await grant(api, flow, people.bob, to_user("usr_erin", "admin"))
    lock = AclRepository.lock

    async def revoked_just_before(self: AclRepository, opened: Flow) -> Flow | None:
        await self._session.execute(delete(FlowAcl).where(FlowAcl.id == granted["id"]))
        return await lock(self, opened)

    with monkeypatch.context() as race:
        race.setattr(AclRepository, "lock", revoked_just_before)
        late = await api.post(
            f"/flows/{flow}/acls", json=to_user("usr_carol", "view"), headers=people.erin.headers
        )

    assert refused(late) == (404, "flow_not_found")
    left = (await api.get(f"/flows/{flow}/acls", headers=people.bob.headers)).json()
    assert [row["principal_id"] for row in left] == ["usr_erin"]  # what the refused transaction did is undone
