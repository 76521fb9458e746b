"""No sequence of syncs, webhooks, grants and revocations gives anybody a role that the rules do not.

A model of ScaiKey and of the rules, written by itself, goes through the same steps. Webhooks of what happens in
ScaiKey are delivered at once, later, in another order, twice or never.
"""

import asyncio
import json
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from played_directory import PlayedDirectory
from pydantic import SecretStr
from sqlalchemy import select
from webhooks import SECRET, scaikey_event, signed

from scaiflow_api.auth.caller import AdminRole, Caller
from scaiflow_api.db.models.group import Group, GroupNesting, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import effective_role
from scaiflow_api.db.schema import upgrade
from scaiflow_api.domains.admin.roles import AdminRoles
from scaiflow_api.domains.admin.service import administered
from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.domains.webhooks.service import Webhooks
from scaiflow_api.domains.webhooks.signature import TOLERANCE_S
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Database, Directory, Environment, ScaiKey, Settings, Store

ACME, GLOBEX, PLATFORM = "tnt_acme", "tnt_globex", "tnt_platform"
PEOPLE = [(ACME, f"usr_{n}") for n in range(4)] + [
    (GLOBEX, "usr_g"),
    (PLATFORM, "usr_root"),
    (PLATFORM, "usr_p"),
]
STARTS_IN = ("usr_p", "usr_1", "usr_2", "usr_3", "usr_3", "usr_g")
"""Who is in each of the groups below at the beginning."""
GROUPS = {
    (PLATFORM, "grp_p"): "Root",  # by its name
    (ACME, "grp_id"): "By id",  # by its id
    (ACME, "grp_fake"): "Root",  # a name of the platform's, elsewhere
    (ACME, "grp_plain"): "Plain",
    (ACME, "grp_lent"): "Lent",  # an id of two tenants
    (GLOBEX, "grp_lent"): "Lent",
}
MEANT = ("Root", "grp_id", "grp_lent")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SUPER, TENANT = AdminRole.SUPER_ADMIN, AdminRole.TENANT_ADMIN

ROOT, ADMIN, BY_GROUP = (PLATFORM, "usr_root"), (ACME, "usr_0"), (ACME, "usr_1")
"""Who holds a role at the beginning: two granted on the host, one given by a group."""
person = st.sampled_from(PEOPLE)
actor = st.one_of(st.sampled_from([ROOT, ADMIN]), person)
group = st.sampled_from(sorted(GROUPS))
when = st.sampled_from(["now", "later", "twice", "never"])
together = group.flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from([one for one in PEOPLE if one[0] == key[0]]))
)
member = st.tuples(together, st.booleans(), when).map(lambda drawn: ("member", *drawn[0], *drawn[1:]))
steps = st.lists(
    st.one_of(
        *(member, member, member),
        st.tuples(st.just("nest"), group, group, st.booleans(), when),
        st.tuples(st.just("rename"), group, st.sampled_from(["Root", "Other"]), when),
        st.tuples(st.just("status"), person, st.sampled_from(["suspended", "activated"]), when),
        st.tuples(st.just("remove user"), person, when),
        st.tuples(st.just("create user"), person, when),
        st.tuples(st.just("remove group"), group, when),
        st.tuples(st.just("grant"), actor, person, st.sampled_from([SUPER, TENANT])),
        st.tuples(st.just("revoke"), actor, person),
        st.tuples(st.just("sync"), st.booleans()),
        *(st.tuples(st.just("deliver"), st.integers(0, 5)),) * 2,
        st.tuples(st.just("wait")),
    ),
    min_size=8,
    max_size=20,
)


