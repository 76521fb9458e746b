"""A request with an `Idempotency-Key` is carried out once, however often it is sent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_apps import shared_app
from api_flow_calls import Json, create, grant, numbers
from api_refusals import refused
from fastapi import FastAPI
from people import People, Person
from played_grid import PlayedGrid
from sqlalchemy import select, update
from structlog.testing import capture_logs
from test_api_permissions import API, CALLS, Who, filled, scene

from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.idempotency_keys import KEPT_S, RESERVED_S, IdempotencyKeys
from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.db.models.idempotency_key import IdempotencyKey
from scaiflow_api.domains.deploy.errors import DeployInProgress
from scaiflow_api.domains.deploy.withdrawal import WithdrawFlow
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings
from scaiflow_api.storage import FlowVersions
from scaiflow_api.web.idempotency import UNSAFE
from scaiflow_api.web.routes import rules

UNSAFE_CALLS = [key for key in CALLS if key[0] in UNSAFE]


def keyed(person: Person, key: str = "key-1", **headers: str) -> dict[str, str]:
    return {**person.headers, "Idempotency-Key": key, **headers}


async def time_passes(resources: Resources, seconds: float) -> None:
    """Make every key as much older."""
    async with resources.db.write() as session:
        await session.execute(
            update(IdempotencyKey).values(expires_ms=IdempotencyKey.expires_ms - int(seconds * 1000))
        )


async def flows_of(api: httpx.AsyncClient, person: Person) -> int:
    return int((await api.get("/flows", headers=person.headers)).json()["total"])


class TestEveryUnsafeRoute:
    """None is forgotten: the routes are those of the application."""

    def test_says_so_in_the_documentation(self, app: FastAPI) -> None:
        public = {(rule.method, rule.path) for rule in rules(app) if rule.public}
        silent, spoken = set(), set()
        for path, methods in app.openapi()["paths"].items():
            for verb, operation in methods.items():
                names = {parameter["name"] for parameter in operation.get("parameters", ())}
                method = verb.upper()
                if method in UNSAFE and (method, path) not in public:
                    errors = operation["responses"]["409"]["description"]
                    if "Idempotency-Key" not in names or "`idempotency_conflict`" not in errors:
                        silent.add((method, path))
                elif "Idempotency-Key" in names:
                    spoken.add((method, path))

        assert (silent, spoken) == (set(), set())

    @pytest.mark.parametrize("key", UNSAFE_CALLS, ids=" ".join)
    async def test_repeats_its_answer(
        self,
        app: FastAPI,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        grid: PlayedGrid,
        echo: Json,
        key: tuple[str, str],
    ) -> None:
        method, path = key
        rule = next(rule for rule in rules(app) if (rule.method, rule.path) == (method, API + path))
        person = people.root if rule.role else people.bob
        await resources.principals.add(
            "tnt_acme", "usr_heir", email=None, name=None, now=resources.clock.now()
        )
        names = await scene(api, people, resources, grid, echo, key, Who("owner", people.bob, owns=True))
        call, headers = CALLS[key], keyed(person)
        url, body = (path + call.query).format(**names), filled(call.body, names)

        first = await api.request(method, url, json=body, headers=headers)
        steps = list(grid.steps)
        second = await api.request(method, url, json=body, headers=headers)

        assert first.status_code == call.ok[0], first.text
        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert kept_headers(second) == kept_headers(first)
        assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (
            False,
            "true",
        )
        assert grid.steps == steps, "nothing was asked of ScaiGrid again"


def kept_headers(answer: httpx.Response) -> dict[str, str]:
    own = {"x-request-id", "idempotency-replayed"}
    return {name: value for name, value in answer.headers.items() if name not in own}


class TestSameKey:
    """What counts as the same request, and whose key it is."""

    async def test_is_done_once(self, api: httpx.AsyncClient, people: People, echo: Json) -> None:
        answers = [
            await api.post("/flows", json={"content": echo}, headers=keyed(people.bob)) for _ in range(3)
        ]

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await flows_of(api, people.bob) == 1

    async def test_sent_by_many_at_once_is_done_once(
        self, api: httpx.AsyncClient, people: People, flow: str, echo: Json
    ) -> None:
        async def save() -> httpx.Response:
            return await api.put(f"/flows/{flow}", json={"content": echo}, headers=keyed(people.bob))

        answers = await asyncio.gather(*(save() for _ in range(16)))

        done = [answer for answer in answers if answer.status_code == 200]
        assert done
        for answer in answers:
            if answer.status_code != 200:
                assert refused(answer) == (409, "idempotency_in_progress")
                assert answer.headers["retry-after"] == "1"
        assert {answer.json()["version"] for answer in done} == {"1.0.1"}
        assert (await save()).json()["version"] == "1.0.1"
        assert await numbers(api, people.bob.headers, flow) == ["1.0.1", "1.0.0"]

    @pytest.mark.parametrize(
        ("change", "headers"),
        [
            ({"body": b'{"name": "Other"}'}, {}),
            ({"body": b'{"name":  "Renamed"}'}, {}),
            ({"query": "?x=1"}, {}),
            ({}, {"If-Match": "*"}),
        ],
        ids=["body", "bytes of the body", "query", "If-Match"],
    )
    async def test_with_another_request_is_refused(
        self,
        api: httpx.AsyncClient,
        people: People,
        flow: str,
        change: dict[str, Any],
        headers: dict[str, str],
    ) -> None:
        async def put(
            *, query: str = "", body: bytes = b'{"name": "Renamed"}', **more: str
        ) -> httpx.Response:
            sent = {**keyed(people.bob), "Content-Type": "application/json", **more}
            return await api.put(f"/flows/{flow}{query}", content=body, headers=sent)

        await put()
        other = await put(**change, **headers)

        assert refused(other) == (409, "idempotency_conflict")
        assert (await api.get(f"/flows/{flow}", headers=people.bob.headers)).json()["name"] == "Renamed"
        assert (await put()).headers["idempotency-replayed"] == "true"

    async def test_on_another_flow_is_refused(
        self, api: httpx.AsyncClient, people: People, flow: str, echo: Json
    ) -> None:
        other = (await create(api, people.bob.headers, echo))["id"]
        body = {"name": "Renamed"}
        await api.put(f"/flows/{flow}", json=body, headers=keyed(people.bob))

        answer = await api.put(f"/flows/{other}", json=body, headers=keyed(people.bob))

        assert refused(answer) == (409, "idempotency_conflict")

    async def test_on_another_route_is_another_key(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        renamed = await api.put(f"/flows/{flow}", json={"name": "X"}, headers=keyed(people.bob))
        deleted = await api.delete(f"/flows/{flow}", headers=keyed(people.bob))

        assert (renamed.status_code, deleted.status_code) == (200, 204)

    async def test_of_another_caller_is_another_key(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        twin = replace(people.dave, id=people.bob.id)
        made = [
            (await api.post("/flows", json={"content": echo}, headers=keyed(person))).json()["id"]
            for person in (people.bob, people.erin, twin)
        ]

        assert len(set(made)) == 3

    async def test_works_with_a_new_token(self, api: httpx.AsyncClient, people: People, echo: Json) -> None:
        first = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        fresh = {"Authorization": f"Bearer {people.bob.token(jti='another')}", "Idempotency-Key": "key-1"}
        second = await api.post("/flows", json={"content": echo}, headers=fresh)

        assert second.content == first.content

    async def test_is_forgotten_after_a_day(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
    ) -> None:
        first = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        await time_passes(resources, KEPT_S - 60)
        same = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        await time_passes(resources, 61)
        new = await api.post("/flows", json={"content": echo, "name": "New"}, headers=keyed(people.bob))

        assert same.content == first.content
        assert (new.status_code, new.json()["name"]) == (201, "New")

    async def test_without_one_nothing_is_written(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
    ) -> None:
        await create(api, people.bob.headers, echo)

        assert await rows(resources) == []


class TestWhatIsNotKept:
    """Answers after which the same request, with the same key, has another try."""

    async def test_a_refused_caller_may_come_again_with_better_rights(
        self, api: httpx.AsyncClient, people: People, flow: str, resources: Resources
    ) -> None:
        async def rename() -> httpx.Response:
            return await api.put(f"/flows/{flow}", json={"name": "X"}, headers=keyed(people.erin))

        await grant(resources, flow, people.erin.id, "view")
        assert refused(await rename()) == (403, "insufficient_acl")
        async with resources.db.write() as session:
            await session.execute(update(FlowAcl).values(level="edit"))

        assert (await rename()).status_code == 200

    async def test_an_answer_that_asks_to_come_again(
        self, api: httpx.AsyncClient, people: People, flow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def busy(*_: object, **__: object) -> None:
            raise DeployInProgress(flow_id=flow)

        path = f"/flows/{flow}/undeploy"
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(WithdrawFlow, "undeploy", busy)
            first = await api.post(path, headers=keyed(people.bob))
        second = await api.post(path, headers=keyed(people.bob))

        assert (refused(first), "retry-after" in first.headers) == ((409, "deploy_in_progress"), True)
        assert second.status_code == 200
        assert "idempotency-replayed" not in second.headers

    async def test_what_failed_on_our_side_is_tried_again(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        grid.faults["start"] = [httpx.Response(500)] * 3
        failed = await api.post(f"/flows/{flow}/deploy", json={}, headers=keyed(people.bob))
        grid.faults.clear()
        deployed = await api.post(f"/flows/{flow}/deploy", json={}, headers=keyed(people.bob))

        assert (failed.status_code, deployed.status_code) == (502, 200)
        assert len(grid.cores) == 1

    async def test_a_busy_upstream_is_asked_again(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        core = (await api.post(f"/flows/{flow}/deploy", json={}, headers=people.bob.headers)).json()[
            "core_id"
        ]
        url = f"/scaicore/cores/{core}/invoke"
        grid.faults["invoke"] = [httpx.Response(429, json={})] * 3
        busy = await api.post(url, json={"input": {}}, headers=keyed(people.bob))
        grid.faults.clear()
        run = await api.post(url, json={"input": {}}, headers=keyed(people.bob))

        assert (busy.status_code, run.status_code) == (429, 200)

    async def test_a_bug_gives_the_key_back(
        self, settings: Settings, resources: Resources, people: People, echo: Json
    ) -> None:
        versions = FaultyVersions(resources.blobs)
        transport = httpx.ASGITransport(
            shared_app(settings, replace(resources, versions=versions)),
            raise_app_exceptions=False,
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
            broken = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
            versions.broken = False
            made = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))

        assert (refused(broken), made.status_code) == ((500, "internal_error"), 201)

    async def test_a_mistake_of_the_caller_is_kept(
        self, api: httpx.AsyncClient, people: People, flow: str, echo: Json
    ) -> None:
        stale = keyed(people.bob, **{"If-Match": '"stale"'})
        first = await api.put(f"/flows/{flow}", json={"content": echo}, headers=stale)
        second = await api.put(f"/flows/{flow}", json={"content": echo}, headers=stale)

        assert refused(first) == (412, "version_conflict")
        assert (second.content, second.headers["idempotency-replayed"]) == (first.content, "true")


class FaultyVersions(FlowVersions):
    broken = True

    async def write(self, tenant_id: str, flow_id: str, version: str, document: bytes) -> None:
        if self.broken:
            raise RuntimeError("a bug")
        await super().write(tenant_id, flow_id, version, document)


class TestBeforeTheKey:
    """Who calls comes first, whatever the key holds."""

    async def test_a_caller_who_lost_the_permission_gets_no_old_answer(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        lesser = replace(people.bob, permissions=("scaicore:view",))

        answer = await api.post("/flows", json={"content": echo}, headers=keyed(lesser))

        assert refused(answer) == (403, "permission_denied")

    async def test_nobody_without_a_token(self, api: httpx.AsyncClient, echo: Json) -> None:
        answer = await api.post("/flows", json={"content": echo}, headers={"Idempotency-Key": "key-1"})

        assert refused(answer) == (401, "not_authenticated")

    @pytest.mark.parametrize("key", ["", "k" * 256, "k\u00e9y", "tab\there"])
    async def test_an_unusable_key_is_refused(
        self, api: httpx.AsyncClient, people: People, echo: Json, key: str
    ) -> None:
        headers = [
            (b"authorization", people.bob.headers["Authorization"]),
            (b"idempotency-key", key.encode()),
        ]

        answer = await api.post("/flows", json={"content": echo}, headers=headers)

        assert refused(answer) == (400, "invalid_idempotency_key")
        assert await flows_of(api, people.bob) == 0

    async def test_two_keys_are_refused(self, api: httpx.AsyncClient, people: People, echo: Json) -> None:
        headers = [*people.bob.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

        answer = await api.post("/flows", json={"content": echo}, headers=headers)

        assert refused(answer) == (400, "invalid_idempotency_key")

    async def test_the_longest_key_is_usable(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        made = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob, "~ " * 127 + "!"))

        assert made.status_code == 201

    async def test_a_public_route_knows_no_keys(self, api: httpx.AsyncClient, resources: Resources) -> None:
        answer = await api.post("/auth/refresh", json={}, headers={"Idempotency-Key": "key-1"})

        assert refused(answer) == (422, "invalid_request")
        assert await rows(resources) == []


class TestDeath:
    """A worker that dies, or lives on without being heard of."""

    @pytest.fixture
    def store(self, resources: Resources) -> "StuckVersions":
        return StuckVersions(resources.blobs)

    @pytest.fixture
    async def api(
        self, settings: Settings, resources: Resources, store: "StuckVersions"
    ) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(
            shared_app(settings, replace(resources, versions=store)),
            raise_app_exceptions=False,
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
            yield client

    async def test_the_key_of_the_dead_is_free_when_its_reservation_ends(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, store: "StuckVersions"
    ) -> None:
        async def make() -> httpx.Response:
            return await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))

        dies = asyncio.create_task(make())
        await store.arrived.wait()
        dies.cancel()
        await asyncio.gather(dies, return_exceptions=True)
        while_reserved = await make()
        await time_passes(resources, RESERVED_S)
        after = await make()

        assert refused(while_reserved) == (409, "idempotency_in_progress")
        assert after.status_code == 201
        assert (await make()).content == after.content
        assert await flows_of(api, people.bob) == 1

    async def test_who_was_given_up_and_lives_leaves_the_answer_of_the_other(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, store: "StuckVersions"
    ) -> None:
        async def make() -> httpx.Response:
            return await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))

        slow = asyncio.create_task(make())
        await store.arrived.wait()
        await time_passes(resources, RESERVED_S)
        second = await make()
        store.go_on.set()
        first = await slow

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"], "it was done twice, as documented"
        assert (await make()).content == second.content

    async def test_who_lives_keeps_the_key(
        self,
        api: httpx.AsyncClient,
        people: People,
        echo: Json,
        store: "StuckVersions",
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        renewed = asyncio.Event()
        renew = IdempotencyKeys.renew

        async def noted(*arguments: Any) -> bool:
            kept = await renew(*arguments)
            renewed.set()
            return kept

        monkeypatch.setattr(IdempotencyKeys, "renew", noted)
        monkeypatch.setattr("scaiflow_api.web.idempotency.RESERVED_S", 0.03)

        slow = asyncio.create_task(
            api.post("/flows", json={"content": echo}, headers=keyed(people.bob)), name="slow"
        )
        await store.arrived.wait()
        await renewed.wait()
        meanwhile = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        store.go_on.set()

        assert refused(meanwhile) == (409, "idempotency_in_progress")
        assert (await slow).status_code == 201

    async def test_a_database_that_is_away_at_the_end_changes_no_answer(
        self,
        api: httpx.AsyncClient,
        people: People,
        echo: Json,
        store: "StuckVersions",
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def away(*_: Any) -> None:
            raise DatabaseUnavailable

        store.go_on.set()
        monkeypatch.setattr(IdempotencyKeys, "keep", away)

        made = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))

        assert made.status_code == 201


class StuckVersions(FlowVersions):
    """A store whose first write waits."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()

    async def write(self, tenant_id: str, flow_id: str, version: str, document: bytes) -> None:
        if not self.arrived.is_set():
            self.arrived.set()
            await self.go_on.wait()
        await super().write(tenant_id, flow_id, version, document)


