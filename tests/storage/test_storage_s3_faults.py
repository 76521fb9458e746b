"""What S3 may answer besides what the contract needs."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import structlog
from scripted_s3 import Answer, HangUp, Request, ScriptedS3, Silence, Step, scripted_s3

from scaiflow_api.storage.errors import BlobExists, BlobNotFound, StoreUnavailable
from scaiflow_api.storage.s3 import S3Blobs

STORED = Answer(200, headers={"ETag": '"abc"'})
SLOW_DOWN = Answer(503, b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>")
TAKEN = Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
CONFLICT = Answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
HTML = b"<html><body>Welcome to the hotel. Please log in.</body></html>"


@asynccontextmanager
async def store_and_server(
    *script: Step, deadline: float = 60.0
) -> AsyncIterator[tuple[S3Blobs, ScriptedS3]]:
    async with scripted_s3(*script) as server:
        store = S3Blobs("flows", server.url, None, "key", "secret", read_timeout=0.3, deadline=deadline)
        yield store, server
        await store.close()


def own_ticket(heard: list[Request]) -> Answer:
    """HEAD of the object that this client's first PUT made."""
    name = "x-amz-meta-scaiflow-put"
    return Answer(200, headers={"ETag": '"abc"', name: heard[0].headers[name]})


def foreign_ticket(_: list[Request]) -> Answer:
    return Answer(200, headers={"ETag": '"abc"', "x-amz-meta-scaiflow-put": "0" * 32})


async def test_a_creation_whose_answer_was_lost_is_no_loser() -> None:
    async with store_and_server(HangUp(), TAKEN, own_ticket) as (store, server):
        await store.put("k", b"x", if_absent=True)
        assert server.methods() == ["PUT", "PUT", "HEAD"]


async def test_a_lost_answer_does_not_make_a_winner_of_a_loser() -> None:
    async with store_and_server(HangUp(), TAKEN, foreign_ticket) as (store, _):
        with pytest.raises(BlobExists):
            await store.put("k", b"x", if_absent=True)


async def test_a_plain_refusal_asks_no_further() -> None:
    async with store_and_server(TAKEN) as (store, server):
        with pytest.raises(BlobExists):
            await store.put("k", b"x", if_absent=True)
        assert server.heard[0].headers["if-none-match"] == "*"


async def test_a_conflict_of_two_creators_is_tried_again() -> None:
    async with store_and_server(CONFLICT, STORED) as (store, _):
        await store.put("k", b"x", if_absent=True)


async def test_a_lasting_conflict_is_unavailable() -> None:
    async with store_and_server(*[CONFLICT] * 4) as (store, _):
        with pytest.raises(StoreUnavailable):
            await store.put("k", b"x", if_absent=True)


async def test_a_busy_server_is_asked_again() -> None:
    async with store_and_server(SLOW_DOWN, STORED) as (store, server):
        await store.put("k", b"x")
        assert server.methods() == ["PUT", "PUT"]
        assert "if-none-match" not in server.heard[0].headers


@pytest.mark.parametrize("step", [SLOW_DOWN, HangUp(), Silence()], ids=["503", "hang-up", "silence"])
async def test_a_deletion_is_not_repeated(step: Step) -> None:
    """The first may have been carried out, and what is there now be somebody else's."""
    async with store_and_server(step) as (store, server):
        with pytest.raises(StoreUnavailable):
            await store.delete("k")
        assert server.methods() == ["DELETE"]


