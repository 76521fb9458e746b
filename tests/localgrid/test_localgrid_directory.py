"""ScaiKey's admin API: people and groups in lists, and changes that are announced by signed webhooks."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from localgrid_support import BASE, FakeClock, RunningGrid, claims_of, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaikey.people import ADMIN_CLIENT, ADMIN_SECRET
from scaiflow_api.localgrid.scaikey.webhooks import RETRY_AFTER_S

API = "/scaikey/api/v1"
ADMIN = f"{API}/admin"
SECRET = "whsec-for-tests-only"


class Admin:
    """Whoever calls the admin API with a platform token of some scopes."""

    def __init__(self, grid: RunningGrid, scope: str | None = None, *, client: str = ADMIN_CLIENT) -> None:
        self.grid, self.scope, self.client = grid, scope, client

    async def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        secret = ADMIN_SECRET if self.client == ADMIN_CLIENT else "local secret+1"
        tokens = await self.grid.token(
            grant_type="client_credentials", client_id=self.client, client_secret=secret, scope=self.scope
        )
        headers = {"Authorization": f"Bearer {tokens.json()['access_token']}", **request.pop("headers", {})}
        return await self.grid.http.request(
            method, API + path, headers=headers, follow_redirects=True, **request
        )

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found: list[dict[str, Any]] = body["items"] if "items" in body else body["data"]
        return found


@pytest.fixture
def admin(grid: RunningGrid) -> Admin:
    return Admin(grid)


async def ids(admin: Admin, path: str, **query: Any) -> list[str]:
    return [
        row.get("id") or row.get("user_id") or row["group_id"] for row in await admin.items(path, **query)
    ]


class TestLists:
    async def test_tenants_people_and_groups_are_listed(self, admin: Admin) -> None:
        assert await ids(admin, "/admin/tenants/") == ["tnt_acme", "tnt_globex", "tnt_platform"]
        assert await ids(admin, "/admin/users/", tenant_id="tnt_acme") == [
            "usr_alice",
            "usr_bob",
            "usr_carol",
        ]
        assert await ids(admin, "/admin/users/", search="ROOT") == ["usr_root"]
        assert await ids(admin, "/admin/groups/") == ["grp_eng", "grp_ops"]
        assert await ids(admin, "/admin/groups/grp_eng/members") == ["usr_alice", "usr_bob"]
        assert (await admin.items("/admin/users/", search="alice"))[0] | {"created_at": None} == {
            "id": "usr_alice",
            "tenant_id": "tnt_acme",
            "email": "alice@acme.example",
            "first_name": "Alice",
            "last_name": "Archer",
            "display_name": "Alice Archer",
            "status": "ACTIVE",
            "created_at": None,
        }

    async def test_a_list_without_its_last_slash_is_the_same_list(self, admin: Admin) -> None:
        assert await ids(admin, "/admin/groups") == ["grp_eng", "grp_ops"]

    async def test_lists_come_in_pages_of_two_envelopes(self, admin: Admin) -> None:
        first = (await admin("GET", "/admin/users/", params={"per_page": 2})).json()
        last = (await admin("GET", "/admin/users/", params={"per_page": 2, "page": 3})).json()
        assert (len(first["items"]), first["total"], first["page"], first["per_page"]) == (2, 5, 1, 2)
        assert [row["id"] for row in last["items"]] == ["usr_root"]

        path = "/tenants/tnt_acme/applications/me/effective-users"
        second = (await admin("GET", path, params={"per_page": 2, "page": 2})).json()
        assert [row["id"] for row in second["data"]] == ["usr_carol"]
        assert second["pagination"] == {"page": 2, "per_page": 2, "total": 3, "total_pages": 2}

    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [
            (None, {"users", "groups", "tenants", "effective"}),
            ("groups:read", {"groups"}),
            ("users:read", {"users"}),
        ],
    )
    async def test_each_list_needs_a_scope(
        self, grid: RunningGrid, scope: str | None, allowed: set[str]
    ) -> None:
        api = Admin(grid, scope, client="scaiflow-local")
        paths = {
            "users": "/admin/users/",
            "groups": "/admin/groups/",
            "tenants": "/admin/tenants/",
            "effective": "/tenants/tnt_acme/applications/me/effective-users",
        }
        answers = {name: await api("GET", path) for name, path in paths.items()}

        assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
        for name in paths.keys() - allowed:
            assert answers[name].json() == {
                "detail": "Platform token requires admin:read or admin:write scope"
            }

    async def test_the_apis_own_client_changes_nobody(self, grid: RunningGrid) -> None:
        api = Admin(grid, client="scaiflow-local")

        answer = await api("DELETE", "/admin/users/usr_bob")

        assert answer.status_code == 403
        assert (await api("GET", "/admin/users/usr_bob")).json()["status"] == "ACTIVE"

    async def test_people_cannot_use_it(self, grid: RunningGrid) -> None:
        root = await grid.caller("usr_root")

        assert (await root("GET", f"{ADMIN}/users/")).status_code == 403
        assert (await grid.http.get(f"{ADMIN}/users/")).status_code == 401


class TestChanges:
    async def test_a_suspended_person_can_do_nothing_until_activated(
        self, grid: RunningGrid, admin: Admin
    ) -> None:
        bob = await grid.caller("usr_bob")
        tokens = await grid.sign_in("usr_bob")
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

        assert (await admin("POST", "/admin/users/usr_bob/suspend")).json()["status"] == "SUSPENDED"

        assert (await bob("GET", "/scaigrid/v1/auth/me")).status_code == 401
        assert (await grid.token(**refresh)).json()["error"] == "invalid_grant"
        assert (await grid.choose("usr_bob")).status_code == 400
        await admin("POST", "/admin/users/usr_bob/activate")
        assert (await bob("GET", "/scaigrid/v1/auth/me")).status_code == 200

    async def test_a_deleted_person_is_gone_from_the_lists(self, grid: RunningGrid, admin: Admin) -> None:
        assert (await admin("DELETE", "/admin/users/usr_bob")).status_code == 204

        assert (await admin("GET", "/admin/users/usr_bob")).status_code == 404
        assert await ids(admin, "/admin/users/", tenant_id="tnt_acme") == ["usr_alice", "usr_carol"]
        assert await ids(admin, "/admin/groups/grp_eng/members") == ["usr_alice"]

    async def test_names_and_groups_show_in_the_next_token(self, grid: RunningGrid, admin: Admin) -> None:
        await admin("PATCH", "/admin/users/usr_bob", json={"last_name": "Brown", "email": "b@acme.example"})
        inner = (
            await admin("POST", "/admin/groups/", json={"tenant_id": "tnt_acme", "name": "Inner"})
        ).json()
        await admin("POST", "/admin/groups/grp_ops/members", json={"group_id": inner["id"]})
        await admin("POST", f"/admin/groups/{inner['id']}/members", json={"user_id": "usr_bob"})

        claims = claims_of((await grid.sign_in("usr_bob"))["access_token"])

        assert (claims["name"], claims["email"]) == ("Bob Brown", "b@acme.example")
        assert claims["groups"] == sorted(["grp_eng", "grp_ops", inner["id"]])
        assert await ids(admin, "/admin/groups/grp_ops/members") == [inner["id"], "usr_carol"]

        await admin("DELETE", f"/admin/groups/grp_ops/members/{inner['id']}")
        await admin("DELETE", "/admin/groups/grp_eng")
        assert claims_of((await grid.sign_in("usr_bob"))["access_token"])["groups"] == [inner["id"]]

    async def test_a_new_person_signs_in_and_may_look(self, grid: RunningGrid, admin: Admin) -> None:
        body = {"tenant_id": "tnt_globex", "email": "eve@globex.example", "first_name": "Eve"}
        eve = (await admin("POST", "/admin/users/", json=body)).json()

        caller = await grid.caller(eve["id"])

        me = (await caller("GET", "/scaigrid/v1/auth/me")).json()["data"]
        assert (me["tenant_id"], "scaicore:view" in me["permissions"]) == ("tnt_globex", True)

    async def test_what_was_changed_survives_a_restart(self, config: GridConfig) -> None:
        async with running_grid(config) as grid:
            await Admin(grid)("DELETE", "/admin/groups/grp_eng/members/usr_bob")
        async with running_grid(config) as grid:
            assert await ids(Admin(grid), "/admin/groups/grp_eng/members") == ["usr_alice"]

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("DELETE", "/admin/users/usr_nobody", None, 404),
            ("PATCH", "/admin/users/usr_bob", {"status": "ODD"}, 422),
            ("PATCH", "/admin/users/usr_bob", {"password": "x"}, 422),
            ("POST", "/admin/users/svc_ci/suspend", None, 409),
            ("POST", "/admin/groups/", {"tenant_id": "tnt_none", "name": "x"}, 404),
            ("POST", "/admin/groups/grp_eng/members", {"user_id": "usr_dave"}, 404),
            ("POST", "/admin/groups/grp_eng/members", {"group_id": "grp_eng"}, 404),
            ("POST", "/admin/groups/grp_eng/members", {}, 400),
            ("DELETE", "/admin/groups/grp_eng/members/usr_carol", None, 404),
            ("POST", "/admin/webhooks/", {"url": "http://evil.example/", "secret": SECRET}, 400),
            ("POST", "/admin/webhooks/", {"url": BASE, "secret": SECRET, "events": ["x.y"]}, 400),
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, admin: Admin, method: str, path: str, body: Any, status: int
    ) -> None:
        assert (await admin(method, path, json=body)).status_code == status

    @pytest.mark.parametrize("number", [0, 2**63, 10**30])
    async def test_a_page_has_a_number_that_can_be_counted(self, admin: Admin, number: int) -> None:
        answer = await admin("GET", "/admin/users/", params={"page": number})

        assert answer.status_code == 422
        (problem,) = answer.json()["detail"]
        assert (set(problem), problem["loc"]) == ({"loc", "msg", "type"}, ["query", "page"])

    @pytest.mark.parametrize("body", [b'{"name": NaN}', b'{"name": "\\ud800"}', b'{"secret": "whsec"}'])
    async def test_a_bad_body_is_refused_without_being_repeated(self, admin: Admin, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await admin("POST", "/admin/webhooks/", content=body, headers=headers)

        assert answer.status_code == 422
        assert all(set(problem) == {"loc", "msg", "type"} for problem in answer.json()["detail"])
        assert "whsec" not in answer.text


class Receiver:
    """Takes deliveries; answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def hooked(
    config: GridConfig, clock: FakeClock, receiver: Receiver
) -> AsyncIterator[tuple[RunningGrid, Any]]:
    """A grid with a webhook, and its deliveries."""
    hooks = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
    async with running_grid(config, clock, hooks=hooks) as grid:
        body = {"url": "http://127.0.0.1:9/hook", "secret": SECRET}
        assert (await Admin(grid)("POST", "/admin/webhooks/", json=body)).status_code == 201
        yield grid, grid.app.state.grid.deliveries


