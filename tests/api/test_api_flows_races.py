"""Every race has one winner, and no loser leaves anything behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest
from api_apps import shared_app
from api_flow_calls import Json, create, grant, numbers
from api_refusals import refused
from mirror import mirror
from people import People
from played_grid import PlayedGrid
from sqlalchemy import delete

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.domains.flows import saving
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Settings
from scaiflow_api.storage import FlowVersions


class HeldVersions(FlowVersions):
    """A store that stops a save between its object and its row, once `hold` is set."""

    hold = False

    async def write(self, tenant_id: str, flow_id: str, version: str, document: bytes) -> None:
        await super().write(tenant_id, flow_id, version, document)
        if self.hold:
            self.hold = False
            self.arrived.set()
            await self.go_on.wait()

    def stop_the_next(self) -> None:
        self.hold, self.arrived, self.go_on = True, asyncio.Event(), asyncio.Event()


@pytest.fixture
def store(resources: Resources) -> HeldVersions:
    return HeldVersions(resources.blobs)


@pytest.fixture
async def api(
    settings: Settings, resources: Resources, store: HeldVersions
) -> AsyncIterator[httpx.AsyncClient]:
    app = shared_app(settings, replace(resources, versions=store))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
        yield client


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json, resources: Resources) -> str:
    """A flow that bob owns and erin may edit."""
    flow_id = str((await create(api, people.bob.headers, echo))["id"])
    await grant(resources, flow_id, "usr_erin", "edit")
    return flow_id


async def stored(resources: Resources, flow: str) -> list[str]:
    """The objects of a flow."""
    return [info.key.rpartition("/")[2] async for info in resources.blobs.keys(f"flows/tnt_acme/{flow}/")]


Rival = Callable[[], Awaitable[object]]


class TestSaveAgainst:
    """Erin's save has its object and not yet its row when something else happens."""

    @pytest.fixture
    def save(
        self, api: httpx.AsyncClient, people: People, store: HeldVersions, flow: str, echo: Json
    ) -> Callable[..., Awaitable[httpx.Response]]:
        async def saved(rival: Rival, **headers: str) -> httpx.Response:
            store.stop_the_next()
            saving = asyncio.create_task(
                api.put(f"/flows/{flow}", json={"content": echo}, headers={**people.erin.headers, **headers})
            )
            await store.arrived.wait()
            await rival()
            store.go_on.set()
            return await saving

        return saved

    @pytest.fixture
    def bob(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> Callable[..., Awaitable[httpx.Response]]:
        """Send a request of the owner's about the flow."""

        async def sent(method: str, path: str = "", **body: object) -> httpx.Response:
            answer = await api.request(
                method, f"/flows/{flow}{path}", json=body or None, headers=people.bob.headers
            )
            assert answer.is_success, answer.text
            return answer

        return sent

    async def test_delete_wins_and_the_version_never_was(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
        echo: Json,
    ) -> None:
        assert refused(await save(lambda: bob("DELETE"))) == (404, "flow_not_found")

        await bob("POST", "/restore")
        assert await numbers(api, people.bob.headers, flow) == ["1.0.0"]
        assert await stored(resources, flow) == ["v1.0.0.flow.json"]
        assert (await bob("PUT", content=echo)).json()["version"] == "1.0.1"

    async def test_deleted_and_restored_meanwhile_it_is_saved(
        self,
        api: httpx.AsyncClient,
        people: People,
        flow: str,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
    ) -> None:
        async def away_and_back() -> None:
            await bob("DELETE")
            await bob("POST", "/restore")

        assert (await save(away_and_back)).json()["version"] == "1.0.1"
        assert await numbers(api, people.bob.headers, flow) == ["1.0.1", "1.0.0"]

    @pytest.mark.parametrize("rival", ["rename", "delete and restore", "transfer"])
    async def test_a_condition_sees_every_change_and_the_number_stays_free(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
        echo: Json,
        rival: str,
    ) -> None:
        tag = (await bob("GET")).headers["etag"]

        async def change() -> None:
            if rival == "rename":
                await bob("PUT", name="Faster")
            elif rival == "transfer":
                await bob("POST", "/transfer", owner_id="usr_erin")
            else:
                await bob("DELETE")
                await bob("POST", "/restore")

        assert refused(await save(change, **{"If-Match": tag})) == (412, "version_conflict")
        assert await stored(resources, flow) == ["v1.0.0.flow.json"]
        async with asyncio.timeout(3):  # an orphan would be waited for
            assert (await bob("PUT", content=echo)).json()["version"] == "1.0.1"

    async def test_restoring_a_version_both_become_versions(
        self,
        api: httpx.AsyncClient,
        people: People,
        flow: str,
        store: HeldVersions,
        bob: Callable[..., Awaitable[httpx.Response]],
        echo: Json,
    ) -> None:
        answers = await asyncio.gather(
            *(bob("POST", "/versions/1.0.0/restore") for _ in range(4)),
            *(bob("PUT", content=echo) for _ in range(4)),
        )

        assert sorted(answer.json()["version"] for answer in answers) == [f"1.0.{n}" for n in range(1, 9)]
        assert len(await numbers(api, people.bob.headers, flow)) == 9

    @pytest.mark.parametrize(
        ("left", "outcome"), [(None, (404, "flow_not_found")), ("view", (403, "insufficient_acl"))]
    )
    async def test_a_revoked_grant_is_of_no_use(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        flow: str,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
        echo: Json,
        left: str | None,
        outcome: tuple[int, str],
    ) -> None:
        async def revoke() -> None:
            async with resources.db.write() as session:
                await session.execute(delete(FlowAcl).where(FlowAcl.flow_id == flow))
            if left is not None:
                await grant(resources, flow, "usr_erin", left)

        assert refused(await save(revoke)) == outcome

        assert await numbers(api, people.bob.headers, flow) == ["1.0.0"]
        assert await stored(resources, flow) == ["v1.0.0.flow.json"]
        assert (await bob("PUT", content=echo)).json()["version"] == "1.0.1"

    async def test_given_away_it_is_saved_by_what_the_grants_are_now(
        self,
        api: httpx.AsyncClient,
        people: People,
        store: HeldVersions,
        flow: str,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
    ) -> None:
        """Erin's grant goes, since an owner needs none; her save goes on as the owner's."""
        await api.get("/me", headers=people.erin.headers)

        assert (await save(lambda: bob("POST", "/transfer", owner_id="usr_erin"))).status_code == 200

        assert await numbers(api, people.erin.headers, flow) == ["1.0.1", "1.0.0"]

    async def test_deploying_takes_what_was_current_when_its_turn_began(
        self,
        api: httpx.AsyncClient,
        people: People,
        grid: PlayedGrid,
        save: Callable[..., Awaitable[httpx.Response]],
        bob: Callable[..., Awaitable[httpx.Response]],
    ) -> None:
        async def deploy() -> None:
            assert (await bob("POST", "/deploy")).json()["flow_version"] == "1.0.0"

        assert (await save(deploy)).json()["version"] == "1.0.1"

        drift = (await bob("GET", "/drift")).json()
        assert (drift["deployment"]["flow_version"], drift["current_version"]) == ("1.0.0", "1.0.1")

    async def test_a_save_during_a_deploy_does_not_reach_it(
        self,
        grid: PlayedGrid,
        flow: str,
        bob: Callable[..., Awaitable[httpx.Response]],
        echo: Json,
    ) -> None:
        goal = {**echo, "metadata": {"description": "saved while it was deployed"}}

        async def save_meanwhile(_: httpx.Request) -> None:
            assert (await bob("PUT", content=goal)).json()["version"] == "1.0.1"

        grid.faults["create"] = [save_meanwhile]
        assert (await bob("POST", "/deploy")).json()["flow_version"] == "1.0.0"

        assert grid.manifests["core_1"]["scaiflow_meta"]["source_version"] == "1.0.0"
        assert (await bob("GET", "/drift")).json()["changes"]["equal"] is False


async def test_a_save_waits_for_those_before_it_only_so_long(
    api: httpx.AsyncClient,
    people: People,
    flow: str,
    store: HeldVersions,
    echo: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the store hangs, the tenth save would else be answered after ten times its deadline."""
    monkeypatch.setattr(saving, "_GIVE_UP_AFTER_S", 0.2)

    async def save() -> httpx.Response:
        return await api.put(f"/flows/{flow}", json={"content": echo}, headers=people.bob.headers)

    store.stop_the_next()
    held = asyncio.create_task(save())
    await store.arrived.wait()
    async with asyncio.timeout(5):
        behind = await asyncio.gather(*(save() for _ in range(5)))
    store.go_on.set()

    assert {refused(answer) for answer in behind} == {(503, "save_contention")}
    assert {answer.headers["Retry-After"] for answer in behind} == {"1"}
    assert (await held).json()["version"] == "1.0.1"
    assert (await save()).json()["version"] == "1.0.2"


async def test_of_many_restores_one_brings_it_back(api: httpx.AsyncClient, people: People, flow: str) -> None:
    headers = people.bob.headers
    await api.delete(f"/flows/{flow}", headers=headers)

    answers = await asyncio.gather(*(api.post(f"/flows/{flow}/restore", headers=headers) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (await api.get(f"/flows/{flow}", headers=headers)).status_code == 200


@pytest.fixture
async def servers(settings: Settings, resources: Resources) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two servers that share nothing but database and store, as two processes would."""
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(open_resources(settings))
        clients = []
        for opened in (resources, replace(other, tokens=resources.tokens)):
            app = shared_app(settings, opened)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1", timeout=60)
            clients.append(await stack.enter_async_context(client))
        yield clients


WRITERS = 64
SAVES = 500


class TestManyWriters:
    """A crowd of writers at two servers; each waits for its answer before it saves again."""

    @pytest.fixture
    async def shared(self, servers: list[httpx.AsyncClient], people: People, echo: Json) -> str:
        return str((await create(servers[0], people.bob.headers, echo))["id"])

    async def test_every_save_becomes_the_next_version(
        self, servers: list[httpx.AsyncClient], people: People, shared: str, echo: Json
    ) -> None:
        headers = people.bob.headers
        left = iter(range(SAVES))
        told: dict[str, Json] = {}

        async def write(number: int) -> list[str]:
            made = []
            for save in left:
                content = {**echo, "metadata": {"description": f"save {save} by {number}"}}
                answer = await servers[number % 2].put(
                    f"/flows/{shared}", json={"content": content}, headers=headers
                )
                assert answer.status_code == 200, answer.text
                assert answer.json()["content"]["metadata"] == content["metadata"]
                made.append(answer.json()["version"])
                told[made[-1]] = content["metadata"]
            return made

        made = await asyncio.gather(*(write(number) for number in range(WRITERS)))

        for mine in made:
            assert mine == sorted(mine, key=patch_of), "a writer's later save is the later version"
        versions = [f"1.0.{patch}" for patch in range(SAVES, 0, -1)]
        assert sorted(told, key=patch_of, reverse=True) == versions
        listed = await servers[1].get(f"/flows/{shared}/versions", headers=headers)
        assert [row["version"] for row in listed.json()] == [*versions, "1.0.0"]
        for version in versions:
            kept = await servers[0].get(f"/flows/{shared}/versions/{version}", headers=headers)
            assert kept.json()["content"]["version"] == version
            assert kept.json()["content"]["metadata"] == told[version]

    async def test_with_a_condition_one_wins_every_round(
        self, servers: list[httpx.AsyncClient], people: People, shared: str, echo: Json
    ) -> None:
        headers = people.bob.headers
        for turn in range(1, SAVES // WRITERS + 2):
            tag = (await servers[0].get(f"/flows/{shared}", headers=headers)).headers["etag"]

            answers = await asyncio.gather(
                *(
                    servers[number % 2].put(
                        f"/flows/{shared}", json={"content": echo}, headers={**headers, "If-Match": tag}
                    )
                    for number in range(WRITERS)
                )
            )

            won = [answer for answer in answers if answer.status_code == 200]
            assert [answer.json()["version"] for answer in won] == [f"1.0.{turn}"]
            lost = {refused(answer) for answer in answers if answer.status_code != 200}
            assert lost == {(412, "version_conflict")}
        assert len(await numbers(servers[1], headers, shared)) == turn + 1

    async def test_what_is_added_under_a_condition_is_never_lost(
        self, servers: list[httpx.AsyncClient], people: People, shared: str, echo: Json
    ) -> None:
        """Each writer reads, adds its line, and saves if nobody was faster, else begins anew."""
        headers = people.bob.headers

        async def add(line: str, server: httpx.AsyncClient) -> None:
            while True:
                read = await server.get(f"/flows/{shared}", headers=headers)
                content = read.json()["content"]
                lines = content["metadata"]["description"].splitlines()
                saved = await server.put(
                    f"/flows/{shared}",
                    json={"content": {**content, "metadata": {"description": "\n".join([*lines, line])}}},
                    headers={**headers, "If-Match": read.headers["etag"]},
                )
                if saved.status_code == 200:
                    return
                assert refused(saved) == (412, "version_conflict")

        added = {f"line {number}" for number in range(24)}
        await asyncio.gather(*(add(line, servers[number % 2]) for number, line in enumerate(added)))

        flow = (await servers[0].get(f"/flows/{shared}", headers=headers)).json()
        first, *lines = flow["content"]["metadata"]["description"].splitlines()
        assert (first, set(lines)) == (echo["metadata"]["description"], added)
        assert flow["version"] == "1.0.24"

    async def test_a_crowd_that_does_everything_at_once_meets_no_failure(
        self,
        servers: list[httpx.AsyncClient],
        people: People,
        resources: Resources,
        shared: str,
        echo: Json,
    ) -> None:
        """Locks are taken in one order everywhere: no database has to break a circle of waiting."""
        others = [f"usr_{number}" for number in range(24)]
        await mirror(resources.db, "tnt_acme", users=others)
        headers = people.bob.headers
        allowed = {("DELETE", 404), ("PATCH", 404), ("PUT", 404), ("POST", 404), ("POST", 409)}

        async def live(number: int, friend: str) -> None:
            """Change a flow of one's own, and one that all change, delete and bring back."""

            async def call(method: str, path: str, **body: object) -> Json:
                answer = await servers[number % 2].request(method, path, json=body or None, headers=headers)
                assert answer.is_success or (method, answer.status_code) in allowed, answer.text
                return dict(answer.json()) if answer.content else {}

            own = (await call("POST", "/flows", content=echo))["id"]
            for flow in (own, shared, own, shared):
                await call("PUT", f"/flows/{flow}", content=echo)
                grant = {"principal_type": "user", "principal_id": friend, "level": "view"}
                granted = await call("POST", f"/flows/{flow}/acls", **grant)
                await call("PUT", f"/flows/{flow}", name=f"By {friend}")
                acl = f"/flows/{flow}/acls/{granted.get('id', 'none')}"
                await call("PATCH", acl, level="edit")
                await call("DELETE", acl)
                await call("DELETE", f"/flows/{flow}")
                await call("POST", f"/flows/{flow}/restore")

        await asyncio.gather(*(live(number, friend) for number, friend in enumerate(others)))

        await servers[0].post(f"/flows/{shared}/restore", headers=headers)
        kept = await numbers(servers[1], headers, shared)
        assert kept == [f"1.0.{patch}" for patch in range(len(kept) - 1, -1, -1)]


def patch_of(version: str) -> int:
    return int(version.rpartition(".")[2])
