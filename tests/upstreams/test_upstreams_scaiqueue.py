"""ScaiQueue's scopes and queues, in its own words and in ScaiFlow's."""

from typing import Any

import httpx
import orjson
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.auth.caller import Caller
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.settings import Settings
from scaiflow_api.upstreams.credentials import Credentials
from scaiflow_api.upstreams.errors import as_app_error
from scaiflow_api.upstreams.failures import UpstreamError, UpstreamNonsense, UpstreamRejected
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaiqueue import Queue, ScaiQueue, Scope, queue_of
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKey, TenantKeys

SCOPES = "https://grid.test/v1/modules/scaiqueue/scopes"
QUEUES = f"{SCOPES}/sc_1/queues"
SUPPORT = {"id": "sc_1", "slug": "support", "display_name": "Support", "description": "…", "state": "active"}
REVIEW = {
    "id": "q_1",
    "slug": "review",
    "ordering": "priority",
    "consumer_mode": "competing",
    "max_retries": 5,
}


@pytest.mark.parametrize(
    "envelope",
    [
        {"status": "ok", "data": [SUPPORT]},
        {"data": {"items": [SUPPORT]}},
        {"data": {"scopes": [SUPPORT]}},
        {"data": [SUPPORT, "noise", {"slug": "without an id"}], "has_more": False, "next_cursor": "x"},
    ],
    ids=["bare", "items", "named", "with noise"],
)
async def test_scopes_in_every_envelope(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr, envelope: dict[str, object]
) -> None:
    route = respx_mock.get(SCOPES).respond(json=envelope)
    assert await scaiqueue.scopes(token) == [Scope("sc_1", "support", "Support", "…", SUPPORT)]
    assert route.call_count == 1
    assert route.calls.last.request.headers["Authorization"] == "Bearer tok-alice"


async def test_the_queues_of_a_scope_are_read_to_the_last_page(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr
) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        row = {**REVIEW, "id": f"q_{at}"}
        return httpx.Response(200, json={"data": [row], "has_more": at < 2, "next_cursor": str(at + 1)})

    respx_mock.get(QUEUES).mock(side_effect=page)
    assert [queue.id for queue in await scaiqueue.queues(token, "sc_1")] == ["q_0", "q_1", "q_2"]


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ({"ordering": "fifo", "consumer_mode": "competing"}, "fifo"),
        ({"ordering": "deadline"}, "deadline"),
        ({"ordering": "priority", "consumer_mode": "broadcast"}, "broadcast"),
        ({"ordering": "broadcast"}, "broadcast"),
        ({"consumer_mode": "priority"}, "priority"),
        ({"consumer_mode": "competing"}, "fifo"),
        ({}, "fifo"),
        ({"ordering": 7, "consumer_mode": None}, "fifo"),
    ],
)
def test_two_words_become_scaiflows_one(words: dict[str, Any], mode: str) -> None:
    queue = queue_of({"id": "q_1", **words}, "sc_1")
    assert queue is not None
    assert (queue.scope_id, queue.consumer_mode) == ("sc_1", mode)


async def test_a_scope_is_created(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr
) -> None:
    route = respx_mock.post(SCOPES).respond(201, json={"data": {"id": "sc_1"}})
    scope = await scaiqueue.create_scope(token, "support", description="What people ask")
    sent = {"slug": "support", "display_name": "support", "description": "What people ask"}
    assert orjson.loads(route.calls.last.request.content) == sent
    assert scope == Scope("sc_1", "support", "support", "What people ask", {**sent, "id": "sc_1"})


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("priority", {"ordering": "priority", "consumer_mode": "competing"}),
        ("broadcast", {"ordering": "fifo", "consumer_mode": "broadcast"}),
    ],
)
async def test_a_queue_is_created_in_scaiqueues_words(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr, mode: str, words: dict[str, str]
) -> None:
    route = respx_mock.post(QUEUES).respond(201, json={"data": {"id": "q_1"}})
    queue = await scaiqueue.create_queue(
        token, "sc_1", "review", display_name="Review", consumer_mode=mode, max_retries=3
    )
    sent = {"slug": "review", "display_name": "Review", "max_retries": 3, **words}
    assert orjson.loads(route.calls.last.request.content) == sent
    assert queue == Queue("q_1", "sc_1", "review", "Review", mode, 3, {**sent, "id": "q_1"})


