"""A tenant's key at ScaiGrid: who may see and set it, where it goes, and that it is seen nowhere else."""

import base64
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from api_apps import shared_app
from api_audit_calls import log_of
from api_refusals import refused
from people import People
from played_grid import PlayedGrid, refusal
from pydantic import SecretStr

from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.resources import Resources, open_resources
from scaiflow_api.settings import Api, DeployAuth, Environment, ScaiGrid, Secrets, Settings
from scaiflow_api.upstreams import addresses

URL = "/tenants/me/scaigrid_credentials"
GRID, OWN = "http://scaigrid.test", "https://grid.acme.test/base"
KEY, NEXT = "sgk_0123456789abcdefWXYZ", "sgk_fedcba9876543210MNOP"
UNSET = {"configured": False, "base_url": None, "masked_key": None}

Serving = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as mock:
        yield mock


@pytest.fixture
def grid(router: respx.MockRouter) -> PlayedGrid:
    return PlayedGrid(router, GRID)


@pytest.fixture
def own(router: respx.MockRouter) -> PlayedGrid:
    """Acme's own ScaiGrid."""
    return PlayedGrid(router, OWN)


@pytest.fixture
def serving(settings: Settings, resources: Resources) -> Serving:
    """Open the application with other settings."""

    @asynccontextmanager
    async def serve(**changed: Any) -> AsyncIterator[httpx.AsyncClient]:
        other = settings.model_copy(update=changed)
        async with open_resources(other) as opened:
            app = shared_app(other, replace(opened, tokens=resources.tokens))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client:
                yield client

    return serve


def only_keys(**changed: Any) -> ScaiGrid:
    return ScaiGrid(base_url=GRID, timeout_s=2.0, deploy_auth=DeployAuth.API_KEY, **changed)


async def put(api: httpx.AsyncClient, people: People, *, query: str = "", **body: Any) -> httpx.Response:
    return await api.post(URL + query, json={"api_key": KEY, **body}, headers=people.alice.headers)


async def shown(api: httpx.AsyncClient, people: People) -> Any:
    """What somebody without any permission is told."""
    answer = await api.get(URL, headers=people.nobody.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_any_member_sees_that_there_is_a_key_and_its_ends(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    assert await shown(api, people) == UNSET
    answer = await put(api, people)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await shown(api, people) == {"configured": True, "base_url": GRID, "masked_key": "sgk_…WXYZ"}
    assert (await api.get(URL, headers=people.dave.headers)).json() == UNSET


async def test_a_key_is_tried_at_its_scaigrid_before_it_is_kept(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, own: PlayedGrid
) -> None:
    await put(api, people)
    await put(api, people, base_url=OWN, api_key=NEXT)

    assert [request.headers["authorization"] for request in grid.requests] == [f"Bearer {KEY}"]
    assert [request.headers["authorization"] for request in own.requests] == [f"Bearer {NEXT}"]
    assert await shown(api, people) == {"configured": True, "base_url": OWN, "masked_key": "sgk_…MNOP"}


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (refusal(401), 422, "scaigrid_key_refused"),
        (refusal(403), 422, "scaigrid_key_refused"),
        (refusal(500), 502, "scaigrid_api"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test/"}), 502, "scaigrid_api"),
        (httpx.Response(200, text="<html>"), 502, "scaigrid_api"),
        (refusal(429), 429, "scaigrid_busy"),
    ],
)
async def test_a_key_that_does_not_prove_good_changes_nothing(
    api: httpx.AsyncClient, people: People, own: PlayedGrid, fault: httpx.Response, status: int, error: str
) -> None:
    await put(api, people, query="?verify=false")
    own.faults["me"] = [fault] * 3

    assert refused(await put(api, people, base_url=OWN, api_key=NEXT)) == (status, error)
    assert (await shown(api, people))["masked_key"] == "sgk_…WXYZ"


async def test_a_key_may_be_kept_without_being_tried(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    assert (await put(api, people, query="?verify=false")).status_code == 204
    assert (grid.steps, (await shown(api, people))["configured"]) == ([], True)


async def test_a_rotation_that_names_no_address_keeps_it_and_null_goes_back_to_the_operators(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, own: PlayedGrid
) -> None:
    await put(api, people, base_url=OWN)
    await put(api, people, api_key=NEXT)
    assert await shown(api, people) == {"configured": True, "base_url": OWN, "masked_key": "sgk_…MNOP"}
    assert grid.requests == []

    await put(api, people, base_url=None)
    assert (await shown(api, people))["base_url"] == GRID
    await put(api, people, base_url=OWN)
    await put(api, people, base_url=f"{GRID}/")
    assert (await shown(api, people))["base_url"] == GRID


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sgk_",
        "sgk_short",
        "pk_0123456789abcdef0123",
        f"{KEY}\n",
        f"{KEY} x",
        f"sgk_{'é' * 20}",
        "sgk_" + "x" * 600,
    ],
)
async def test_what_is_no_key_is_refused_without_being_repeated(
    api: httpx.AsyncClient, people: People, key: str
) -> None:
    answer = await put(api, people, api_key=key)

    assert refused(answer) == (422, "invalid_request")
    assert len(key) < 10 or key.strip() not in answer.text