@pytest.mark.parametrize(
    "script",
    [
        [SLOW_DOWN] * 3,
        [HangUp()] * 3,
        [Silence()] * 3,
        [Answer(403, b"<Error><Code>AccessDenied</Code></Error>")],
        [Answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")],
        [Answer(507, HTML)],
        [Answer(200, HTML)],
    ],
    ids=["503", "hang-up", "silence", "403", "no-bucket", "507-html", "200-html"],
)
async def test_a_put_that_is_not_confirmed_is_unavailable(script: list[Step]) -> None:
    async with store_and_server(*script) as (store, _):
        with pytest.raises(StoreUnavailable) as refused:
            await store.put("tenant/secret-name", b"x", if_absent=True)
    wire = repr(refused.value.detail())
    assert not any(word in wire for word in ("tenant", "127.0.0.1", "SlowDown", "AccessDenied", "flows/"))


async def check(store: S3Blobs) -> None:
    await store.check()


async def get(store: S3Blobs) -> None:
    await store.get("k")


async def delete(store: S3Blobs) -> None:
    await store.delete("k")


async def keys(store: S3Blobs) -> None:
    async for _ in store.keys(""):
        pass


@pytest.mark.parametrize("call", [check, get, delete, keys])
@pytest.mark.parametrize(
    "answer", [Answer(403), Answer(403, HTML), Answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")]
)
async def test_a_refusal_is_unavailable(call: Callable[[S3Blobs], Awaitable[None]], answer: Answer) -> None:
    async with store_and_server(answer) as (store, _):
        with pytest.raises(StoreUnavailable):
            await call(store)


@pytest.mark.parametrize("call", [get, keys])
async def test_a_page_in_html_is_neither_an_object_nor_a_listing(
    call: Callable[[S3Blobs], Awaitable[None]],
) -> None:
    async with store_and_server(Answer(200, HTML)) as (store, _):
        with pytest.raises(StoreUnavailable):
            await call(store)


def page_of(*keys: str, more: bool) -> Answer:
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><LastModified>2026-11-28T00:00:00Z</LastModified></Contents>"
        for key in keys
    )
    token = "<NextContinuationToken>next</NextContinuationToken>" if more else ""
    truncated = str(more).lower()
    body = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}{entries}</ListBucketResult>"
    return Answer(200, body.encode(), headers={"content-type": "application/xml"})


async def test_a_listing_asks_for_a_page_when_it_comes_to_it() -> None:
    async with store_and_server(page_of("b", "a", more=True), page_of("c", more=False)) as (store, server):
        listing = aiter(store.keys(""))
        assert [(await anext(listing)).key for _ in range(2)] == ["b", "a"]
        assert len(server.heard) == 1
        assert [info.key async for info in listing] == ["c"]
        assert "continuation-token=next" in server.heard[1].path


async def test_a_body_that_breaks_off_is_unavailable() -> None:
    async with store_and_server(Answer(200, b"half", headers={"ETag": '"abc"', "content-length": "8"})) as (
        store,
        _,
    ):
        with pytest.raises(StoreUnavailable):
            await store.get("k")


async def test_a_missing_object_is_told_from_a_missing_bucket() -> None:
    async with store_and_server(Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")) as (store, _):
        with pytest.raises(BlobNotFound):
            await store.get("k")


async def test_a_server_that_does_not_listen_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = S3Blobs("flows", f"http://127.0.0.1:{taken.getsockname()[1]}", None, "key", "secret")
        with pytest.raises(StoreUnavailable):
            await store.check()
        await store.close()


async def test_all_attempts_together_end_at_the_deadline() -> None:
    async with store_and_server(Silence(), Silence(), Silence(), deadline=0.1) as (store, server):
        with pytest.raises(StoreUnavailable):
            await store.get("k")
        assert len(server.heard) <= 1


async def test_the_environment_brings_in_no_proxy_and_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with store_and_server(STORED) as (store, server):
        await store.put("k", b"x")
        assert server.heard[0].path == "/flows/k"


async def test_the_cause_is_logged_for_the_operator() -> None:
    with structlog.testing.capture_logs() as logs:
        async with store_and_server(Answer(403, b"<Error><Code>AccessDenied</Code></Error>")) as (store, _):
            with pytest.raises(StoreUnavailable):
                await store.delete("k")
    assert [(line["event"], line["action"]) for line in logs] == [("store_unavailable", "delete")]
    assert "AccessDenied" in logs[0]["cause"]