async def test_a_slug_that_is_taken_is_told_apart(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr
) -> None:
    taken = {"status": "error", "error": {"code": "SLUG_CONFLICT", "message": "taken"}}
    respx_mock.post(SCOPES).respond(409, json=taken)
    respx_mock.post(QUEUES).respond(422, json=taken)
    with pytest.raises(UpstreamRejected) as caught:
        await scaiqueue.create_scope(token, "support")
    assert (caught.value.conflict, caught.value.code) == (True, "SLUG_CONFLICT")
    with pytest.raises(UpstreamRejected) as caught:
        await scaiqueue.create_queue(token, "sc_1", "review")
    assert not caught.value.conflict


@pytest.mark.parametrize("body", [{"data": {}}, {"data": {"id": 7}}, {"data": []}, []])
async def test_what_was_created_without_an_id_is_nonsense(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr, body: object
) -> None:
    respx_mock.post(SCOPES).respond(201, json=body)
    respx_mock.post(QUEUES).respond(201, json=body)
    with pytest.raises(UpstreamNonsense):
        await scaiqueue.create_scope(token, "support")
    with pytest.raises(UpstreamNonsense):
        await scaiqueue.create_queue(token, "sc_1", "review")


async def test_a_refusal_has_scaiqueues_name_and_says_what_is_needed(
    respx_mock: respx.MockRouter, scaiqueue: ScaiQueue, token: SecretStr
) -> None:
    respx_mock.route().respond(403, text="Forbidden")
    told = []
    for call in (
        scaiqueue.scopes(token),
        scaiqueue.queues(token, "sc_1"),
        scaiqueue.create_scope(token, "support"),
        scaiqueue.create_queue(token, "sc_1", "review"),
    ):
        with pytest.raises(UpstreamError) as caught:
            await call
        error = as_app_error(caught.value)
        told.append((error.error, error.detail()["fix"].split("`")[1]))
    assert told == [
        ("scaiqueue_auth", f"scaiqueue:{needed}") for needed in ("view", "view", "manage", "manage")
    ]


async def test_access_brings_the_credential_to_the_modules_of_its_own_scaigrid(
    respx_mock: respx.MockRouter, http: httpx.AsyncBaseTransport, scaigrid: ScaiGrid, token: SecretStr
) -> None:
    class Kept(TenantKeys):
        async def of(self, tenant_id: str) -> TenantKey | None:
            return TenantKey(SecretStr("sgk_own"), "https://own.test/grid")

    settings = Settings(scaigrid=ScaiGridSettings(_env_file=None))
    grids = TenantGrids(http, settings.scaigrid, public_only=False)
    credentials = Credentials(settings, scaigrid, Kept(None), grids)
    respx_mock.route().respond(json={"data": []})
    for caller in (Caller("usr_a", "tnt_a", token=token), Caller("usr_a", "tnt_a", token=SecretStr(""))):
        access = await credentials.of(caller)
        assert access is not None
        await access.queues.scopes(access.credential)
        await access.bunkers.bunkers(access.credential)
    assert [
        (str(call.request.url.copy_with(query=None)), call.request.headers["Authorization"])
        for call in respx_mock.calls
    ] == [
        ("https://grid.test/v1/modules/scaiqueue/scopes", "Bearer tok-alice"),
        ("https://grid.test/v1/modules/scaibunker/bunkers", "Bearer tok-alice"),
        ("https://own.test/grid/v1/modules/scaiqueue/scopes", "Bearer sgk_own"),
        ("https://own.test/grid/v1/modules/scaibunker/bunkers", "Bearer sgk_own"),
    ]
