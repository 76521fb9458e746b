"""Webhooks of ScaiKey: who may send them, and what they do to the mirror."""

import asyncio
import hashlib
import hmac
import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import httpx
import orjson
import pytest
from api_apps import shared_app
from api_audit_calls import log_of
from api_refusals import refused
from fastapi import FastAPI
from mirror import change_user, mirror
from people import People
from pydantic import SecretStr
from sqlalchemy import select
from webhooks import SECRET, deliver, scaiflow_event, scaikey_event, signed

from scaiflow_api.db.models.directory import DirectoryState, WebhookEvent
from scaiflow_api.db.models.group import Group, GroupNesting, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.domains.directory import roles
from scaiflow_api.domains.webhooks import service
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Directory, Settings

Make = Callable[..., bytes]
BOB = {"user_id": "usr_bob"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    directory = Directory(super_admin_groups=("grp_root",))
    scaikey = settings.scaikey.model_copy(
        update={"webhook_secret": SecretStr(SECRET), "webhook_max_bytes": 20_000}
    )
    return settings.model_copy(update={"scaikey": scaikey, "directory": directory})


async def user(resources: Resources, user_id: str, tenant: str = "tnt_acme") -> User | None:
    async with resources.db.read() as session:
        return await session.get(User, (tenant, user_id))


async def members(resources: Resources, group_id: str) -> set[str]:
    async with resources.db.read() as session:
        rows = select(Membership.user_id).where(
            Membership.group_id == group_id, Membership.deleted_at.is_(None)
        )
        return set(await session.scalars(rows))


async def told(api: httpx.AsyncClient, body: bytes) -> bool:
    answer = await deliver(api, body)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"handled"}
    return bool(answer.json()["handled"])


def at(minute: int) -> dict[str, str]:
    moment = f"2026-01-01T12:{minute:02}:00Z"
    return {"timestamp": moment}