class TestLargeAnswers:
    """An answer over the bound is not kept, but the work is not done again either."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        api = settings.api.model_copy(update={"max_kept_answer_bytes": 1000})
        return settings.model_copy(update={"api": api})

    async def test_are_answered_by_what_is_known_of_them(
        self, api: httpx.AsyncClient, people: People, echo: Json
    ) -> None:
        first = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))
        second = await api.post("/flows", json={"content": echo}, headers=keyed(people.bob))

        assert len(first.content) > 1000
        assert refused(second) == (409, "idempotency_answer_not_kept")
        assert second.json()["detail"]["answered"] == 201
        assert second.headers["etag"] == first.headers["etag"]
        assert await flows_of(api, people.bob) == 1

    async def test_of_a_common_size_are_kept(
        self, api: httpx.AsyncClient, people: People, grid: PlayedGrid, flow: str
    ) -> None:
        first = await api.post(f"/flows/{flow}/deploy", json={}, headers=keyed(people.bob))
        second = await api.post(f"/flows/{flow}/deploy", json={}, headers=keyed(people.bob))

        assert second.content == first.content


async def test_a_flow_of_the_largest_size_is_kept(
    api: httpx.AsyncClient, people: People, echo: Json, settings: Settings
) -> None:
    content = {**echo, "metadata": {"notes": '"\\' * (settings.limits.max_bytes // 4 - 10_000)}}
    first = await api.post("/flows", json={"content": content}, headers=keyed(people.bob))
    second = await api.post("/flows", json={"content": content}, headers=keyed(people.bob))

    assert first.status_code == 201
    assert len(first.content) > 4_000_000
    assert second.content == first.content


async def test_neither_key_nor_token_is_written_down(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
) -> None:
    key = "sgk_0123456789abcdef0123456789abcdef"
    headers = keyed(people.bob, key)
    with capture_logs() as logs:
        await api.post("/flows", json={"content": echo}, headers=headers)
        await api.post("/flows", json={"content": {}}, headers=headers)

    written = repr(logs) + repr(await rows(resources))
    assert written
    assert key not in written
    assert people.bob.headers["Authorization"].removeprefix("Bearer ") not in written


async def rows(resources: Resources) -> list[tuple[Any, ...]]:
    async with resources.db.read() as session:
        columns = IdempotencyKey.__table__.columns
        return [tuple(row) for row in await session.execute(select(*columns))]