class TestWebhooks:
    async def test_a_change_is_announced_and_signed(
        self, hooked: tuple[RunningGrid, Any], receiver: Receiver, clock: FakeClock
    ) -> None:
        grid, deliveries = hooked
        await Admin(grid)("POST", "/admin/users/usr_bob/suspend")
        await deliveries.deliver_due()

        (request,) = receiver.requests
        stamp = str(int(clock.now().timestamp()))
        signed = hmac.new(
            SECRET.encode(), stamp.encode() + b"." + request.content, hashlib.sha256
        ).hexdigest()
        assert request.headers["x-scaikey-signature"] == f"t={stamp},v1={signed}"
        assert request.headers["x-scaikey-timestamp"] == stamp
        (event,) = receiver.events
        assert request.headers["x-scaikey-event-id"] == event["event_id"]
        assert event["event_type"] == "user.suspended"
        assert event["tenant_id"] == "tnt_acme"
        assert event["data"]["status"] == "SUSPENDED"
        assert event["data"]["tenant"] == {"id": "tnt_acme", "name": "Acme", "slug": "acme"}
        assert request.content == json.dumps(event, separators=(",", ":"), sort_keys=True).encode()

    async def test_every_change_has_its_event(
        self, hooked: tuple[RunningGrid, Any], receiver: Receiver
    ) -> None:
        grid, deliveries = hooked
        admin = Admin(grid)
        group = (await admin("POST", "/admin/groups/", json={"tenant_id": "tnt_acme", "name": "G"})).json()
        path = f"/admin/groups/{group['id']}"
        await admin("PATCH", path, json={"name": "H"})
        await admin("POST", f"{path}/members", json={"user_id": "usr_bob"})
        await admin("POST", f"{path}/members", json={"group_id": "grp_ops"})
        await admin("DELETE", f"{path}/members/usr_bob")
        await admin("DELETE", path)
        await admin("PATCH", "/admin/users/usr_bob", json={"first_name": "Rob"})
        await admin("DELETE", "/admin/users/usr_bob")
        await deliveries.deliver_due()

        told = sorted(receiver.events, key=lambda event: event["event_id"])
        assert sorted(event["event_type"] for event in told) == sorted(
            [
                *("group.created", "group.updated", "group.member_added", "group.member_added"),
                *("group.member_removed", "group.deleted", "user.updated", "user.deleted"),
            ]
        )
        members = [event["data"] for event in told if event["event_type"] == "group.member_added"]
        assert {"group_id": group["id"], "user_id": "usr_bob"} in members
        assert {"group_id": group["id"], "member_type": "group", "member_id": "grp_ops"} in members

    async def test_what_is_not_taken_comes_again_until_it_is_given_up(
        self, hooked: tuple[RunningGrid, Any], receiver: Receiver, clock: FakeClock
    ) -> None:
        grid, deliveries = hooked
        receiver.status = 503
        await Admin(grid)("POST", "/admin/users/usr_bob/suspend")
        await deliveries.deliver_due()
        for delay in RETRY_AFTER_S:
            clock.forward(delay - 0.5)
            assert await deliveries.deliver_due() == 0
            clock.forward(0.5)
            await deliveries.deliver_due()

        assert len(receiver.requests) == len(RETRY_AFTER_S) + 1
        assert len({event["event_id"] for event in receiver.events}) == 1
        signatures = {request.headers["x-scaikey-signature"] for request in receiver.requests}
        assert len(signatures) == len(RETRY_AFTER_S) + 1
        clock.forward(1e6)
        assert await deliveries.deliver_due() == 0

    async def test_a_delivery_is_made_once_when_it_is_taken(
        self, hooked: tuple[RunningGrid, Any], receiver: Receiver, clock: FakeClock
    ) -> None:
        grid, deliveries = hooked
        admin = Admin(grid)
        receiver.status = 500
        await admin("POST", "/admin/users/usr_bob/suspend")
        await deliveries.deliver_due()
        receiver.status = 200
        clock.forward(RETRY_AFTER_S[0])
        await deliveries.deliver_due()
        clock.forward(1e6)

        assert await deliveries.deliver_due() == 0
        (hook,) = await admin.items("/admin/webhooks/")
        (delivery,) = await admin.items(f"/admin/webhooks/{hook['id']}/deliveries")
        assert (delivery["attempts"], delivery["status_code"], delivery["due_at"]) == (2, 200, None)
        assert "secret" not in hook
        assert (await admin("DELETE", f"/admin/webhooks/{hook['id']}")).status_code == 204
        assert (await admin("GET", f"/admin/webhooks/{hook['id']}")).status_code == 404

    async def test_the_webhook_of_the_configuration_is_registered_at_start(
        self, config: GridConfig, receiver: Receiver, clock: FakeClock
    ) -> None:
        set_up = replace(config, webhook_url="http://127.0.0.1:9/x", webhook_secret=SECRET)
        for _ in range(2):
            hooks = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
            async with running_grid(set_up, clock, hooks=hooks) as grid:
                assert await ids(Admin(grid), "/admin/webhooks/") == ["wh_configured"]
        async with running_grid(config, clock) as grid:
            assert await ids(Admin(grid), "/admin/webhooks/") == []

    def test_a_webhook_needs_address_and_secret(self, config: GridConfig) -> None:
        with pytest.raises(ValueError, match="both"):
            replace(config, webhook_url="http://127.0.0.1:9/x")
