"""The catalog when the store fails, holds something else, or several people publish at the same moment."""

import asyncio
import hashlib
import io
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import orjson
import pytest
from api_apps import shared_app
from api_catalog_calls import Json, listed, publish, versions
from api_refusals import refused
from people import People, Person
from sqlalchemy import func, select, update

from scaiflow_api.compiler.package import PackageInfo, build_package
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.domains.catalog import publishing
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.turns import Turns
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Settings
from scaiflow_api.storage import BlobStore, PackageFiles, StoreUnavailable

PUBLISHERS = 12
KEY = "catalog/tnt_acme/echo-agent/v{}.scaipkg"


class FaultyBlobs:
    """A store of which a put fails before or after its work, or waits after it."""

    def __init__(self, inner: BlobStore) -> None:
        self._inner = inner
        self.get, self.delete, self.keys = inner.get, inner.delete, inner.keys
        self.check, self.close = inner.check, inner.close
        self.fault = ""
        self.puts = 0

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        fault, self.fault = self.fault, ""
        self.puts += 1
        if fault == "down":
            raise StoreUnavailable
        await self._inner.put(key, data, if_absent=if_absent)
        if fault == "answer lost":
            raise StoreUnavailable
        if fault == "held":
            self.arrived.set()
            await self.go_on.wait()

    def hold_the_next(self) -> None:
        self.fault, self.arrived, self.go_on = "held", asyncio.Event(), asyncio.Event()


@pytest.fixture
def blobs(resources: Resources) -> FaultyBlobs:
    return FaultyBlobs(resources.blobs)


def client_of(settings: Settings, resources: Resources) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(shared_app(settings, resources), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1")


@pytest.fixture
async def api(
    settings: Settings, resources: Resources, blobs: FaultyBlobs
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings, replace(resources, blobs=blobs)) as client:
        yield client


async def rows(resources: Resources) -> tuple[int, int]:
    """The number of packages and of versions that there are."""
    async with resources.db.read() as session:
        packages = await session.scalar(select(func.count()).select_from(CatalogPackage))
        published = await session.scalar(select(func.count()).select_from(CatalogVersion))
    return packages or 0, published or 0


class TestTheStoreFails:
    @pytest.mark.parametrize(("fault", "next_version"), [("down", "0.1.0"), ("answer lost", "0.1.1")])
    async def test_nothing_half_published_is_seen_and_a_retry_succeeds(
        self,
        api: httpx.AsyncClient,
        people: People,
        echo: Json,
        resources: Resources,
        blobs: FaultyBlobs,
        fault: str,
        next_version: str,
    ) -> None:
        blobs.fault = fault
        body = {"package_id": "echo-agent", "content": echo}
        failed = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

        assert refused(failed) == (503, "store_unavailable")
        assert await rows(resources) == (0, 0)
        assert await versions(api, people.bob.headers, expect=404) == []
        assert (await publish(api, people.bob.headers, echo))["version"] == next_version
        assert await versions(api, people.bob.headers) == [next_version]

    @pytest.mark.parametrize("mark", ["", "-rc.1", "+b.1"])
    async def test_many_orphans_are_skipped_at_once(
        self,
        api: httpx.AsyncClient,
        people: People,
        echo: Json,
        resources: Resources,
        blobs: FaultyBlobs,
        mark: str,
    ) -> None:
        for patch in range(20):
            orphan = PackageFiles.KEYS.of("tnt_acme", "echo-agent", f"0.1.{patch}{mark}")
            await resources.blobs.put(orphan, b"left behind")

        made = await publish(api, people.bob.headers, echo, version=f"0.1.0{mark}")

        assert made["version"] == f"0.1.20{mark}"
        assert blobs.puts == 2

    async def test_a_lost_object_is_said_to_be_lost(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
    ) -> None:
        await publish(api, people.bob.headers, echo)
        await resources.blobs.delete(KEY.format("0.1.0"))

        for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/install")):
            answer = await api.request(
                method,
                f"/catalog/echo-agent{path}",
                json={} if method == "POST" else None,
                headers=people.bob.headers,
            )
            assert refused(answer) == (503, "package_content_missing")
        assert await listed(api, people.bob.headers) == ["echo-agent"]
        # The number stays taken: its row says what was published under it.
        assert (await publish(api, people.bob.headers, echo, version="0.1.0"))["version"] == "0.1.1"

    async def test_other_bytes_than_were_published_are_not_handed_out(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
    ) -> None:
        await publish(api, people.bob.headers, echo)
        other = build_package(
            {**echo, "name": "Other"}, PackageInfo(package_id="echo-agent", name="Echo Agent")
        )
        await resources.blobs.put(KEY.format("0.1.0"), other)

        for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/install")):
            body = {} if method == "POST" else None
            answer = await api.request(
                method, f"/catalog/echo-agent{path}", json=body, headers=people.bob.headers
            )
            assert refused(answer) == (503, "package_damaged")


def hostile(echo: Json, kind: str) -> bytes:
    good = build_package(echo, PackageInfo(package_id="echo-agent", name="Echo Agent"))
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    match kind:
        case "a way out":
            files["../../evil.json"] = b"{}"
        case "a bomb":
            files["README.md"] = b" " * 1024 * 1024
        case "another flow":
            files["flow.json"] = orjson.dumps({**echo, "name": "Other"})
        case "no flow":
            files["flow.json"] = b'{"id": "flow_x"}'
    if kind != "another flow":
        told = orjson.loads(files["package.json"])
        told["files"] = {
            name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "package.json"
        }
        files["package.json"] = orjson.dumps(told)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a way out", "a file that no package has: '../../evil.json'"),
        ("a bomb", "more than 200 times"),
        ("another flow", "not those whose digests"),
        ("no flow", "is no flow document"),
    ],
)
async def test_a_hostile_package_is_not_installed(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, kind: str, reason: str
) -> None:
    """Even one that came into the store together with its row."""
    await publish(api, people.bob.headers, echo)
    evil = hostile(echo, kind)
    await resources.blobs.put(KEY.format("0.1.0"), evil)
    async with resources.db.write() as session:
        await session.execute(update(CatalogVersion).values(sha256=hashlib.sha256(evil).hexdigest()))

    for save in (False, True):
        answer = await api.post(
            "/catalog/echo-agent/install", json={"save": save}, headers=people.bob.headers
        )
        assert refused(answer) == (503, "package_damaged")
        assert reason in answer.json()["detail"]["reason"]
    assert (await api.get("/flows", headers=people.bob.headers)).json()["total"] == 0


