"""The sync: what ScaiKey lists is what the mirror holds, and nothing goes by accident."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mirror import change_user
from played_directory import PlayedDirectory
from pydantic import SecretStr
from sqlalchemy import event, select

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db.leases import Leases
from scaiflow_api.db.models.audit import AuditEvent
from scaiflow_api.db.models.group import Group, GroupNesting, Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.db.principals import effective_role
from scaiflow_api.domains.directory import roles
from scaiflow_api.domains.directory.report import SyncReport
from scaiflow_api.domains.directory.sync import NO_SUPER_ADMIN, DirectorySync
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Database, Directory, Environment, Settings, Store
from scaiflow_api.upstreams.errors import ScaiKeyNotConfigured, ScaiKeyRefused
from scaiflow_api.upstreams.failures import UpstreamUnavailable


@pytest.fixture
def scaikey() -> PlayedDirectory:
    """Acme with ten people and two groups, and somebody of the platform."""
    directory = PlayedDirectory()
    for number in range(10):
        directory.add_user(f"usr_{number}")
    directory.add_user("usr_root", "tnt_platform")
    directory.add_group("grp_eng", *(f"usr_{number}" for number in range(6)))
    directory.add_group("grp_ops", *(f"usr_{number}" for number in range(4, 10)))
    return directory


@pytest.fixture
async def resources(database_url: str, tmp_path: Path, scaikey: PlayedDirectory) -> AsyncIterator[Resources]:
    settings = Settings(
        api=Api(env=Environment.DEVELOPMENT),
        database=Database(url=SecretStr(database_url), pool_size=5),
        store=Store(url=f"file:{tmp_path / 'blobs'}"),
    )
    async with open_resources(settings) as opened:
        yield replace(opened, directory=scaikey)  # type: ignore[arg-type]


async def sync(resources: Resources, *, force: bool = False, **settings: Any) -> SyncReport:
    directory = Directory(_env_file=None, **settings)
    changed = replace(resources, settings=resources.settings.model_copy(update={"directory": directory}))
    return await DirectorySync(changed).run(force=force)


async def user(resources: Resources, user_id: str, tenant_id: str = "tnt_acme") -> User:
    async with resources.db.read() as session:
        found = await session.get(User, (tenant_id, user_id))
    assert found is not None
    return found


async def members(resources: Resources, group_id: str) -> set[str]:
    """Who is in a group, as every request sees it."""
    async with resources.db.read() as session:
        rows = await session.scalars(
            select(Membership.user_id).where(Membership.group_id == group_id, Membership.deleted_at.is_(None))
        )
        return set(rows)


def counters(report: SyncReport, *names: str) -> dict[str, int]:
    return {name: getattr(report, name) for name in names}


class TestFirstAndSecond:
    async def test_the_first_sync_mirrors_everything(self, resources: Resources) -> None:
        report = await sync(resources)

        assert report.skipped_reason is None
        assert report.users_method == "effective_users"
        assert counters(report, "users_seen", "users_added", "groups_seen", "groups_added") == {
            "users_seen": 11,
            "users_added": 11,
            "groups_seen": 2,
            "groups_added": 2,
        }
        assert (report.memberships_seen, report.memberships_added) == (12, 12)
        mirrored = await user(resources, "usr_3")
        assert (mirrored.email, mirrored.display_name, mirrored.status) == (
            "3@acme.example",
            "Usr_3",
            "ACTIVE",
        )
        assert mirrored.last_synced_at is not None
        standing = await resources.principals.find("tnt_acme", "usr_5")
        assert standing is not None
        assert standing.groups == {"grp_eng", "grp_ops"}

    async def test_a_second_sync_writes_nothing_to_the_mirror(self, resources: Resources) -> None:
        await sync(resources)
        written: list[str] = []

        def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
            if statement.startswith(("INSERT", "UPDATE", "DELETE")):
                written.append(statement.split()[1 if statement.startswith("UPDATE") else 2])

        engine = resources.db._writer.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        report = await sync(resources)

        assert set(written) <= {"leases", "directory_state"}
        assert not any(
            getattr(report, f"{kind}_{what}")
            for kind in ("users", "groups", "memberships")
            for what in ("added", "soft_deleted")
        )

    async def test_what_changed_in_scaikey_changes_here(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        scaikey.add_user("usr_3", status="SUSPENDED", name="Three")
        scaikey.add_group("grp_eng", "usr_0", "usr_9", name="Engine")
        scaikey.inside["tnt_acme", "grp_eng"] |= {f"usr_{number}" for number in range(6)}
        await sync(resources)

        changed = await user(resources, "usr_3")
        assert (changed.status, changed.display_name) == ("SUSPENDED", "Three")
        assert "usr_9" in await members(resources, "grp_eng")
        async with resources.db.read() as session:
            assert await session.scalar(select(Group.name).where(Group.id == "grp_eng")) == "Engine"

    async def test_many_rows_and_many_pages(self, resources: Resources, scaikey: PlayedDirectory) -> None:
        """More than one batch of changes, and more than one page of rows."""
        scaikey.page = 700
        for number in range(1_200):
            scaikey.add_user(f"usr_many{number}", "tnt_large")
        scaikey.add_group("grp_all", *(f"usr_many{n}" for n in range(1_200)), tenant_id="tnt_large")

        first, second = await sync(resources), await sync(resources)

        assert (first.users_added, first.memberships_added) == (1_211, 1_212)
        assert (second.users_seen, second.users_added, second.memberships_added) == (1_211, 0, 0)


class TestAbsence:
    async def test_a_row_goes_only_after_two_absences(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        del scaikey.users["tnt_acme", "usr_9"]
        first = await sync(resources)
        assert (first.users_soft_deleted, first.memberships_soft_deleted) == (0, 0)
        assert first.missed_once == 2
        assert (await user(resources, "usr_9")).deleted_at is None

        second = await sync(resources)
        assert (second.users_soft_deleted, second.memberships_soft_deleted) == (1, 1)
        assert (await user(resources, "usr_9")).deleted_at is not None
        assert "usr_9" not in await members(resources, "grp_ops")
        assert (await sync(resources)).users_soft_deleted == 0

    async def test_one_that_is_back_in_between_was_never_gone(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        away = scaikey.users.pop(("tnt_acme", "usr_9"))
        await sync(resources)
        scaikey.users["tnt_acme", "usr_9"] = away
        await sync(resources)
        del scaikey.users["tnt_acme", "usr_9"]
        await sync(resources)

        found = await user(resources, "usr_9")
        assert (found.deleted_at, found.absent_since is None) == (None, False)

    async def test_one_that_comes_back_is_undeleted_with_its_role(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        await change_user(
            resources.db, "tnt_acme", "usr_9", manual_role="tenant_admin", manual_role_source="manual"
        )
        away = scaikey.users.pop(("tnt_acme", "usr_9"))
        await sync(resources)
        await sync(resources)
        scaikey.users["tnt_acme", "usr_9"] = away
        report = await sync(resources)

        assert (report.users_undeleted, report.memberships_added) == (1, 1)
        found = await user(resources, "usr_9")
        assert (found.deleted_at, effective_role(found)) == (None, (AdminRole.TENANT_ADMIN, "manual"))

    async def test_whom_scaikey_never_told_of_cannot_be_absent(self, resources: Resources) -> None:
        """A service account signs in and is added; no list of people has it."""
        await resources.principals.add("tnt_acme", "svc_ci", email=None, name=None, now=resources.clock.now())
        for _ in range(3):
            await sync(resources)

        assert (await user(resources, "svc_ci")).deleted_at is None

    @pytest.mark.parametrize("what", ["users", "groups", "memberships"])
    async def test_a_large_shrink_changes_nothing_unless_forced(
        self, resources: Resources, scaikey: PlayedDirectory, what: str
    ) -> None:
        scaikey.add_group("grp_third", "usr_0")
        await sync(resources)
        scaikey.add_user("usr_new")
        if what == "users":
            for number in range(3):
                del scaikey.users["tnt_acme", f"usr_{number}"]
        elif what == "groups":
            scaikey.names.clear()
        else:
            scaikey.inside["tnt_acme", "grp_eng"] = {"usr_0"}

        report = await sync(resources)
        assert report.skipped_reason == "shrink_over_limit"
        assert what in (report.skipped_detail or "")
        assert "force" in (report.skipped_detail or "")
        async with resources.db.read() as session:
            assert await session.get(User, ("tnt_acme", "usr_new")) is None
            missed = await session.scalars(select(User.id).where(User.absent_since.is_not(None)))
            assert not list(missed)

        forced = await sync(resources, force=True)
        assert (forced.skipped_reason, forced.users_added) == (None, 1)
        assert forced.missed_once >= 3
        # Once let through, it needs no force to be confirmed.
        confirmed = await sync(resources)
        assert confirmed.skipped_reason is None
        assert getattr(confirmed, f"{what}_soft_deleted") >= 3

    async def test_one_of_few_may_go(self, resources: Resources, scaikey: PlayedDirectory) -> None:
        del scaikey.names["tnt_acme", "grp_eng"]
        scaikey.add_group("grp_ops", "usr_1", "usr_2", "usr_3")
        await sync(resources)
        scaikey.inside["tnt_acme", "grp_ops"].discard("usr_3")

        assert (await sync(resources)).skipped_reason is None


class TestWithoutScopes:
    async def test_people_are_found_by_walking_when_effective_users_are_not_allowed(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        scaikey.refused = {"effective_users"}
        report = await sync(resources)

        assert (report.users_method, report.users_seen, report.memberships_seen) == ("member_walk", 10, 12)
        assert (await user(resources, "usr_1")).status == "ACTIVE"

    async def test_a_walk_deletes_nobody_and_forgets_nothing(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        scaikey.add_user("usr_1", status="SUSPENDED")
        await sync(resources)
        scaikey.refused = {"tenants"}
        for group in scaikey.inside.values():
            group.discard("usr_9")
        for _ in range(2):
            report = await sync(resources)

        assert report.memberships_soft_deleted == 1
        assert report.users_soft_deleted == 0
        assert (await user(resources, "usr_9")).deleted_at is None
        suspended = await user(resources, "usr_1")
        assert (suspended.status, suspended.display_name) == ("SUSPENDED", "Usr_1")

    async def test_groups_stay_when_they_are_not_allowed_any_more(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        scaikey.refused = {"groups"}
        for _ in range(2):
            report = await sync(resources)

        assert (report.skipped_reason, report.groups_seen, report.users_seen) == (None, 0, 11)
        assert len(await members(resources, "grp_eng")) == 6

    async def test_members_that_are_nowhere_keep_nobody_from_being_suspended(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        """Where members are listed is not public; and a group may go while the others are read."""
        await sync(resources)
        scaikey.missing = {"members"}
        scaikey.add_user("usr_1", status="SUSPENDED")
        for _ in range(2):
            report = await sync(resources)

        assert (report.skipped_reason, report.groups_seen, report.users_seen) == (None, 2, 11)
        assert (await user(resources, "usr_1")).status == "SUSPENDED"
        assert len(await members(resources, "grp_eng")) == 6

    async def test_without_both_nothing_is_done(self, resources: Resources, scaikey: PlayedDirectory) -> None:
        scaikey.refused = {"effective_users", "groups"}

        report = await sync(resources)

        assert report.skipped_reason == "access_denied"
        assert "admin:read" in (report.skipped_detail or "")

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            (ScaiKeyNotConfigured(), "credentials_missing"),
            (ScaiKeyRefused(scaikey_error="invalid_client"), "credentials_refused"),
        ],
    )
    async def test_credentials_that_are_missing_or_wrong_are_a_reason(
        self, resources: Resources, scaikey: PlayedDirectory, failure: Exception, reason: str
    ) -> None:
        async def fail(_: str) -> None:
            raise failure

        scaikey.on_list = fail
        assert (await sync(resources)).skipped_reason == reason

    @pytest.mark.parametrize("where", ["tenants", "groups", "members"])
    async def test_a_scaikey_that_fails_on_the_way_changes_nothing(
        self, resources: Resources, scaikey: PlayedDirectory, where: str
    ) -> None:
        async def fail(name: str) -> None:
            if name == where:
                raise UpstreamUnavailable("scaikey", status=503)

        scaikey.on_list = fail
        with pytest.raises(UpstreamUnavailable):
            await sync(resources)

        async with resources.db.read() as session:
            assert list(await session.scalars(select(User.id))) == []


class TestNesting:
    async def test_groups_inside_groups_are_flattened(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        scaikey.add_group("grp_all", "grp_eng", "grp_mid", "usr_0")
        scaikey.add_group("grp_mid", "grp_deep")
        scaikey.add_group("grp_deep", "usr_9", "grp_all")  # a circle

        await sync(resources)

        everybody = {f"usr_{number}" for number in range(6)} | {"usr_9"}
        for group in ("grp_all", "grp_mid", "grp_deep"):
            assert await members(resources, group) == everybody
        async with resources.db.read() as session:
            direct = await session.scalars(
                select(Membership.user_id).where(Membership.group_id == "grp_all", Membership.direct)
            )
            assert set(direct) == {"usr_0"}
            assert len(list(await session.scalars(select(GroupNesting)))) == 4

        scaikey.inside["tnt_acme", "grp_all"] = {"usr_0"}
        for _ in range(2):
            await sync(resources, force=True)
        assert await members(resources, "grp_all") == {"usr_0"}
        assert await members(resources, "grp_mid") == {"usr_0", "usr_9"}

    async def test_ids_belong_to_their_tenant(self, resources: Resources, scaikey: PlayedDirectory) -> None:
        scaikey.add_user("usr_0", "tnt_globex", name="Another")
        scaikey.add_group("grp_eng", "usr_0", "grp_ops", tenant_id="tnt_globex")
        await sync(resources)

        assert (await user(resources, "usr_0", "tnt_globex")).display_name == "Another"
        async with resources.db.read() as session:
            abroad = await session.scalars(
                select(Membership.user_id).where(Membership.tenant_id == "tnt_globex")
            )
            assert set(abroad) == {"usr_0"}


class TestMeanwhile:
    async def test_rows_changed_since_the_sync_began_are_left(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources)
        scaikey.add_user("usr_1", name="Of the list")
        scaikey.add_user("usr_2", name="Of the list")
        scaikey.add_user("usr_new", name="Of the list")
        now = resources.clock.now()

        async def meanwhile(name: str) -> None:
            if name == "groups":
                await change_user(resources.db, "tnt_acme", "usr_1", display_name="News", changed_at=now)
                await resources.principals.add("tnt_acme", "usr_new", email=None, name="First visit", now=now)

        scaikey.on_list = meanwhile
        await sync(resources)

        assert (await user(resources, "usr_1")).display_name == "News"
        assert (await user(resources, "usr_2")).display_name == "Of the list"
        assert (await user(resources, "usr_new")).display_name == "First visit"
        scaikey.on_list = None
        await sync(resources)
        assert (await user(resources, "usr_new")).display_name == "Of the list"

    async def test_one_sync_runs_at_a_time(self, resources: Resources) -> None:
        async with Leases(resources.db).hold("directory sync", ttl_s=30, wait_s=0):
            report = await sync(resources)

        assert report.skipped_reason == "already_running"

    async def test_many_at_once_do_the_work_once(self, resources: Resources) -> None:
        reports = await asyncio.gather(*(sync(resources) for _ in range(5)))

        assert sum(report.users_added for report in reports) == 11
        assert {report.skipped_reason for report in reports} <= {None, "already_running"}


class TestRolesOfGroups:
    async def role(self, resources: Resources, user_id: str, tenant_id: str = "tnt_acme") -> str | None:
        return (await user(resources, user_id, tenant_id)).group_role

    async def test_a_group_is_named_by_its_id(self, resources: Resources) -> None:
        report = await sync(resources, super_admin_groups=("grp_ops",))

        assert (report.super_admins_group_promoted, report.super_admin_count) == (6, 6)
        assert await self.role(resources, "usr_9") == "super_admin"
        assert await self.role(resources, "usr_0") is None

    async def test_a_name_counts_within_the_platform_only(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        scaikey.add_group("grp_x", "usr_1", name="Operators")
        scaikey.add_group("grp_y", "usr_root", name="Operators", tenant_id="tnt_platform")

        nowhere = await sync(resources, super_admin_groups=("Operators",))
        assert nowhere.super_admin_count == 0
        report = await sync(resources, super_admin_groups=("Operators",), platform_tenant="tnt_platform")

        assert report.super_admin_count == 1
        assert await self.role(resources, "usr_root", "tnt_platform") == "super_admin"
        assert await self.role(resources, "usr_1") is None

    async def test_an_id_that_several_tenants_have_means_the_platforms(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        scaikey.add_user("usr_evil", "tnt_globex")
        scaikey.add_group("grp_ops", "usr_evil", tenant_id="tnt_globex")
        lent = await sync(resources, super_admin_groups=("grp_ops",))
        assert lent.super_admin_count == 0

        scaikey.add_group("grp_ops", "usr_root", tenant_id="tnt_platform")
        await sync(resources, super_admin_groups=("grp_ops",), platform_tenant="tnt_platform")
        assert await self.role(resources, "usr_root", "tnt_platform") == "super_admin"
        assert await self.role(resources, "usr_evil", "tnt_globex") is None

    async def test_who_leaves_the_group_loses_the_role_but_not_one_granted_by_hand(
        self, resources: Resources, scaikey: PlayedDirectory
    ) -> None:
        await sync(resources, super_admin_groups=("grp_ops",))
        await change_user(resources.db, "tnt_acme", "usr_9", manual_role="super_admin")
        for leaver in ("usr_8", "usr_9"):
            scaikey.inside["tnt_acme", "grp_ops"].discard(leaver)
            await sync(resources, super_admin_groups=("grp_ops",))
        report = await sync(resources, super_admin_groups=("grp_ops",))

        assert report.super_admins_group_demoted == 1
        assert await self.role(resources, "usr_8") is None
        left = await user(resources, "usr_9")
        assert (left.group_role, effective_role(left)[0]) == (None, AdminRole.SUPER_ADMIN)
        assert report.super_admin_count == 5
        async with resources.db.read() as session:
            told = select(AuditEvent.action, AuditEvent.actor_id).where(AuditEvent.target_id == "usr_8")
            rows = (await session.execute(told.order_by(AuditEvent.seq))).all()
        assert [tuple(row) for row in rows] == [("role.granted", "system"), ("role.revoked", "system")]

    async def test_many_roles_are_changed_in_short_transactions(
        self, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(roles, "_AT_ONCE", 2)
        parts: list[tuple[int, int]] = []
        reconcile = roles.GroupRoles.reconcile

        async def watched(self: Any, session: Any, now: Any) -> Any:
            found = await reconcile(self, session, now)
            parts.append((found.promoted, found.demoted))
            return found

        monkeypatch.setattr(roles.GroupRoles, "reconcile", watched)
        given = await sync(resources, super_admin_groups=("grp_ops",))
        moved = await sync(resources, super_admin_groups=("grp_eng",))

        assert (given.super_admins_group_promoted, given.super_admin_count) == (6, 6)
        assert (moved.super_admins_group_promoted, moved.super_admins_group_demoted) == (4, 4)
        assert moved.super_admin_count == 6
        # Roles are taken first, and a look that finds less than it may change is the last one.
        assert parts == [(2, 0)] * 3 + [(0, 0)] + [(0, 2)] * 2 + [(2, 0)] * 2 + [(0, 0)]

    async def test_what_a_process_left_is_done_by_the_next_sync(
        self, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def dies(*_: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as dying:
            dying.setattr(roles, "_AT_ONCE", 2)
            dying.setattr(roles.GroupRoles, "settle", dies)
            with pytest.raises(RuntimeError):
                await sync(resources, super_admin_groups=("grp_ops",))
        assert await DirectorySync(resources)._roles.count() == 2

        report = await sync(resources, super_admin_groups=("grp_ops",))
        assert (report.super_admins_group_promoted, report.super_admin_count) == (4, 6)

    async def test_without_the_setting_nobody_holds_it(self, resources: Resources) -> None:
        await sync(resources, super_admin_groups=("grp_ops",))
        report = await sync(resources)

        assert (report.super_admins_group_demoted, report.super_admin_count) == (6, 0)

    async def test_it_says_so_when_nobody_is_super_admin(
        self, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        configure_logging("INFO")
        try:
            await sync(resources)
        finally:
            configure_logging("CRITICAL")

        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        (line,) = [line for line in lines if line["event"] == NO_SUPER_ADMIN]
        assert "scaiflow admin grant" in line["ways"][0]