@pytest.mark.parametrize(
    "base_url",
    [
        "http://grid.acme.test",
        "grid.acme.test",
        "https://u:p@grid.acme.test",
        "https://grid.acme.test/?x=1",
        "",
    ],
)
async def test_addresses_that_are_not_called(
    api: httpx.AsyncClient, people: People, own: PlayedGrid, base_url: str
) -> None:
    for query in ("", "?verify=false"):
        answer = await put(api, people, query=query, base_url=base_url)
        assert refused(answer) == (422, "base_url_not_allowed")
    assert await shown(api, people) == UNSET


async def test_http_only_where_the_operator_allows_it(
    serving: Serving, people: People, router: respx.MockRouter
) -> None:
    PlayedGrid(router, "http://grid.acme.test")
    async with serving(scaigrid=ScaiGrid(base_url=GRID, allow_http=True)) as api:
        assert (await put(api, people, base_url="http://grid.acme.test")).status_code == 204


class Names:
    """A name service for production: what each name leads to."""

    def __init__(self, **found: Sequence[str]) -> None:
        self.found = found

    async def __call__(self, host: str, *_: object) -> Sequence[str]:
        return self.found[host.replace(".", "_")]


async def test_in_production_no_private_address_is_called(
    serving: Serving, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "resolve", Names(inside_test=["10.0.0.7"], localhost=["127.0.0.1"]))
    async with serving(api=Api(env=Environment.PRODUCTION)) as api:
        for host in ("inside.test", "localhost"):
            for query in ("", "?verify=false"):
                answer = await put(api, people, query=query, base_url=f"https://{host}:9200/x")
                assert refused(answer) == (422, "base_url_not_allowed")
                assert "10.0.0.7" not in answer.text
        assert await shown(api, people) == UNSET