class Ticks(Clock):
    """A clock that goes on by a second whenever it is told to."""

    moment = BEGIN

    def now(self) -> datetime:
        return self.moment

    def tick(self, seconds: int = 1) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class World:
    """ScaiKey, the mirror, and what the rules say of both."""

    resources: Resources
    scaikey: PlayedDirectory
    clock: Ticks
    waiting: list[bytes] = field(default_factory=list)
    manual: dict[tuple[str, str], AdminRole] = field(default_factory=dict)
    """What the rules let somebody grant."""
    ever: set[tuple[str, str, str]] = field(default_factory=set)
    """Who was in which group at some time, directly or not."""
    news: dict[tuple[str, ...], tuple[datetime, Any]] = field(default_factory=dict)
    """The newest news that came of a membership, a name or a status, until a sync told of it."""
    synced_at: datetime | None = None

    async def step(self, name: str, *arguments: Any) -> None:
        self.clock.tick()
        await getattr(self, name.replace(" ", "_"))(*arguments)
        self.remember()
        await self.check()

    async def member(self, key: tuple[str, str], who: tuple[str, str], inside: bool, when: str) -> None:
        tenant_id, group_id = key
        if key not in self.scaikey.names or who not in self.scaikey.users or who[0] != tenant_id:
            return
        members = self.scaikey.inside[key]
        (members.add if inside else members.discard)(who[1])
        what = "added" if inside else "removed"
        await self.tell(
            when, f"group.member_{what}", {"group_id": group_id, "user_id": who[1]}, tenant=tenant_id
        )

    async def nest(self, key: tuple[str, str], child: tuple[str, str], inside: bool, when: str) -> None:
        if key == child or not {key, child} <= self.scaikey.names.keys() or key[0] != child[0]:
            return
        members = self.scaikey.inside[key]
        (members.add if inside else members.discard)(child[1])
        data = {"group_id": key[1], "member_type": "group", "member_id": child[1]}
        await self.tell(when, f"group.member_{'added' if inside else 'removed'}", data, tenant=key[0])

    async def rename(self, key: tuple[str, str], name: str, when: str) -> None:
        if key in self.scaikey.names:
            self.scaikey.names[key] = name
            await self.tell(when, "group.updated", {"id": key[1], "name": name}, tenant=key[0])

    async def status(self, who: tuple[str, str], what: str, when: str) -> None:
        if who in self.scaikey.users:
            status = "ACTIVE" if what == "activated" else "SUSPENDED"
            self.scaikey.users[who] = replace(self.scaikey.users[who], status=status)
            await self.tell(when, f"user.{what}", {"id": who[1], "status": status}, tenant=who[0])

    async def remove_user(self, who: tuple[str, str], when: str) -> None:
        if self.scaikey.users.pop(who, None) is not None:
            for key, members in self.scaikey.inside.items():
                if key[0] == who[0]:
                    members.discard(who[1])
            await self.tell(when, "user.deleted", {"id": who[1]}, tenant=who[0])

    async def create_user(self, who: tuple[str, str], when: str) -> None:
        if who not in self.scaikey.users:
            self.scaikey.add_user(who[1], who[0])
            await self.tell(when, "user.created", {"id": who[1]}, tenant=who[0])

    async def remove_group(self, key: tuple[str, str], when: str) -> None:
        if self.scaikey.names.pop(key, None) is not None:
            del self.scaikey.inside[key]
            for other, members in self.scaikey.inside.items():
                if other[0] == key[0]:
                    members.discard(key[1])
            await self.tell(when, "group.deleted", {"id": key[1]}, tenant=key[0])

    async def grant(self, actor: tuple[str, str], target: tuple[str, str], role: AdminRole) -> None:
        await self.set_role(actor, target, role)

    async def revoke(self, actor: tuple[str, str], target: tuple[str, str]) -> None:
        await self.set_role(actor, target, None)

    async def sync(self, force: bool) -> None:
        report = await DirectorySync(self.resources).run(force=force)
        if report.skipped_reason is None:
            self.synced_at = self.clock.now()
            # Who is missing for the first time stays, but not against newer news.
            told = {
                ("member", key[0], key[1], one)
                for key, members in self.scaikey.inside.items()
                for one in members
            }
            self.news = {of: what for of, what in self.news.items() if of[0] == "member" and of not in told}

    async def wait(self) -> None:
        self.clock.tick(400)

    async def deliver(self, position: int) -> None:
        if self.waiting:
            await self.receive(self.waiting.pop(position % len(self.waiting)))

    async def tell(self, when: str, event_type: str, data: dict[str, Any], *, tenant: str) -> None:
        body = scaikey_event(event_type, data, tenant=tenant, timestamp=self.clock.now().isoformat())
        if when == "later":
            self.waiting.append(body)
        for _ in range({"now": 1, "twice": 2}.get(when, 0)):
            await self.receive(body)

    async def receive(self, body: bytes) -> None:
        """Have an event delivered: one that a sync knew of long ago changes nothing, and others are news."""
        event = json.loads(body)
        at = datetime.fromisoformat(event["timestamp"])
        if self.synced_at is not None and at < self.synced_at - timedelta(seconds=TOLERANCE_S):
            before = await self.picture()
            await self.deliver_now(body)
            assert await self.picture() == before, event
            return
        await self.deliver_now(body)
        for of, what in facts(event):
            if of not in self.news or self.news[of][0] <= at:
                self.news[of] = (at, what)
                if of[0] == "member":
                    await self.check_around(*of[1:])

    async def deliver_now(self, body: bytes) -> None:
        headers = signed(body, at=self.clock.now().timestamp())
        await Webhooks(self.resources).receive(
            body, signature=headers["X-Scaikey-Signature"], timestamp=headers["X-Scaikey-Timestamp"]
        )

    async def set_role(self, actor: tuple[str, str], target: tuple[str, str], role: AdminRole | None) -> None:
        """Let somebody grant or revoke, and let the rules say whether that may succeed."""
        people = {(user.tenant_id, user.id): user for user in await self.users()}
        acting, subject = people.get(actor), people.get(target)
        if acting is None or acting.deleted_at is not None or acting.status != "ACTIVE":
            return
        held, _ = effective_role(acting)
        caller = Caller(subject=actor[1], tenant_id=actor[0], token=SecretStr(""), admin_role=held)
        if held is None:
            return  # the route refuses
        before = None if subject is None else effective_role(subject)[0]
        allowed = subject is not None and (
            held is SUPER or (actor[0] == target[0] and role is not SUPER and before is not SUPER)
        )
        roles = AdminRoles(self.resources.db, self.clock)
        try:
            scope = administered(caller, target[0])
            if role is None:
                await roles.revoke(caller, target[1], scope)
            else:
                await roles.grant(caller, target[1], scope, role)
        except AppError:
            return
        assert allowed, (actor, held, target, before, role)
        if role is None:
            self.manual.pop(target, None)
        else:
            self.manual[target] = role
        # Whoever changes roles leaves a super admin, if there was one.
        if any(_can_act(user) and effective_role(user)[0] is SUPER for user in people.values()):
            assert any(_can_act(user) and effective_role(user)[0] is SUPER for user in await self.users())

    def remember(self) -> None:
        self.ever |= {
            (tenant, user, key) for tenant, key in self.scaikey.names for user in self.inside((tenant, key))
        }

    def inside(self, key: tuple[str, str], seen: frozenset[str] = frozenset()) -> set[str]:
        """Who is in a group of ScaiKey's, however deep."""
        found = set()
        for member in self.scaikey.inside.get(key, ()):
            if not member.startswith("grp_"):
                found.add(member)
            elif member not in seen:
                found |= self.inside((key[0], member), seen | {key[1]})
        return found

    async def users(self) -> list[User]:
        async with self.resources.db.read() as session:
            return list(await session.scalars(select(User)))

    async def check(self) -> None:
        """What holds after every step."""
        async with self.resources.db.read() as session:
            groups = list(await session.scalars(select(Group).where(Group.deleted_at.is_(None))))
            rows = list(await session.scalars(select(Membership).where(Membership.deleted_at.is_(None))))
        held = {(group.tenant_id, group.id): group.name for group in groups}
        entitled = {
            (row.tenant_id, row.user_id) for row in rows if is_meant((row.tenant_id, row.group_id), held)
        }
        for user in await self.users():
            key = (user.tenant_id, user.id)
            assert user.group_role == ("super_admin" if key in entitled else None), key
            assert user.manual_role == (self.manual[key].value if key in self.manual else None), key
        assert {(row.tenant_id, row.user_id, row.group_id) for row in rows} <= self.ever
        # Whatever came late or twice: what holds is the newest of what came.
        direct = {("member", row.tenant_id, row.group_id, row.user_id) for row in rows if row.direct}
        assert not [of for of in direct if of in self.news and not self.news[of][1]]
        for (tenant_id, group_id), name in held.items():
            assert self.news.get(("name", tenant_id, group_id), (None, name))[1] == name
        for user in await self.users():
            assert self.news.get(("status", user.tenant_id, user.id), (None, user.status))[1] == user.status

    async def check_around(self, tenant_id: str, group_id: str, user_id: str) -> None:
        """Whoever was put into a group, or taken out, is in those around it through what holds him, and else not."""
        async with self.resources.db.read() as session:
            nestings = [(row.child_id, row.group_id) for row in await session.scalars(select(GroupNesting))]
            rows = list(await session.scalars(select(Membership).where(Membership.user_id == user_id)))
        live = {row.group_id: row.direct for row in rows if row.deleted_at is None}

        def around(groups: set[str]) -> set[str]:
            outer = groups | {group for child, group in nestings if child in groups}
            return outer if outer == groups else around(outer)

        held = around({group for group, direct in live.items() if direct})
        assert {group for group in around({group_id}) if group in live} == around({group_id}) & held

    async def picture(self) -> list[str]:
        """All that events may change."""
        shown = (
            select(User.tenant_id, User.id, User.status, User.deleted_at, User.group_role),
            select(Group.tenant_id, Group.id, Group.name, Group.deleted_at),
            select(Membership.tenant_id, Membership.group_id, Membership.user_id, Membership.direct).where(
                Membership.deleted_at.is_(None)
            ),
        )
        async with self.resources.db.read() as session:
            found = [(await session.execute(query)).all() for query in shown]
        return sorted(repr(tuple(row)) for rows in found for row in rows)

    async def settle(self) -> None:
        """When nothing happens any more, three syncs make the mirror what ScaiKey is."""
        for _ in range(3):
            self.clock.tick()
            await self.sync(force=True)
        await self.check()
        entitled = {
            (key[0], user)
            for key in self.scaikey.names
            if is_meant(key, self.scaikey.names)
            for user in self.inside(key)
        }
        holders = {(user.tenant_id, user.id) for user in await self.users() if user.group_role}
        assert holders == entitled