async def test_a_flow_beyond_the_limits_of_today_is_not_installed(
    api: httpx.AsyncClient, people: People, echo: Json, settings: Settings, resources: Resources
) -> None:
    await publish(api, people.bob.headers, echo)

    async with client_of(settings, replace(resources, limits=Limits(max_nodes=1))) as strict:
        answer = await strict.post("/catalog/echo-agent/install", json={}, headers=people.bob.headers)
        again = await strict.post(
            "/catalog/publish", json={"package_id": "x", "content": echo}, headers=people.bob.headers
        )

    assert refused(answer) == refused(again) == (413, "flow_too_large")


class TestTogether:
    @pytest.fixture
    async def processes(
        self, settings: Settings, resources: Resources
    ) -> AsyncIterator[list[httpx.AsyncClient]]:
        """Three processes that share nothing but database and store."""
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(3):
                opened = await stack.enter_async_context(open_resources(settings))
                opened = replace(opened, tokens=resources.tokens)
                clients.append(await stack.enter_async_context(client_of(settings, opened)))
            yield clients

    @pytest.mark.parametrize("first", [True, False])
    async def test_everybody_gets_a_version_of_their_own(
        self, processes: list[httpx.AsyncClient], people: People, echo: Json, first: bool
    ) -> None:
        if not first:
            await publish(processes[0], people.bob.headers, echo, version="0.0.1")

        async def one(number: int) -> str:
            made = await publish(
                processes[number % 3],
                people.bob.headers,
                {**echo, "name": f"N{number}"},
                version="1.0.0",
                readme=f"{number}",
            )
            assert isinstance(made["version"], str)
            return made["version"]

        given = await asyncio.gather(*(one(number) for number in range(PUBLISHERS)))

        assert len(set(given)) == PUBLISHERS
        found = await versions(processes[0], people.bob.headers)
        assert sorted(found) == sorted([*given, *([] if first else ["0.0.1"])])
        for number, version in enumerate(given):
            installed = await processes[1].post(
                "/catalog/echo-agent/install", json={"version": version}, headers=people.bob.headers
            )
            assert installed.json()["content"]["name"] == f"N{number}"

    async def test_one_becomes_the_author_and_the_other_is_refused(
        self, processes: list[httpx.AsyncClient], people: People, echo: Json
    ) -> None:
        body = {"package_id": "echo-agent", "content": echo}

        async def one(number: int, person: Person) -> httpx.Response:
            return await processes[number].post("/catalog/publish", json=body, headers=person.headers)

        answers = await asyncio.gather(one(0, people.bob), one(1, people.erin))

        won = [answer for answer in answers if answer.status_code == 201]
        assert len(won) == 1
        assert [refused(answer) for answer in answers if answer not in won] == [(403, "not_package_author")]
        read = (await processes[2].get("/catalog/echo-agent", headers=people.carol.headers)).json()
        assert read["author_id"] == won[0].json()["author_id"]
        assert [row["version"] for row in read["versions"]] == [won[0].json()["version"]]


