"""The sync and its loop over the local grid's real wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from scaiflow_api.db.models.group import Membership
from scaiflow_api.db.models.user import User
from scaiflow_api.domains.directory import loop, sync
from scaiflow_api.domains.directory.loop import syncing
from scaiflow_api.domains.directory.sync import DirectorySync
from scaiflow_api.localgrid import GridConfig, create_grid
from scaiflow_api.localgrid.scaikey.people import ADMIN_CLIENT, ADMIN_SECRET
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, Database, Directory, Environment, ScaiKey, Settings, Store
from scaiflow_api.upstreams.scaikey import ScaiKey as ScaiKeyClient
from scaiflow_api.upstreams.scaikey_directory import ScaiKeyDirectory

GRID = "http://127.0.0.1:8002"


@dataclass
class Stage:
    """An API's resources, and the grid that they talk to."""

    resources: Resources
    grid: httpx.AsyncClient
    wire: httpx.ASGITransport

    async def admin(self, method: str, path: str, **request: object) -> None:
        form = {"grant_type": "client_credentials"}
        tokens = await self.grid.post(
            "/scaikey/api/v1/platform/oauth/token", data=form, auth=(ADMIN_CLIENT, ADMIN_SECRET)
        )
        headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
        answer = await self.grid.request(method, f"/scaikey/api/v1{path}", headers=headers, **request)  # type: ignore[arg-type]
        assert answer.is_success, answer.text

    async def people(self) -> dict[str, str]:
        """Ids of the mirrored people, with their status or `deleted`."""
        async with self.resources.db.read() as session:
            rows = await session.scalars(select(User))
            return {user.id: "deleted" if user.deleted_at else user.status for user in rows}

    async def members(self, group_id: str) -> set[str]:
        async with self.resources.db.read() as session:
            rows = select(Membership.user_id).where(
                Membership.group_id == group_id, Membership.deleted_at.is_(None)
            )
            return set(await session.scalars(rows))


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    config = GridConfig(
        database=tmp_path / "grid.db",
        base_url=GRID,
        api_client_id="scaiflow-local",
        api_client_secret="only-here",
        redirect_uris=("http://localhost:5173/auth/callback",),
        faults=True,
    )
    settings = Settings(
        api=Api(env=Environment.DEVELOPMENT),
        database=Database(url=SecretStr(database_url), pool_size=5),
        store=Store(url="memory:"),
        scaikey=ScaiKey(
            base_url=f"{GRID}/scaikey", client_id="scaiflow-local", client_secret=SecretStr("only-here")
        ),
        directory=Directory(super_admin_groups=("grp_ops",)),
    )
    app = create_grid(config)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        wire = httpx.ASGITransport(app)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=wire, base_url=GRID))
        opened = await stack.enter_async_context(open_resources(settings))
        scaikey = ScaiKeyClient(wire, settings.scaikey)
        directory = ScaiKeyDirectory(wire, settings.scaikey, scaikey)
        yield Stage(replace(opened, scaikey=scaikey, directory=directory), client, wire)


async def test_the_demo_people_are_mirrored(stage: Stage) -> None:
    report = await DirectorySync(stage.resources).run()

    assert report.users_method == "effective_users"
    assert set(await stage.people()) == {"usr_alice", "usr_bob", "usr_carol", "usr_dave", "usr_root"}
    assert await stage.members("grp_eng") == {"usr_alice", "usr_bob"}
    assert (report.super_admins_group_promoted, report.super_admin_count) == (1, 1)


async def test_changes_and_nested_groups_follow(stage: Stage) -> None:
    await DirectorySync(stage.resources).run()
    await stage.admin("POST", "/admin/users/usr_bob/suspend")
    await stage.admin("POST", "/admin/groups/grp_ops/members", json={"group_id": "grp_eng"})

    report = await DirectorySync(stage.resources).run()

    assert (await stage.people())["usr_bob"] == "SUSPENDED"
    assert await stage.members("grp_ops") == {"usr_alice", "usr_bob", "usr_carol"}
    assert (report.super_admins_group_promoted, report.super_admin_count) == (2, 2)


