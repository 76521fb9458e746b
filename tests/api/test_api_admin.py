"""What administrators see, and who is one."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_refusals import refused
from mirror import SYNCED, change_user, mirror
from people import People, Person
from sqlalchemy import select

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.models.user import User
from scaiflow_api.resources import Resources

Json = dict[str, Any]


@pytest.fixture(autouse=True)
async def mirrored(resources: Resources) -> None:
    """Two tenants; alice administers acme, root is super admin (see conftest)."""
    acme = ["usr_alice", "usr_bob", "usr_carol"]
    await mirror(resources.db, "tnt_acme", users=acme, groups={"grp_eng": acme[:2], "grp_ops": acme[2:]})
    await mirror(resources.db, "tnt_globex", users=["usr_dave", "usr_bob"], groups={"grp_eng": ["usr_dave"]})


async def role_in(resources: Resources, tenant_id: str, user_id: str) -> tuple[str | None, str | None]:
    async with resources.db.read() as session:
        row = await session.execute(
            select(User.manual_role, User.manual_role_source).where(
                User.tenant_id == tenant_id, User.id == user_id
            )
        )
    role, source = row.one()
    return role, source


class TestUsers:
    async def test_a_super_admin_sees_everybody(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await change_user(resources.db, "tnt_acme", "usr_carol", deleted_at=SYNCED, status="SUSPENDED")

        page = (await api.get("/admin/users", headers=people.root.headers)).json()

        assert [(user["tenant_id"], user["id"]) for user in page["users"]] == [
            ("tnt_acme", "usr_alice"),
            ("tnt_acme", "usr_bob"),
            ("tnt_acme", "usr_carol"),
            ("tnt_globex", "usr_bob"),
            ("tnt_globex", "usr_dave"),
            ("tnt_platform", "usr_root"),
        ]
        assert page["users"][0] == {
            "id": "usr_alice",
            "tenant_id": "tnt_acme",
            "email": None,
            "display_name": None,
            "status": "ACTIVE",
            "admin_role": "tenant_admin",
            "admin_role_source": "bootstrap",
            "deleted_at": None,
            "last_synced_at": "2026-11-24T08:00:00Z",
        }
        assert (page["users"][2]["status"], page["users"][2]["deleted_at"]) == (
            "SUSPENDED",
            "2026-11-24T08:00:00Z",
        )
        assert page["next_cursor"] is None

    @pytest.mark.parametrize("size", [1, 2, 5, 6, 7])
    async def test_pages_join_without_gap_or_overlap(
        self, api: httpx.AsyncClient, people: People, size: int
    ) -> None:
        seen, cursor = [], None
        while True:
            query = {"limit": size, **({"cursor": cursor} if cursor else {})}
            page = (await api.get("/admin/users", params=query, headers=people.root.headers)).json()
            seen += [(user["tenant_id"], user["id"]) for user in page["users"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert len(page["users"]) == size

        assert len(seen) == len(set(seen)) == 6
        assert seen == sorted(seen)

    async def test_it_searches_and_narrows(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await change_user(resources.db, "tnt_acme", "usr_carol", email="C.Bobson@acme.example")

        async def found(**query: str) -> list[str]:
            page = await api.get("/admin/users", params=query, headers=people.root.headers)
            return [f"{user['tenant_id']}/{user['id']}" for user in page.json()["users"]]

        assert await found(search="bob") == ["tnt_acme/usr_bob", "tnt_acme/usr_carol", "tnt_globex/usr_bob"]
        assert await found(search="usr%bob") == []
        assert await found(search="bob", tenant_id="tnt_globex") == ["tnt_globex/usr_bob"]
        assert await found(tenant_id="tnt_nowhere") == []

    async def test_a_tenant_admin_sees_its_own_tenant_only(
        self, api: httpx.AsyncClient, people: People
    ) -> None:
        page = (await api.get("/admin/tenant/users", headers=people.alice.headers)).json()
        again = await api.get("/admin/tenant/users?tenant_id=tnt_acme", headers=people.alice.headers)
        away = await api.get("/admin/tenant/users?tenant_id=tnt_globex", headers=people.alice.headers)
        everybody = await api.get("/admin/users", headers=people.alice.headers)

        assert [user["id"] for user in page["users"]] == ["usr_alice", "usr_bob", "usr_carol"]
        assert again.json() == page
        for answer in (away, everybody):
            assert refused(answer) == (403, "insufficient_role")
            assert answer.json()["detail"]["needed"] == "super_admin"

    async def test_a_super_admin_names_the_tenant(self, api: httpx.AsyncClient, people: People) -> None:
        own = (await api.get("/admin/tenant/users", headers=people.root.headers)).json()
        away = (await api.get("/admin/tenant/users?tenant_id=tnt_globex", headers=people.root.headers)).json()

        assert [user["id"] for user in own["users"]] == ["usr_root"]
        assert [user["id"] for user in away["users"]] == ["usr_bob", "usr_dave"]

    @pytest.mark.parametrize("cursor", ["x", "e30", "WyJhIl0", "%F0%9F%A6%9C", "WyJhIixudWxsXQ"])
    @pytest.mark.parametrize("path", ["/admin/users", "/admin/groups", "/admin/tenant/flows"])
    async def test_a_cursor_of_somebody_else_is_refused(
        self, api: httpx.AsyncClient, people: People, path: str, cursor: str
    ) -> None:
        answer = await api.get(f"{path}?cursor={cursor}", headers=people.root.headers)

        assert refused(answer) == (400, "invalid_cursor")


class TestGroups:
    async def test_a_tenant_admin_sees_groups_with_their_size(
        self, api: httpx.AsyncClient, people: People
    ) -> None:
        page = (await api.get("/admin/groups", headers=people.alice.headers)).json()

        assert page == {
            "groups": [
                {
                    "id": group_id,
                    "tenant_id": "tnt_acme",
                    "name": name,
                    "member_count": count,
                    "deleted_at": None,
                    "last_synced_at": "2026-11-24T08:00:00Z",
                }
                for group_id, name, count in [("grp_eng", "Eng", 2), ("grp_ops", "Ops", 1)]
            ],
            "next_cursor": None,
        }
        away = await api.get("/admin/groups?tenant_id=tnt_globex", headers=people.alice.headers)
        assert refused(away) == (403, "insufficient_role")

    async def test_a_super_admin_sees_the_groups_of_all_tenants(
        self, api: httpx.AsyncClient, people: People
    ) -> None:
        first = (await api.get("/admin/groups?limit=2", headers=people.root.headers)).json()
        rest = (
            await api.get(f"/admin/groups?cursor={first['next_cursor']}", headers=people.root.headers)
        ).json()
        narrowed = (await api.get("/admin/groups?tenant_id=tnt_globex", headers=people.root.headers)).json()

        assert [(row["tenant_id"], row["id"]) for row in first["groups"] + rest["groups"]] == [
            ("tnt_acme", "grp_eng"),
            ("tnt_acme", "grp_ops"),
            ("tnt_globex", "grp_eng"),
        ]
        assert rest["next_cursor"] is None
        assert narrowed["groups"] == rest["groups"]


class TestFlows:
    async def test_all_flows_of_the_tenant_newest_first(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        made = []
        for person in (people.bob, people.carol, people.dave, people.erin):
            headers = {"Authorization": f"Bearer {person.token(permissions=['scaicore:manage'])}"}
            made.append((await api.post("/flows", json={"content": echo}, headers=headers)).json()["id"])
        gone = await api.delete(f"/flows/{made[3]}", headers=people.alice.headers)
        assert gone.status_code == 204, gone.text

        async def seen(who: Person, **query: str) -> list[str]:
            page = await api.get("/admin/tenant/flows", params=query, headers=who.headers)
            return [flow["id"] for flow in page.json()["flows"]]

        assert await seen(people.alice) == [made[1], made[0]]
        assert await seen(people.alice, include="deleted") == [made[3], made[1], made[0]]
        assert await seen(people.root, tenant_id="tnt_globex") == [made[2]]
        assert await seen(people.root) == []

        page = (
            await api.get("/admin/tenant/flows?include=deleted&limit=1", headers=people.alice.headers)
        ).json()
        assert page["flows"][0]["owner_id"] == "usr_erin"
        assert page["flows"][0]["deleted_at"] is not None
        rest = await seen(people.alice, include="deleted", cursor=page["next_cursor"])
        assert rest == [made[1], made[0]]


class TestRoles:
    async def test_a_role_is_granted_counts_and_is_revoked(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        path = "/admin/users/usr_carol/role"

        granted = await api.post(path, json={"role": "tenant_admin"}, headers=people.alice.headers)

        assert (granted.status_code, granted.content) == (204, b"")
        carol = (await api.get("/me", headers=people.carol.headers)).json()
        assert (carol["admin_role"], carol["admin_role_source"]) == ("tenant_admin", "manual")
        assert (await api.get(path, headers=people.alice.headers)).json() == {
            "user_id": "usr_carol",
            "tenant_id": "tnt_acme",
            "admin_role": "tenant_admin",
            "admin_role_source": "manual",
            "manual_role": "tenant_admin",
            "group_role": None,
        }

        for _ in range(2):  # revoking what is not there changes nothing
            revoked = await api.delete(path, headers=people.alice.headers)
            assert (revoked.status_code, revoked.content) == (204, b"")
        assert await role_in(resources, "tnt_acme", "usr_carol") == (None, None)

    async def test_who_was_deposed_cannot_take_the_role_back(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        """The server lets alice in as an administrator for some seconds more."""
        path = "/admin/users/usr_alice/role"
        await api.get("/me", headers=people.alice.headers)
        await change_user(resources.db, "tnt_acme", "usr_alice", manual_role=None, manual_role_source=None)

        for answer in (
            await api.post(path, json={"role": "tenant_admin"}, headers=people.alice.headers),
            await api.delete("/admin/users/usr_bob/role", headers=people.alice.headers),
        ):
            assert refused(answer) == (403, "insufficient_role")

        assert await role_in(resources, "tnt_acme", "usr_alice") == (None, None)

    async def test_a_grant_by_a_person_replaces_one_from_the_host(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        path = "/admin/users/usr_alice/role?tenant_id=tnt_acme"

        await api.post(path, json={"role": "super_admin"}, headers=people.root.headers)

        assert await role_in(resources, "tnt_acme", "usr_alice") == ("super_admin", "manual")

    @pytest.mark.parametrize(
        ("who", "user", "body", "status", "error"),
        [
            ("alice", "usr_carol", {"role": "super_admin"}, 403, "insufficient_role"),
            ("alice", "usr_dave", {"role": "tenant_admin"}, 404, "user_not_found"),
            ("alice", "usr_unknown", {"role": "tenant_admin"}, 404, "user_not_found"),
            ("alice", "usr_carol?tenant_id=tnt_globex", {"role": "tenant_admin"}, 403, "insufficient_role"),
            ("root", "usr_bob", {"role": "tenant_admin"}, 409, "ambiguous_user"),
            ("root", "usr_carol?tenant_id=tnt_globex", {"role": "tenant_admin"}, 404, "user_not_found"),
            ("root", "usr_unknown", {"role": "tenant_admin"}, 404, "user_not_found"),
            ("alice", "usr_carol", {"role": "owner"}, 422, "invalid_request"),
            ("alice", "usr_carol", {}, 422, "invalid_request"),
            ("bob", "usr_carol", {"role": "tenant_admin"}, 403, "insufficient_role"),
            ("dave", "usr_dave", {"role": "tenant_admin"}, 403, "insufficient_role"),
        ],
    )
    async def test_what_cannot_be_granted(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        who: str,
        user: str,
        body: Json,
        status: int,
        error: str,
    ) -> None:
        user_id, _, query = user.partition("?")
        path = f"/admin/users/{user_id}/role?{query}"

        answer = await api.post(path, json=body, headers=getattr(people, who).headers)

        assert refused(answer) == (status, error)
        assert await role_in(resources, "tnt_acme", "usr_carol") == (None, None)

    async def test_of_namesakes_the_named_one_is_meant(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        body = {"role": "tenant_admin"}
        unclear = await api.post("/admin/users/usr_bob/role", json=body, headers=people.root.headers)
        clear = await api.post(
            "/admin/users/usr_bob/role?tenant_id=tnt_globex", json=body, headers=people.root.headers
        )

        assert unclear.json()["detail"]["tenant_ids"] == ["tnt_acme", "tnt_globex"]
        assert clear.status_code == 204
        assert await role_in(resources, "tnt_acme", "usr_bob") == (None, None)
        assert await role_in(resources, "tnt_globex", "usr_bob") == ("tenant_admin", "manual")

    async def test_nobody_changes_a_higher_role(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await resources.principals.grant(
            "tnt_acme", "usr_bob", AdminRole.SUPER_ADMIN, source="manual", now=SYNCED
        )
        await change_user(resources.db, "tnt_acme", "usr_carol", group_role="super_admin")

        for user in ("usr_bob", "usr_carol"):
            path = f"/admin/users/{user}/role"
            lowered = await api.post(path, json={"role": "tenant_admin"}, headers=people.alice.headers)
            revoked = await api.delete(path, headers=people.alice.headers)
            for answer in (lowered, revoked):
                assert refused(answer) == (403, "higher_role")
                assert answer.json()["detail"]["held"] == "super_admin"
        assert await role_in(resources, "tnt_acme", "usr_bob") == ("super_admin", "manual")

    async def test_a_deleted_user_gets_no_role_but_loses_one(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await change_user(
            resources.db, "tnt_acme", "usr_carol", deleted_at=SYNCED, manual_role="tenant_admin"
        )
        path = "/admin/users/usr_carol/role"

        granted = await api.post(path, json={"role": "tenant_admin"}, headers=people.alice.headers)
        revoked = await api.delete(path, headers=people.alice.headers)

        assert refused(granted) == (404, "user_not_found")
        assert revoked.status_code == 204
        assert await role_in(resources, "tnt_acme", "usr_carol") == (None, None)


class TestRolesOfGroups:
    async def test_the_higher_role_counts(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        roles = ("tenant_admin", "super_admin")
        expected = {
            (None, "tenant_admin"): ("tenant_admin", "group"),
            (None, "super_admin"): ("super_admin", "group"),
            ("tenant_admin", "tenant_admin"): ("tenant_admin", "manual"),
            ("tenant_admin", "super_admin"): ("super_admin", "group"),
            ("super_admin", "tenant_admin"): ("super_admin", "manual"),
            ("super_admin", "super_admin"): ("super_admin", "manual"),
            ("super_admin", None): ("super_admin", "manual"),
            (None, None): (None, None),
        }
        assert {group for _, group in expected} == {*roles, None}
        for (by_hand, by_group), effective in expected.items():
            source = "manual" if by_hand else None
            columns = {"manual_role": by_hand, "manual_role_source": source, "group_role": by_group}
            await change_user(resources.db, "tnt_acme", "usr_carol", **columns)

            role = (await api.get("/admin/users/usr_carol/role", headers=people.root.headers)).json()
            standing = await resources.principals.find("tnt_acme", "usr_carol")

            assert (role["admin_role"], role["admin_role_source"]) == effective
            assert standing is not None
            assert (standing.admin_role, standing.admin_role_source) == effective

    async def test_a_role_from_a_group_is_not_revoked_here(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await change_user(resources.db, "tnt_acme", "usr_carol", group_role="tenant_admin")

        answer = await api.delete("/admin/users/usr_carol/role", headers=people.alice.headers)

        assert refused(answer) == (409, "role_from_group")

    async def test_what_was_granted_goes_and_what_the_group_gives_stays(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        columns = {"manual_role": "tenant_admin", "manual_role_source": "manual"}
        await change_user(resources.db, "tnt_acme", "usr_carol", group_role="tenant_admin", **columns)

        assert (
            await api.delete("/admin/users/usr_carol/role", headers=people.alice.headers)
        ).status_code == 204

        left = (await api.get("/admin/users/usr_carol/role", headers=people.alice.headers)).json()
        assert (left["admin_role"], left["admin_role_source"]) == ("tenant_admin", "group")


class TestTheLastSuperAdmin:
    PATH = "/admin/users/usr_root/role"

    async def demote(self, api: httpx.AsyncClient, people: People) -> list[httpx.Response]:
        body = {"role": "tenant_admin"}
        return [
            await api.post(self.PATH, json=body, headers=people.root.headers),
            await api.delete(self.PATH, headers=people.root.headers),
        ]

    async def test_the_last_super_admin_stays(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        for answer in await self.demote(api, people):
            assert refused(answer) == (409, "last_super_admin")

        assert await role_in(resources, "tnt_platform", "usr_root") == ("super_admin", "bootstrap")

    @pytest.mark.parametrize("dead", [{"deleted_at": SYNCED}, {"status": "SUSPENDED"}])
    async def test_a_dead_account_is_no_successor(
        self, api: httpx.AsyncClient, people: People, resources: Resources, dead: Json
    ) -> None:
        await change_user(resources.db, "tnt_acme", "usr_carol", manual_role="super_admin", **dead)

        for answer in await self.demote(api, people):
            assert refused(answer) == (409, "last_super_admin")

    @pytest.mark.parametrize("column", ["manual_role", "group_role"])
    async def test_goes_when_there_is_another(
        self, api: httpx.AsyncClient, people: People, resources: Resources, column: str
    ) -> None:
        await change_user(resources.db, "tnt_acme", "usr_carol", **{column: "super_admin"})

        answer = await api.delete(self.PATH, headers=people.root.headers)

        assert answer.status_code == 204
        assert await role_in(resources, "tnt_platform", "usr_root") == (None, None)

    async def test_one_who_stays_super_admin_by_group_may_lose_the_grant(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        await change_user(resources.db, "tnt_platform", "usr_root", group_role="super_admin")

        assert (await api.delete(self.PATH, headers=people.root.headers)).status_code == 204

    async def test_super_admins_who_depose_each_other_leave_one(
        self, api: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        crowd = [replace(people.root, id=f"usr_root{number}") for number in range(6)]
        for person in crowd:
            await resources.principals.grant(
                person.tenant_id, person.id, AdminRole.SUPER_ADMIN, source="manual", now=SYNCED
            )
        await change_user(resources.db, "tnt_platform", "usr_root", manual_role=None)
        for person in crowd:  # each is known as a super admin for some seconds more
            assert (await api.get("/me", headers=person.headers)).json()["admin_role"] == "super_admin"

        answers = await asyncio.gather(
            *(
                api.delete(f"/admin/users/{target.id}/role", headers=by.headers)
                for by, target in zip(crowd, crowd[1:] + crowd[:1], strict=True)
            )
        )

        left = [await role_in(resources, person.tenant_id, person.id) for person in crowd]
        assert ("super_admin", "manual") in left
        assert left.count((None, None)) == sum(answer.status_code == 204 for answer in answers)
        for answer, (role, _) in zip(answers, left, strict=True):
            if answer.status_code != 204:  # who was deposed first can depose nobody
                assert (refused(answer), role) == ((403, "insufficient_role"), None)