Rival = Callable[[], Awaitable[object]]


class TestPublishAgainst:
    """Bob's second version has its object and not yet its row when something else happens."""

    @pytest.fixture
    def race(
        self, api: httpx.AsyncClient, people: People, echo: Json, blobs: FaultyBlobs
    ) -> Callable[[Rival], Awaitable[httpx.Response]]:
        async def run(rival: Rival) -> httpx.Response:
            await publish(api, people.bob.headers, echo)
            blobs.hold_the_next()
            body = {"package_id": "echo-agent", "content": {**echo, "name": "Second"}}
            publishing = asyncio.create_task(
                api.post("/catalog/publish", json=body, headers=people.bob.headers)
            )
            await asyncio.wait_for(blobs.arrived.wait(), 10)
            # The one that is waiting is not seen.
            assert await versions(api, people.bob.headers) == ["0.1.0"]
            await rival()
            blobs.go_on.set()
            return await publishing

        return run

    async def test_a_rename_stays_and_the_version_is_published(
        self, api: httpx.AsyncClient, people: People, race: Callable[[Rival], Awaitable[httpx.Response]]
    ) -> None:
        change = {"name": "Renamed", "visibility": "groups", "visibility_group_ids": ["grp_eng"]}

        made = await race(lambda: api.patch("/catalog/echo-agent", json=change, headers=people.bob.headers))

        assert made.status_code == 201
        assert {key: made.json()[key] for key in change} == change

    async def test_after_a_deletion_the_version_begins_a_new_package(
        self, api: httpx.AsyncClient, people: People, race: Callable[[Rival], Awaitable[httpx.Response]]
    ) -> None:
        made = await race(lambda: api.delete("/catalog/echo-agent", headers=people.bob.headers))

        assert (made.status_code, made.json()["version"]) == (201, "0.1.1")
        assert await versions(api, people.bob.headers) == ["0.1.1"]

    async def test_somebody_else_taking_the_id(
        self,
        api: httpx.AsyncClient,
        people: People,
        echo: Json,
        settings: Settings,
        resources: Resources,
        race: Callable[[Rival], Awaitable[httpx.Response]],
    ) -> None:
        async def rival() -> None:
            assert (await api.delete("/catalog/echo-agent", headers=people.bob.headers)).status_code == 204
            async with client_of(settings, replace(resources, saves=Turns())) as elsewhere:
                await publish(elsewhere, people.erin.headers, echo)

        made = await race(rival)

        assert refused(made) == (403, "not_package_author")
        read = (await api.get("/catalog/echo-agent", headers=people.bob.headers)).json()
        assert (read["author_id"], [row["version"] for row in read["versions"]]) == ("usr_erin", ["0.1.2"])


async def test_a_package_that_never_stands_still_is_given_up(
    api: httpx.AsyncClient, people: People, echo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_GIVE_UP_AFTER_S", 0.0)
    body = {"package_id": "echo-agent", "content": echo}

    answer = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert (refused(answer), answer.headers["Retry-After"]) == ((503, "publish_contention"), "1")


async def test_publishing_waits_for_those_before_it_only_so_long(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_GIVE_UP_AFTER_S", 0.2)
    body = {"package_id": "echo-agent", "content": echo}

    async with (
        resources.saves.of("catalog/tnt_acme/echo-agent", until=time.monotonic() + 1),
        asyncio.timeout(5),
    ):
        behind = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert refused(behind) == (503, "publish_contention")
    monkeypatch.undo()
    assert (await api.post("/catalog/publish", json=body, headers=people.bob.headers)).status_code == 201