async def test_it_falls_back_to_walking_through_groups(stage: Stage) -> None:
    fault = {
        "prefix": "/scaikey/api/v1/tenants/*/applications/me/effective-users",
        "status": 403,
        "body": "{}",
    }
    await stage.grid.put("/_faults", json=fault)

    report = await DirectorySync(stage.resources).run()

    assert report.users_method == "member_walk"
    assert set(await stage.people()) == {"usr_alice", "usr_bob", "usr_carol"}


async def test_a_wrong_secret_is_a_reason(stage: Stage) -> None:
    settings = ScaiKey(
        base_url=f"{GRID}/scaikey", client_id="scaiflow-local", client_secret=SecretStr("wrong")
    )
    directory = ScaiKeyDirectory(stage.wire, settings, ScaiKeyClient(stage.wire, settings))

    report = await DirectorySync(replace(stage.resources, directory=directory)).run()

    assert report.skipped_reason == "credentials_refused"
    assert "wrong" not in str(report)


async def until(stage: Stage, user_id: str, status: str) -> None:
    async with asyncio.timeout(20):
        while (await stage.people()).get(user_id) != status:  # noqa: ASYNC110 - the mirror tells nobody
            await asyncio.sleep(0.02)


class TestLoop:
    async def test_it_syncs_at_start_and_when_it_is_wanted(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "_GATHER_S", 0.01)
        async with syncing(stage.resources):
            await until(stage, "usr_bob", "ACTIVE")
            await stage.admin("POST", "/admin/users/usr_bob/suspend")
            stage.resources.sync_wanted.set()
            await until(stage, "usr_bob", "SUSPENDED")

    async def test_it_tries_again_after_a_failure(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "_FIRST_RETRY_S", 0.01)
        await stage.grid.put("/_faults", json={"prefix": "/scaikey/api/v1/admin", "status": 400, "times": 2})
        async with syncing(stage.resources):
            await until(stage, "usr_bob", "ACTIVE")

    async def test_what_was_wanted_is_tried_again_too(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("_GATHER_S", "_ASK_AGAIN_S"):
            monkeypatch.setattr(loop, name, 0.01)
        directory = Directory(_env_file=None, sync_interval_minutes=0)
        settings = stage.resources.settings.model_copy(update={"directory": directory})
        await stage.grid.put("/_faults", json={"prefix": "/scaikey/api/v1/admin", "status": 400, "times": 2})
        async with syncing(replace(stage.resources, settings=settings)):
            stage.resources.sync_wanted.set()
            await until(stage, "usr_bob", "ACTIVE")

    async def test_what_was_missed_is_looked_for_again_soon(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "_FOLLOW_UP_S", 0.01)
        await DirectorySync(stage.resources).run()
        await stage.admin("DELETE", "/admin/users/usr_bob")
        async with syncing(stage.resources):
            await until(stage, "usr_bob", "deleted")

    async def test_one_process_of_several_leads(self, stage: Stage) -> None:
        synced = []

        async def count(self: DirectorySync, **_: object) -> object:
            synced.append(self)
            return await original(self)

        original = DirectorySync.run
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(DirectorySync, "run", count)
            async with AsyncExitStack() as processes:
                for _ in range(4):
                    await processes.enter_async_context(syncing(stage.resources))
                await until(stage, "usr_bob", "ACTIVE")

        assert len(synced) == 1

    async def test_the_next_leads_when_the_leader_ends(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for room in (loop, sync):
            monkeypatch.setattr(room, "_LEASE_S", 2.0)  # where one is not given back it runs out
        monkeypatch.setattr(loop, "_FIRST_RETRY_S", 0.1)
        leader = syncing(stage.resources)
        await leader.__aenter__()
        await until(stage, "usr_bob", "ACTIVE")
        async with syncing(stage.resources):
            await stage.admin("POST", "/admin/users/usr_bob/suspend")
            await leader.__aexit__(None, None, None)
            await until(stage, "usr_bob", "SUSPENDED")

    async def test_without_an_interval_it_syncs_when_it_is_wanted(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loop, "_GATHER_S", 0.01)
        directory = Directory(_env_file=None, sync_interval_minutes=0)
        settings = stage.resources.settings.model_copy(update={"directory": directory})
        async with syncing(replace(stage.resources, settings=settings)):
            assert await stage.people() == {}
            stage.resources.sync_wanted.set()
            await until(stage, "usr_bob", "ACTIVE")
