"""HEAD: whatever can be read by GET answers it alike, without a body."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from people import People
from played_grid import PlayedGrid
from starlette.types import Message, Receive, Scope, Send

from scaiflow_api.resources import Resources

ROOT = "http://api.test"


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/",
        "/docs",
        "/openapi.json",
        "/api/v1/schema/flow/v2.json",
        "/api/v1/flows",
    ],
)
async def test_it_has_the_head_of_get_and_no_body(api: httpx.AsyncClient, people: People, path: str) -> None:
    get = await api.get(ROOT + path, headers=people.bob.headers)
    head = await api.head(ROOT + path, headers=people.bob.headers)

    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    varying = {"x-request-id"} | ({"content-length"} if path == "/metrics" else set())
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in get.headers.items() if name not in varying
    }


async def test_it_asks_of_its_caller_what_get_asks(api: httpx.AsyncClient, people: People, flow: str) -> None:
    tag = (await api.get(f"/flows/{flow}", headers=people.bob.headers)).headers["ETag"]

    answers = [
        await api.head(f"/flows/{flow}"),
        await api.head(f"/flows/{flow}", headers=people.dave.headers),
        await api.head(f"/flows/{flow}", headers={**people.bob.headers, "If-None-Match": tag}),
        await api.head(f"/flows/{flow}", headers=people.bob.headers),
    ]

    assert [answer.status_code for answer in answers] == [401, 404, 304, 200]
    assert {answer.content for answer in answers} == {b""}


async def test_what_cannot_be_read_does_not_take_it(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    answer = await api.head(f"/flows/{flow}/deploy", headers=people.bob.headers)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_stream_is_not_begun(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, resources: Resources
) -> None:
    async with asyncio.timeout(5):
        answer = await api.head("/scaicore/events/stream", headers=people.bob.headers)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert resources.streams.taken == 0


@pytest.mark.usefixtures("flow")
async def test_a_file_that_is_sent_in_parts_is_not_sent(app: FastAPI, people: People) -> None:
    """Its parts wait for nothing, so that they come one after the other."""
    sent = []

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_noted(message: Message) -> None:
            sent.append(message)
            await send(message)

        await app(scope, receive, send_noted)

    transport = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=transport, base_url=ROOT, headers=people.alice.headers) as client:
        answer = await client.head("/api/v1/admin/audit?format=jsonl")

    assert (answer.status_code, answer.content) == (200, b"")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_the_metrics_count_it_apart(app: FastAPI, api: httpx.AsyncClient) -> None:
    await api.head(f"{ROOT}/docs")

    told = (await api.get(f"{ROOT}/metrics")).text
    assert 'scaiflow_http_request_duration_seconds_count{method="HEAD",route="/docs",status="2xx"}' in told