def facts(event: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What an event says, and of what."""
    tenant_id, data, kind = event["tenant_id"], event["data"], event["event_type"]
    if kind.startswith("group.member_") and "user_id" in data:
        yield ("member", tenant_id, data["group_id"], data["user_id"]), kind.endswith("added")
    if kind.startswith("group.") and "name" in data:
        yield ("name", tenant_id, data["id"]), data["name"]
    if kind.startswith("user.") and "status" in data:
        yield ("status", tenant_id, data["id"]), data["status"]


def is_meant(key: tuple[str, str], names: dict[tuple[str, str], str]) -> bool:
    """The rule of SCAIFLOW_SUPER_ADMIN_GROUPS."""
    if key not in names:
        return False
    if key[0] == PLATFORM and names[key] in MEANT:
        return True
    lent = sum(other[1] == key[1] for other in names) > 1
    return key[1] in MEANT and (key[0] == PLATFORM or not lent)


def _can_act(user: User) -> bool:
    return user.deleted_at is None and user.status == "ACTIVE"


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        upgrade(f"sqlite+aiosqlite:///{path}")
        yield path


@asynccontextmanager
async def a_world(template: Path, folder: str) -> Any:
    path = Path(folder) / "world.db"
    shutil.copy(template, path)
    clock = Ticks()
    setup = Settings(
        api=Api(env=Environment.DEVELOPMENT),
        database=Database(url=SecretStr(f"sqlite+aiosqlite:///{path}"), pool_size=2),
        store=Store(url="memory:"),
        scaikey=ScaiKey(webhook_secret=SecretStr(SECRET)),
        directory=Directory(super_admin_groups=MEANT, platform_tenant=PLATFORM),
    )
    scaikey = PlayedDirectory()
    for tenant_id, user_id in PEOPLE:
        scaikey.add_user(user_id, tenant_id)
    for ((tenant_id, group_id), name), member_id in zip(GROUPS.items(), STARTS_IN, strict=True):
        scaikey.add_group(group_id, member_id, tenant_id=tenant_id, name=name)
    async with open_resources(setup, clock) as opened:
        await opened.principals.grant(PLATFORM, "usr_root", SUPER, source="bootstrap", now=BEGIN)
        await opened.principals.grant(ACME, "usr_0", TENANT, source="bootstrap", now=BEGIN)
        manual = {(PLATFORM, "usr_root"): SUPER, (ACME, "usr_0"): TENANT}
        yield World(replace(opened, directory=scaikey), scaikey, clock, manual=manual)  # type: ignore[arg-type]


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner() as runner:
        runner.run(work)


P, ID, PLAIN = (PLATFORM, "grp_p"), (ACME, "grp_id"), (ACME, "grp_plain")
SOMEBODY, MEMBER = (ACME, "usr_2"), (PLATFORM, "usr_p")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=steps)
@example(  # put in is told after taken out
    plan=[
        ("member", ID, SOMEBODY, True, "later"),
        ("member", ID, SOMEBODY, False, "now"),
        ("deliver", 0),
        ("member", ID, BY_GROUP, False, "later"),
        ("member", ID, BY_GROUP, True, "now"),
        ("deliver", 0),
    ]
)
@example(  # the name that means something is told after the one that does not
    plan=[("rename", P, "Root", "later"), ("rename", P, "Other", "now"), ("deliver", 0)]
)
@example(  # what a sync has known of for long is told after it
    plan=[
        ("member", ID, SOMEBODY, True, "later"),
        ("member", ID, SOMEBODY, False, "never"),
        ("wait",),
        ("sync", False),
        ("deliver", 0),
    ]
)
@example(  # a tenant's administrator reaches higher, and further
    plan=[
        ("grant", ADMIN, BY_GROUP, TENANT),
        ("revoke", ADMIN, BY_GROUP),
        ("grant", ADMIN, SOMEBODY, SUPER),
        ("grant", ROOT, SOMEBODY, SUPER),
        ("grant", ADMIN, SOMEBODY, TENANT),
        ("revoke", ADMIN, SOMEBODY),
        ("grant", ADMIN, (GLOBEX, "usr_g"), TENANT),
        ("grant", BY_GROUP, (GLOBEX, "usr_g"), TENANT),
    ]
)
@example(  # the last one lets go
    plan=[
        ("member", ID, BY_GROUP, False, "now"),
        ("member", P, MEMBER, False, "now"),
        ("revoke", ROOT, ROOT),
        ("grant", ROOT, ROOT, TENANT),
    ]
)
@example(  # in through a group inside, and out again; the group goes, and comes back as another's
    plan=[
        ("nest", ID, PLAIN, True, "now"),
        ("sync", False),
        ("member", PLAIN, (ACME, "usr_3"), False, "now"),
        ("remove group", ID, "now"),
        ("member", PLAIN, (ACME, "usr_3"), True, "now"),
        ("remove user", BY_GROUP, "now"),
        ("create user", BY_GROUP, "later"),
        ("deliver", 0),
    ]
)
def test_nobody_gets_a_role_that_the_rules_do_not_give(template: Path, plan: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        with TemporaryDirectory() as folder:
            async with a_world(template, folder) as world:
                await world.step("sync", False)
                for step in plan:
                    await world.step(*step)
                await world.settle()

    run(play())
