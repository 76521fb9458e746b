"""One error shape, whatever goes wrong."""

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from people import People

from scaiflow_api.app import create_app
from scaiflow_api.db.schema import upgrade
from scaiflow_api.db.session import Database
from scaiflow_api.resources import Resources
from scaiflow_api.settings import Settings

Json = dict[str, Any]


def detail_of(answer: httpx.Response) -> Json:
    body = answer.json()
    assert set(body) == {"detail"}
    detail: Json = body["detail"]
    assert isinstance(detail["error"], str)
    assert isinstance(detail["message"], str)
    assert len(detail["trace_id"]) == 32
    assert answer.headers["x-request-id"]
    return detail


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"{", "application/json", 422, "invalid_request"),
        (b"[" * 100_000, "application/json", 400, "malformed_request"),
        (b'{"content": 1e999999}', "application/json", 422, "invalid_request"),
        (b'{"content": ' + b"9" * 5000 + b"}", "application/json", 400, "malformed_request"),
        (b'{"content": {}, "admin": true}', "application/json", 422, "invalid_request"),
        (b'{"name": 7, "content": {}}', "application/json", 422, "invalid_request"),
        (b'{"name": "", "content": {}}', "application/json", 422, "invalid_request"),
        (b'{"name": "a\\u0000b", "content": {}}', "application/json", 422, "invalid_request"),
        (b'{"name": "\\ud800", "content": {}}', "application/json", 422, "invalid_request"),
        (b"null", "application/json", 422, "invalid_request"),
        (b"\xff\xfe", "application/json", 422, "invalid_request"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"--b\r\n\r\n--b--", "multipart/form-data; boundary=b", 415, "unsupported_media_type"),
    ],
)
async def test_a_bad_body_is_refused_in_the_one_shape(
    api: httpx.AsyncClient, people: People, body: bytes, content_type: str, status: int, error: str
) -> None:
    answer = await api.post(
        "/flows", content=body, headers={**people.bob.headers, "Content-Type": content_type}
    )

    assert (answer.status_code, detail_of(answer)["error"]) == (status, error)


async def test_every_problem_of_a_body_is_named_with_its_place(
    api: httpx.AsyncClient, people: People
) -> None:
    answer = await api.post("/flows", json={"name": 7, "content": [], "x": 1}, headers=people.bob.headers)

    problems = detail_of(answer)["problems"]
    assert {problem["path"] for problem in problems} == {"body.name", "body.content", "body.x"}
    assert all(problem["code"] and problem["message"] for problem in problems)


async def test_a_problem_that_we_found_is_told_in_our_words_alone(
    api: httpx.AsyncClient, people: People
) -> None:
    answer = await api.post("/catalog/publish", json={"package_id": "a"}, headers=people.bob.headers)

    (problem,) = detail_of(answer)["problems"]
    assert problem["message"] == "send either 'flow_id' or 'content'"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"resolution": 5}, {"body.resolution"}),
        ({"resolution": ""}, {"body.resolution"}),
        ({"resolution": {"share": [2**60]}}, {"body.resolution"}),
        ({}, {"body.resolution"}),
        ({"resolution": None, "x": 1}, {"body.resolution", "body.x"}),
        ([], {"body"}),
    ],
)
async def test_a_place_is_one_that_the_caller_sent_or_should_have(
    api: httpx.AsyncClient, people: People, body: Any, paths: set[str]
) -> None:
    answer = await api.post("/scaicore/checkpoints/chk_x/resolve", json=body, headers=people.bob.headers)

    assert {problem["path"] for problem in detail_of(answer)["problems"]} == paths


async def test_a_body_over_the_limit_is_refused_whether_announced_or_not(
    api: httpx.AsyncClient, people: People, settings: Settings
) -> None:
    size = settings.api.max_body_bytes + 1

    async def chunks() -> Any:
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    headers = {**people.bob.headers, "Content-Type": "application/json"}
    for content in (b" " * size, chunks()):
        answer = await api.post("/flows", content=content, headers=headers)
        assert (answer.status_code, detail_of(answer)["error"]) == (413, "body_too_large")
        assert detail_of(answer)["limit_bytes"] == settings.api.max_body_bytes


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PATCH", "/flows", 405, "method_not_allowed"),
        ("GET", "/flows/" + "x" * 300, 404, "flow_not_found"),
        ("GET", "/flows/%00", 400, "malformed_request"),
        ("GET", "/flows?search=%00", 400, "malformed_request"),
    ],
)
async def test_an_unknown_place_answers_in_the_one_shape(
    api: httpx.AsyncClient, people: People, method: str, path: str, status: int, error: str
) -> None:
    answer = await api.request(method, path, headers=people.bob.headers)

    assert (answer.status_code, detail_of(answer)["error"]) == (status, error)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/flows", "GET, HEAD, POST"),
        ("PATCH", "/flows/flow_1", "DELETE, GET, HEAD, PUT"),
        ("POST", "/flows/flow_1/acls/acl_1", "DELETE, PATCH"),
        ("GET", "/flows/flow_1/deploy", "POST"),
    ],
)
async def test_a_method_that_is_not_taken_is_answered_with_all_that_are(
    api: httpx.AsyncClient, people: People, method: str, path: str, allowed: str
) -> None:
    answer = await api.request(method, path, headers=people.bob.headers)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_bug_tells_the_log_and_not_the_caller(
    settings: Settings, resources: Resources, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings, resources)

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("secret innards")

    caplog.set_level(logging.ERROR)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
        answer = await api.get("/broken", headers={**people.bob.headers, "Origin": "http://localhost:5173"})

    assert (answer.status_code, detail_of(answer)["error"]) == (500, "internal_error")
    assert "innards" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "unhandled error" in caplog.text