class TestWhoMaySend:
    async def test_a_signed_event_is_taken_without_a_token(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        body = scaikey_event("user.created", {"id": "usr_new", "email": "new@acme.example"})

        assert await told(api, body)
        assert (await user(resources, "usr_new")) is not None

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ({"X-Scaikey-Signature": ""}, "signature is missing"),
            ({"X-Scaikey-Timestamp": ""}, "timestamp is missing"),
            ({"X-Scaikey-Timestamp": "1"}, "not the one that was signed"),
            ({"X-Scaikey-Signature": "v1=00"}, "cannot be read"),
            ({"X-Scaikey-Signature": "t=x,v1=00"}, "cannot be read"),
            ({"X-Scaikey-Signature": "t=1,t=1,v1=00"}, "cannot be read"),
            ({"X-Scaikey-Signature": "hello"}, "cannot be read"),
            ({"X-Scaikey-Signature": "t={now}"}, "does not match"),
            ({"X-Scaikey-Signature": "t={now},v1="}, "does not match"),
            ({"X-Scaikey-Signature": "t={now},v1=zz"}, "does not match"),
            ({"X-Scaikey-Signature": "t={now},v0={good}"}, "does not match"),
            ({"X-Scaikey-Signature": "t={now},v1={upper}"}, "does not match"),
            ({"X-Scaikey-Signature": "t={now},v1=sha256={good}"}, "does not match"),
        ],
    )
    async def test_a_bad_signature_is_refused(
        self, api: httpx.AsyncClient, resources: Resources, headers: dict[str, str], reason: str
    ) -> None:
        body, now = scaikey_event("user.created", {"id": "usr_new"}), int(time.time())
        good = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        filled = {name: v.format(now=now, good=good, upper=good.upper()) for name, v in headers.items()}
        answer = await deliver(api, body, **signed(body, at=now, **filled))

        detail = answer.json()["detail"]
        assert (answer.status_code, detail["error"]) == (400, "invalid_webhook_signature")
        assert reason in detail["message"]
        assert await user(resources, "usr_new") is None

    @pytest.mark.parametrize("header", ["X-Scaikey-Signature", "X-Scaikey-Timestamp"])
    async def test_both_headers_must_be_there(self, api: httpx.AsyncClient, header: str) -> None:
        body = scaikey_event("user.created", {"id": "usr_new"})
        headers = {name: value for name, value in signed(body).items() if name != header}

        assert (await deliver(api, body, **headers)).status_code == 400

    async def test_forged_and_truncated_bodies_are_refused(self, api: httpx.AsyncClient) -> None:
        body = scaikey_event("user.created", {"id": "usr_new"})
        headers = signed(body)
        for changed in (body[:-1], body + b" ", body.replace(b"usr_new", b"usr_bob"), b"", body.swapcase()):
            assert (await deliver(api, changed, **headers)).status_code in {400, 415}
        assert (await deliver(api, body, **signed(body, secret="another"))).status_code == 400

    @pytest.mark.parametrize(("age", "status"), [(0, 200), (295, 200), (-295, 200), (310, 400), (-310, 400)])
    async def test_it_must_be_signed_within_five_minutes(
        self, api: httpx.AsyncClient, age: int, status: int
    ) -> None:
        body = scaikey_event("user.created", {"id": "usr_new"})

        assert (await deliver(api, body, **signed(body, at=time.time() - age))).status_code == status

    async def test_while_the_secret_changes_one_of_two_signatures_is_enough(
        self, api: httpx.AsyncClient
    ) -> None:
        body = scaikey_event("user.created", {"id": "usr_new"})
        good = signed(body)
        stamp, _, rest = good["X-Scaikey-Signature"].partition(",")
        good["X-Scaikey-Signature"] = f"{stamp},v1={'0' * 64},{rest}"

        assert (await deliver(api, body, **good)).status_code == 200

    async def test_signatures_are_compared_in_constant_time(
        self, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compared: list[tuple[bytes, bytes]] = []
        compare = hmac.compare_digest

        def watch(a: bytes, b: bytes) -> bool:
            compared.append((a, b))
            return compare(a, b)

        monkeypatch.setattr("scaiflow_api.domains.webhooks.signature.hmac.compare_digest", watch)
        body = scaikey_event("user.created", {"id": "usr_new"})
        await deliver(api, body, **signed(body, secret="another"))
        await deliver(api, body)

        assert len(compared) == 2
        assert all(len(expected) == 64 for expected, _ in compared)

    async def test_without_a_secret_it_is_unavailable(self, settings: Settings, resources: Resources) -> None:
        scaikey = settings.scaikey.model_copy(update={"webhook_secret": None})
        bare = replace(resources, settings=settings.model_copy(update={"scaikey": scaikey}))
        transport = httpx.ASGITransport(shared_app(bare.settings, bare))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
            body = scaikey_event("user.created", {"id": "usr_new"})
            for secret in (SECRET, ""):
                answer = await deliver(api, body, **signed(body, secret=secret))
                assert answer.status_code == 503
                assert answer.json()["detail"]["error"] == "webhooks_not_configured"

    async def test_a_large_body_is_refused_before_it_is_read(self, api: httpx.AsyncClient) -> None:
        body = scaikey_event("user.created", {"id": "usr_new", "note": "x" * 30_000})
        answer = await deliver(api, body)

        assert refused(answer) == (413, "body_too_large")
        assert answer.json()["detail"]["limit_bytes"] == 20_000

    @pytest.mark.parametrize(
        "body",
        [
            *(b"[]", b"7", b"{}", b"{", b"\xff", b'{"id": "evt_1"}', b'{"type": "user.created"}'),
            *(b'{"id": 7, "type": "user.created"}', b'{"id": "evt_1", "type": ["x"]}'),
            *(b'{"id": "evt_1", "type": ""}', b'{"id": "a b", "type": "user.created"}'),
            orjson.dumps({"id": "e", "type": "user.created", "tenant_id": "a", "data": {"tenant_id": "b"}}),
        ],
    )
    async def test_what_is_signed_but_no_event_is_malformed(
        self, api: httpx.AsyncClient, body: bytes
    ) -> None:
        answer = await deliver(api, body)

        assert refused(answer) == (400, "malformed_webhook")

    async def test_neither_secret_nor_signature_is_logged(
        self, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        configure_logging("DEBUG")
        body = scaikey_event("user.created", {"id": "usr_new", "email": "new@acme.example"})
        headers = signed(body)
        try:
            await deliver(api, body, **headers)
            await deliver(api, body + b" ", **headers)
        finally:
            configure_logging("CRITICAL")

        assert stream.getvalue()
        assert SECRET not in stream.getvalue()
        assert headers["X-Scaikey-Signature"].partition("v1=")[2] not in stream.getvalue()


@pytest.mark.parametrize("make", [scaikey_event, scaiflow_event])
class TestBothEnvelopes:
    async def test_events_about_a_person_change_the_mirrored_person(
        self, api: httpx.AsyncClient, resources: Resources, make: Make
    ) -> None:
        key = "id" if make is scaikey_event else "user_id"
        created = {key: "usr_new", "email": "new@acme.example", "first_name": "New", "last_name": "One"}
        assert await told(api, make("user.created", {**created, "status": "ACTIVE"}))
        found = await user(resources, "usr_new")
        assert found is not None
        assert (found.email, found.display_name, found.status) == ("new@acme.example", "New One", "ACTIVE")

        assert await told(api, make("user.updated", {key: "usr_new", "status": "SUSPENDED"}))
        found = await user(resources, "usr_new")
        assert found is not None
        assert (found.email, found.status) == ("new@acme.example", "SUSPENDED")

        await change_user(
            resources.db, "tnt_acme", "usr_new", manual_role="tenant_admin", manual_role_source="manual"
        )
        assert await told(api, make("user.deleted", {key: "usr_new"}))
        found = await user(resources, "usr_new")
        assert found is not None
        assert found.deleted_at is not None
        assert found.manual_role == "tenant_admin"

    async def test_events_about_a_group_change_the_mirrored_group(
        self, api: httpx.AsyncClient, resources: Resources, make: Make
    ) -> None:
        key = "id" if make is scaikey_event else "group_id"
        for event, name in (("group.created", "One"), ("group.updated", "Two")):
            assert await told(api, make(event, {key: "grp_new", "name": name}))
            async with resources.db.read() as session:
                assert await session.scalar(select(Group.name).where(Group.id == "grp_new")) == name
        assert await told(api, make("group.deleted", {key: "grp_new"}))
        async with resources.db.read() as session:
            assert await session.scalar(select(Group.deleted_at).where(Group.id == "grp_new")) is not None

    async def test_events_about_members_change_who_is_in_the_mirrored_group(
        self, api: httpx.AsyncClient, resources: Resources, make: Make, people: People
    ) -> None:
        await mirror(resources.db, "tnt_acme", users=["usr_bob"], groups={"grp_root": [], "grp_eng": []})
        added, removed = (
            ("group.member_added", "group.member_removed")
            if make is scaikey_event
            else ("group_membership.added", "group_membership.removed")
        )
        member = {"group_id": "grp_root", "user_id": "usr_bob"}

        assert await told(api, make(added, member))
        assert await members(resources, "grp_root") == {"usr_bob"}
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.group_role == "super_admin"
        assert (await api.get("/me", headers=people.bob.headers)).json()["admin_role_source"] == "group"

        assert await told(api, make(removed, member))
        assert await members(resources, "grp_root") == set()
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.group_role is None

        rows = await log_of(api, people.alice.headers, target_id="usr_bob")
        of_group = {"role": "super_admin", "source": "group"}
        assert [(row["action"], row["actor_id"], row["details"]) for row in rows] == [
            ("role.granted", "system", {**of_group, "group": "grp_root"}),
            ("role.revoked", "system", of_group),
        ]
        assert rows[0]["after_hash"] == rows[1]["before_hash"]

    async def test_a_change_of_assignments_asks_for_a_sync_and_makes_no_group(
        self, api: httpx.AsyncClient, resources: Resources, make: Make
    ) -> None:
        assert await told(
            api, make("application.group_assigned", {"group_id": "grp_x", "application_id": "a"})
        )

        assert resources.sync_wanted.is_set()
        async with resources.db.read() as session:
            assert await session.scalar(select(Group.id)) is None

    async def test_unknown_types_are_answered_and_change_nothing(
        self, api: httpx.AsyncClient, resources: Resources, make: Make
    ) -> None:
        for event in ("user.password_changed", "partner.created", "tenant.updated", "x"):
            assert not await told(api, make(event, {"id": "usr_bob"}))
        assert await user(resources, "usr_bob") is None


class TestManyRoles:
    async def test_a_group_that_goes_takes_all_its_roles(
        self, api: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(roles, "_AT_ONCE", 2)
        users = [f"usr_{number}" for number in range(5)]
        await mirror(resources.db, "tnt_acme", users=users, groups={"grp_root": users})

        assert await told(api, scaikey_event("group.updated", {"id": "grp_root", "name": "Root"}))
        assert [found.group_role for one in users if (found := await user(resources, one))] == [
            "super_admin"
        ] * 5
        assert await told(api, scaikey_event("group.deleted", {"id": "grp_root"}))
        assert [found.group_role for one in users if (found := await user(resources, one))] == [None] * 5


class TestSuspension:
    async def test_whoever_is_suspended_or_deleted_is_refused(
        self, api: httpx.AsyncClient, app: FastAPI, people: People
    ) -> None:
        def forget_standing() -> None:
            app.state.authenticator._standing.clear()  # as five seconds do

        assert (await api.get("/me", headers=people.bob.headers)).status_code == 200
        for event, standing in (("user.suspended", "suspended"), ("user.deleted", "deleted")):
            await told(api, scaikey_event(event, {"id": "usr_bob"}))
            forget_standing()
            answer = await api.get("/me", headers=people.bob.headers)
            assert refused(answer) == (401, "account_not_active")
            assert standing in answer.json()["detail"]["message"]
            await told(api, scaikey_event("user.activated", {"id": "usr_bob"}))
            forget_standing()
            assert (await api.get("/me", headers=people.bob.headers)).status_code == 200


class TestReplay:
    async def test_an_event_that_comes_again_changes_nothing(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        first = scaikey_event("user.updated", {"id": "usr_bob", "email": "1@acme.example"})
        second = scaikey_event("user.updated", {"id": "usr_bob", "email": "2@acme.example"})
        for body in (first, second, first):
            assert await told(api, body)

        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.email == "2@acme.example"

    async def test_it_is_answered_as_before(self, api: httpx.AsyncClient) -> None:
        body = scaikey_event("group.member_added", {"group_id": "grp_eng"})  # of whom?
        assert [await told(api, body) for _ in range(2)] == [False, False]

    async def test_id_and_effects_are_committed_together(
        self, api: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = scaikey_event("user.created", {"id": "usr_new"})

        async def fail(*_: object) -> None:
            raise RuntimeError("the process ends here")

        with monkeypatch.context() as broken:
            broken.setattr(service.GroupRoles, "reconcile", fail)
            assert (await deliver(api, body)).status_code == 500
        async with resources.db.read() as session:
            assert await session.scalar(select(WebhookEvent.id)) is None
        assert await user(resources, "usr_new") is None

        assert await told(api, body)
        assert await user(resources, "usr_new") is not None

    async def test_many_at_once_are_one(self, api: httpx.AsyncClient, resources: Resources) -> None:
        bodies = [
            scaikey_event("group.member_added", {"group_id": f"grp_{n}", "user_id": "usr_bob"})
            for n in range(3)
        ]
        answers = await asyncio.gather(*(deliver(api, body) for body in bodies * 4))

        assert {answer.status_code for answer in answers} == {200}
        async with resources.db.read() as session:
            assert len(list(await session.scalars(select(WebhookEvent.id)))) == 3
            assert len(list(await session.scalars(select(Membership.group_id)))) == 3

    async def test_ids_are_forgotten_when_nobody_would_send_them_any_more(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        old = resources.clock.now() - timedelta(days=31)
        async with resources.db.write() as session:
            session.add(WebhookEvent(id="evt_old", type="user.created", handled=True, received_at=old))
        await told(api, scaikey_event("user.created", {"id": "usr_new"}))

        async with resources.db.read() as session:
            assert await session.get(WebhookEvent, "evt_old") is None


class TestOrder:
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_news_of_a_person_end_alike_in_every_order(
        self, api: httpx.AsyncClient, resources: Resources, order: tuple[int, ...]
    ) -> None:
        events = [
            scaikey_event("user.created", {"id": "usr_new", "email": "1@acme.example"}, **at(1)),
            scaikey_event("user.updated", {"id": "usr_new", "email": "2@acme.example"}, **at(2)),
            scaikey_event("user.deleted", {"id": "usr_new"}, **at(3)),
        ]
        for position in order:
            await told(api, events[position])

        found = await user(resources, "usr_new")
        assert found is not None
        assert found.deleted_at is not None

    async def test_a_late_suspension_does_not_undo_an_activation(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        await told(api, scaikey_event("user.activated", {"id": "usr_bob"}, **at(9)))
        assert await told(api, scaikey_event("user.suspended", {"id": "usr_bob"}, **at(8)))

        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.status == "ACTIVE"

    async def test_an_update_does_not_bring_a_deleted_person_back(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        await told(api, scaikey_event("user.deleted", {"id": "usr_bob"}, **at(1)))
        await told(api, scaikey_event("user.updated", {"id": "usr_bob", "name": "B"}, **at(2)))
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.deleted_at is not None

        await told(api, scaikey_event("user.created", {"id": "usr_bob"}, **at(3)))
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.deleted_at is None

    async def test_a_removal_that_comes_before_its_addition_wins(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        await mirror(resources.db, "tnt_acme", users=["usr_bob"], groups={"grp_root": []})
        member = {"group_id": "grp_root", "user_id": "usr_bob"}
        await told(api, scaikey_event("group.member_removed", member, **at(2)))
        await told(api, scaikey_event("group.member_added", member, **at(1)))

        assert await members(resources, "grp_root") == set()
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.group_role is None

    async def test_membership_before_person_gives_the_role_when_the_person_comes(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        member = {"group_id": "grp_root", "user_id": "usr_new"}
        await told(api, scaikey_event("group.member_added", member))
        await told(api, scaikey_event("group.created", {"id": "grp_root", "name": "Root"}))
        await told(api, scaikey_event("user.created", {"id": "usr_new"}))

        found = await user(resources, "usr_new")
        assert found is not None
        assert found.group_role == "super_admin"

    @pytest.mark.parametrize(("minutes", "deleted"), [(4, True), (6, False)])
    async def test_news_from_long_before_a_sync_are_old(
        self, api: httpx.AsyncClient, resources: Resources, minutes: int, deleted: bool
    ) -> None:
        """The sync knew of them; five minutes are for clocks that differ."""
        await mirror(resources.db, "tnt_acme", users=["usr_bob"])
        taken_at = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
        async with resources.db.write() as session:
            session.add(DirectoryState(name="users", taken_at=taken_at))
        moment = (taken_at - timedelta(minutes=minutes)).isoformat()
        await told(api, scaikey_event("user.deleted", {"id": "usr_bob"}, timestamp=moment))

        found = await user(resources, "usr_bob")
        assert found is not None
        assert (found.deleted_at is not None) is deleted

    async def test_a_time_far_ahead_does_not_make_all_later_news_old(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        await told(api, scaikey_event("user.suspended", {"id": "usr_bob"}, timestamp="9999-01-01T00:00:00Z"))
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.changed_at is not None
        assert found.changed_at < datetime.now(UTC) + timedelta(minutes=6)

    @pytest.mark.parametrize(
        "stamp", [None, "yesterday", 7, "2026-01-01T12:00:00", "9999-12-31T23:59:59-14:00"]
    )
    async def test_an_event_without_a_usable_time_is_taken_as_of_now_or_utc(
        self, api: httpx.AsyncClient, resources: Resources, stamp: Any
    ) -> None:
        assert await told(api, scaikey_event("user.created", {"id": "usr_new"}, timestamp=stamp))
        assert await user(resources, "usr_new") is not None


class TestNesting:
    @pytest.fixture(autouse=True)
    async def nested(self, resources: Resources) -> None:
        """`grp_root` holds `grp_mid`, which holds `grp_in`; and `grp_side`, apart."""
        groups = dict.fromkeys(("grp_root", "grp_mid", "grp_in", "grp_side"), ())
        await mirror(resources.db, "tnt_acme", users=["usr_bob"], groups=groups)
        async with resources.db.write() as session:
            for child, parent in (("grp_in", "grp_mid"), ("grp_mid", "grp_root"), ("grp_root", "grp_in")):
                session.add(GroupNesting(tenant_id="tnt_acme", child_id=child, group_id=parent))

    async def change(self, api: httpx.AsyncClient, what: str, group_id: str) -> None:
        assert await told(api, scaikey_event(f"group.member_{what}", {"group_id": group_id, **BOB}))

    async def groups_of_bob(self, resources: Resources) -> set[str]:
        standing = await resources.principals.find("tnt_acme", "usr_bob")
        assert standing is not None
        assert standing.groups is not None
        return set(standing.groups)

    async def test_who_is_inside_is_in_all_groups_around(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        await self.change(api, "added", "grp_in")
        assert await self.groups_of_bob(resources) == {"grp_in", "grp_mid", "grp_root"}
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.group_role == "super_admin"

        await self.change(api, "removed", "grp_in")
        assert await self.groups_of_bob(resources) == set()
        found = await user(resources, "usr_bob")
        assert found is not None
        assert found.group_role is None

    async def test_who_is_held_another_way_stays(self, api: httpx.AsyncClient, resources: Resources) -> None:
        async with resources.db.write() as session:
            for nesting in await session.scalars(
                select(GroupNesting).where(GroupNesting.child_id == "grp_root")
            ):
                await session.delete(nesting)
        for group_id in ("grp_in", "grp_mid", "grp_side"):
            await self.change(api, "added", group_id)
        await self.change(api, "removed", "grp_in")
        assert await self.groups_of_bob(resources) == {"grp_mid", "grp_root", "grp_side"}

        await self.change(api, "added", "grp_in")
        await self.change(api, "removed", "grp_mid")
        assert await self.groups_of_bob(resources) == {"grp_in", "grp_mid", "grp_root", "grp_side"}

    async def test_a_group_put_into_a_group_is_followed_by_a_sync(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        inner = {"group_id": "grp_side", "member_type": "group", "member_id": "grp_in"}
        assert await told(api, scaikey_event("group.member_added", inner))

        assert resources.sync_wanted.is_set()
        await self.change(api, "added", "grp_in")
        assert "grp_side" in await self.groups_of_bob(resources)

    async def test_a_deleted_group_inside_another_is_followed_by_a_sync(
        self, api: httpx.AsyncClient, resources: Resources
    ) -> None:
        assert await told(api, scaikey_event("group.deleted", {"id": "grp_side"}))
        assert not resources.sync_wanted.is_set()
        assert await told(api, scaikey_event("group.deleted", {"id": "grp_in"}))
        assert resources.sync_wanted.is_set()


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("user.created", {"email": "x@y.z"}),
        ("user.created", {"id": "../../etc"}),
        ("user.deleted", {"id": ["usr_bob"]}),
        ("group.created", {}),
        ("group.member_added", {"user_id": "usr_bob"}),
        ("group.member_added", {"group_id": "grp_eng", "member_type": "group"}),
    ],
)
async def test_an_event_that_names_nobody_changes_nothing(
    api: httpx.AsyncClient, event_type: str, data: dict[str, Any]
) -> None:
    body = scaikey_event(event_type, data, resource=None)

    assert not await told(api, body)


async def test_a_group_may_be_named_by_the_envelope_alone(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    resource = {"type": "group", "id": "grp_eng"}
    assert await told(api, scaikey_event("group.member_added", BOB, resource=resource))
    assert await members(resources, "grp_eng") == {"usr_bob"}


async def test_texts_are_made_fit_for_every_database(api: httpx.AsyncClient, resources: Resources) -> None:
    data = {"id": "usr_new", "email": "a\u0000b@c.d\n", "name": "x" * 5_000}
    assert await told(api, scaikey_event("user.created", data))

    found = await user(resources, "usr_new")
    assert found is not None
    assert (found.email, found.display_name) == ("ab@c.d", "x" * 200)