async def test_a_name_that_leads_elsewhere_after_it_was_checked_is_not_called(
    serving: Serving, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(grid_acme_test=["93.184.216.34"])
    monkeypatch.setattr(addresses, "resolve", names)
    async with serving(api=Api(env=Environment.PRODUCTION), scaigrid=only_keys()) as api:
        assert (await put(api, people, query="?verify=false", base_url=OWN)).status_code == 204
        names.found["grid_acme_test"] = ["127.0.0.1"]
        answer = await api.get("/scaigrid/models", headers=people.carol.headers)

    assert refused(answer) == (502, "scaigrid_api")
    assert "not public" in answer.json()["detail"]["message"]


async def test_the_tenants_key_pays_where_no_token_may(
    serving: Serving, people: People, grid: PlayedGrid, own: PlayedGrid
) -> None:
    async with serving(scaigrid=only_keys()) as api:
        before = await api.get("/scaigrid/models", headers=people.carol.headers)
        await put(api, people, query="?verify=false", base_url=OWN)
        after = await api.get("/scaigrid/models", headers=people.carol.headers)
        globex = await api.get("/scaigrid/models", headers=people.dave.headers)

    assert refused(before) == refused(globex) == (412, "missing_credentials")
    assert after.status_code == 200
    assert [request.headers["authorization"] for request in own.requests] == [f"Bearer {KEY}"]
    assert grid.requests == []


async def test_a_users_token_goes_to_the_operators_scaigrid_whatever_the_tenant_names(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, own: PlayedGrid
) -> None:
    await put(api, people, query="?verify=false", base_url=OWN)
    headers = people.carol.headers
    await api.get("/scaigrid/models", headers=headers)

    assert [request.headers["authorization"] for request in grid.requests] == [headers["Authorization"]]
    assert own.requests == []


async def test_a_rotated_key_counts_at_once(serving: Serving, people: People, grid: PlayedGrid) -> None:
    async with serving(scaigrid=only_keys()) as api:
        for key in (KEY, NEXT):
            await put(api, people, query="?verify=false", api_key=key)
            await api.get("/scaigrid/models", headers=people.carol.headers)

    assert [request.headers["authorization"] for request in grid.requests] == [
        f"Bearer {KEY}",
        f"Bearer {NEXT}",
    ]


async def test_without_a_place_for_keys_none_is_taken(
    serving: Serving, people: People, grid: PlayedGrid
) -> None:
    async with serving(secrets=Secrets()) as api:
        assert await shown(api, people) == UNSET
        assert refused(await put(api, people)) == (503, "secrets_not_configured")
    assert grid.steps == []


async def test_a_key_that_cannot_be_read_any_more_says_so(
    serving: Serving, api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    await put(api, people)
    other = Secrets(key=SecretStr(base64.b64encode(bytes(range(32))).decode()))
    async with serving(secrets=other) as later:
        answer = await later.get(URL, headers=people.alice.headers)
        assert refused(answer) == (503, "secret_unreadable")
        assert (await put(later, people, base_url=None)).status_code == 204
        assert (await shown(later, people))["configured"]


async def test_sent_twice_with_one_idempotency_key_it_is_set_once(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    headers = {**people.alice.headers, "Idempotency-Key": "k1"}
    answers = [await api.post(URL, json={"api_key": KEY}, headers=headers) for _ in range(2)]
    other = await api.post(URL, json={"api_key": NEXT}, headers=headers)

    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert refused(other) == (409, "idempotency_conflict")
    assert grid.steps == ["me"]


async def test_the_audit_log_tells_of_it_without_the_key(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, own: PlayedGrid
) -> None:
    await put(api, people, base_url=OWN)
    started, ended = (await log_of(api, people.alice.headers))[-2:]

    assert (started["outcome"], ended["outcome"]) == ("started", "succeeded")
    assert (ended["action"], ended["target_type"], ended["target_id"]) == (
        "tenant.credentials_set",
        "tenant",
        "tnt_acme",
    )
    assert ended["details"] == {"verified": "yes", "grid": "own", "version": 1}


async def test_the_key_is_found_nowhere(
    serving: Serving,
    settings: Settings,
    people: People,
    grid: PlayedGrid,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither in what is logged, nor in what is answered, nor in the database."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("DEBUG")
    answers = []
    try:
        async with serving(scaigrid=only_keys()) as api:
            headers = {**people.alice.headers, "Idempotency-Key": "k1"}
            answers.append(await api.post(URL, json={"api_key": KEY}, headers=headers))
            for fault in (
                refusal(401, message=f"bad key {KEY}"),
                refusal(500, message=f"{KEY}"),
                httpx.ReadError(KEY),
            ):
                grid.faults["me"] = [fault] * 3
                answers.append(await put(api, people))
            answers.append(await put(api, people, base_url=f"https://x:{KEY}@grid.test"))
            answers.append(await api.post(URL, json={"api_key": [KEY]}, headers=people.alice.headers))
            answers.append(await api.get(URL, headers=people.alice.headers))
            answers.append(await api.get("/admin/audit?format=jsonl", headers=people.alice.headers))
    finally:
        configure_logging("CRITICAL")

    assert [answer.status_code for answer in answers] == [204, 422, 502, 502, 422, 422, 200, 200]
    needle = KEY.removeprefix("sgk_")
    assert all(needle not in answer.text for answer in answers)
    assert stream.getvalue()
    assert needle not in stream.getvalue()
    if settings.database.url.get_secret_value().startswith("sqlite"):
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
        assert kept
        assert needle.encode() not in kept