async def test_a_flow_over_a_limit_names_the_limit(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    node = echo["nodes"][0]
    many = [{**node, "id": f"node_{n}"} for n in range(5_001)]

    for path in ("/flows", "/flows/validate", "/flows/compile"):
        answer = await api.post(path, json={"content": {**echo, "nodes": many}}, headers=people.bob.headers)
        detail = detail_of(answer)
        assert (answer.status_code, detail["error"]) == (413, "flow_too_large")
        assert detail["maximum"] == 5_000


async def test_ids_of_a_request_are_taken_over_or_made(api: httpx.AsyncClient) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {"X-Request-Id": "req-7", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}

    taken = await api.get("/me", headers=given)
    made = await api.get("/me", headers={"X-Request-Id": "bad id\t", "traceparent": "nonsense"})

    assert (taken.headers["x-request-id"], detail_of(taken)["trace_id"]) == ("req-7", trace)
    assert made.headers["x-request-id"] == detail_of(made)["trace_id"]


class TestCors:
    """What a browser on another origin may do."""

    @pytest.mark.parametrize("method", ["PUT", "HEAD"])
    async def test_the_canvas_may_call(self, api: httpx.AsyncClient, method: str) -> None:
        answer = await api.options(
            "/flows",
            headers={
                "Origin": "http://localhost:5173",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,if-match",
            },
        )

        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"

    async def test_another_site_may_not(self, api: httpx.AsyncClient) -> None:
        answer = await api.get("/auth/config", headers={"Origin": "https://evil.example"})

        assert "access-control-allow-origin" not in answer.headers


class TestStore:
    """An object store that fails."""

    async def test_a_store_that_refuses_a_write_leaves_nothing_half_saved(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, settings: Settings
    ) -> None:
        made = (await api.post("/flows", json={"content": echo}, headers=people.bob.headers)).json()
        break_store(settings)

        saved = await api.put(f"/flows/{made['id']}", json={"content": echo}, headers=people.bob.headers)
        created = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
        listed = (await api.get("/flows", headers=people.bob.headers)).json()

        for answer in (saved, created):
            assert (answer.status_code, detail_of(answer)["error"]) == (503, "store_unavailable")
            assert settings.store.url.removeprefix("file:") not in answer.text
        assert [(item["id"], item["version"]) for item in listed["items"]] == [(made["id"], "1.0.0")]

    async def test_a_change_whose_answer_cannot_be_given_is_not_made(
        self, api: httpx.AsyncClient, people: People, echo: Json, resources: Resources, settings: Settings
    ) -> None:
        """Neither would be known to have happened; sent again with its `If-Match`, it would be a conflict."""
        made = (await api.post("/flows", json={"content": echo}, headers=people.bob.headers)).json()
        break_store(settings)

        renamed = await api.put(f"/flows/{made['id']}", json={"name": "New"}, headers=people.bob.headers)
        listed = (await api.get("/flows", headers=people.bob.headers)).json()

        assert (renamed.status_code, detail_of(renamed)["error"]) == (503, "store_unavailable")
        assert [item["name"] for item in listed["items"]] == [made["name"]]

    async def test_readiness_says_which_part_is_away(
        self, api: httpx.AsyncClient, settings: Settings, resources: Resources
    ) -> None:
        ready = await api.get("http://api.test/readyz")
        break_store(settings)
        unready = await api.get("http://api.test/readyz")

        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert ready.json()["checks"] == {"database": "ok", "store": "ok"}
        assert (unready.status_code, unready.json()["status"]) == (503, "not_ready")
        assert unready.json()["checks"] == {"database": "ok", "store": "store_unavailable"}


async def test_a_save_that_cannot_be_committed_is_not_acknowledged(
    settings: Settings, resources: Resources, people: People, echo: Json, tmp_path: Path
) -> None:
    file = tmp_path / "locked.db"
    await asyncio.to_thread(upgrade, f"sqlite+aiosqlite:///{file}")
    db = Database(f"sqlite+aiosqlite:///{file}", busy_timeout_ms=50)
    app = create_app(settings, replace(resources, db=db))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
            refused = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
            other.execute("ROLLBACK")
            listed = await api.get("/flows", headers=people.bob.headers)
            saved = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    await db.close()

    assert (refused.status_code, detail_of(refused)["error"]) == (503, "database_unavailable")
    assert refused.headers["retry-after"]
    assert listed.json()["total"] == 0
    assert saved.status_code == 201


def break_store(settings: Settings) -> None:
    """Put a file where the store's folder was: even root cannot write into that."""
    folder = Path(settings.store.url.removeprefix("file:"))
    shutil.rmtree(folder)
    folder.touch()
