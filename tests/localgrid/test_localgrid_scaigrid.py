"""ScaiGrid: who calls, and what that caller may see."""

from typing import Any

import pytest
from jose import jwt
from localgrid_support import (
    BASE,
    CLIENT_ID,
    OAUTH,
    SCAICORE,
    Caller,
    RunningGrid,
    a_config,
    claims_of,
    error_of,
)

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaikey.people import SERVICE_SECRET

ME = "/scaigrid/v1/me"


@pytest.mark.parametrize(
    ("person", "tenant", "role", "has", "lacks"),
    [
        ("usr_alice", "tnt_acme", "tenant_admin", ["scaicore:admin", "models:manage", "scaibunker:root"], []),
        ("usr_bob", "tnt_acme", "tenant_user", ["scaicore:manage", "scaiqueue:manage"], ["models:manage"]),
        ("usr_carol", "tnt_acme", "tenant_viewer", ["scaicore:view", "scaiqueue:view"], ["scaicore:manage"]),
        ("usr_dave", "tnt_globex", "tenant_user", ["scaicore:manage"], ["scaicore:admin"]),
        ("usr_root", "tnt_platform", "super_admin", ["scaicore:manage", "routing:manage"], []),
    ],
)
async def test_everyone_learns_who_they_are(
    grid: RunningGrid, person: str, tenant: str, role: str, has: list[str], lacks: list[str]
) -> None:
    caller = await grid.caller(person)
    body = (await caller("GET", ME)).json()

    assert body["status"] == "ok"
    data = body["data"]
    assert (data["id"], data["tenant_id"], data["roles"]) == (person, tenant, [role])
    assert set(has) <= set(data["permissions"])
    assert not set(lacks) & set(data["permissions"])
    assert (await caller("GET", "/scaigrid/v1/auth/me")).json()["data"] == data


async def test_the_build_server_and_the_api_key_are_the_service_account(grid: RunningGrid) -> None:
    response = await grid.token(
        grant_type="client_credentials", client_id="svc_ci", client_secret=SERVICE_SECRET
    )

    for bearer in (response.json()["access_token"], "sgk_local_development"):
        data = (await Caller(grid.http, bearer)("GET", ME)).json()["data"]
        assert (data["id"], data["tenant_id"]) == ("svc_ci", "tnt_acme")
        assert "scaicore:manage" in data["permissions"]


async def test_bad_credentials_are_unauthorized(grid: RunningGrid) -> None:
    tokens = await grid.sign_in("usr_bob")
    platform = await grid.token(grant_type="client_credentials")
    good = tokens["access_token"]
    head, payload, signature = good.split(".")

    async def code_of(header: str | None) -> str:
        headers = {} if header is None else {"Authorization": header}
        response = await grid.http.get(ME, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        return str(error_of(response)["code"])

    assert await code_of(None) == "AUTH_TOKEN_MISSING"
    assert await code_of(f"Bearer {platform.json()['access_token']}") == "SERVICE_TOKEN_INVALID"
    for header in (
        "Bearer",
        f"Basic {good}",
        "Bearer not-a-token",
        "Bearer a.b.c",
        f"Bearer {head}.{payload}.",
        f"Bearer {head}.{payload}.{signature[:-4]}AAAA",
        f"Bearer {tokens['id_token']}",
        "Bearer sgk_unknown",
        f"Bearer {'x' * 20_000}",
    ):
        assert await code_of(header) == "AUTH_TOKEN_INVALID", header


async def test_forged_headers_do_not_choose_how_a_token_is_checked(grid: RunningGrid) -> None:
    good = (await grid.sign_in("usr_bob"))["access_token"]
    kid = jwt.get_unverified_header(good)["kid"]
    claims = claims_of(good)
    forged = [
        jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
    ]

    for token in forged:
        assert (await Caller(grid.http, token)("GET", ME)).status_code == 401


async def test_tokens_end_with_their_hour(grid: RunningGrid) -> None:
    caller = await grid.caller("usr_bob")
    grid.clock.forward(3600 + 30)
    assert (await caller("GET", ME)).status_code == 200
    grid.clock.forward(1)

    assert (await caller("GET", ME)).status_code == 401


async def test_another_grids_tokens_are_refused(grid: RunningGrid, config: GridConfig, tmp_path: Any) -> None:
    from localgrid_support import running_grid

    async with running_grid(a_config(tmp_path / "other.db"), grid.clock) as other:
        caller = Caller(grid.http, (await other.sign_in("usr_bob"))["access_token"])

        assert (await caller("GET", ME)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/scaigrid/v1/nothing", 404, "NOT_FOUND"),
        ("DELETE", ME, 405, "METHOD_NOT_ALLOWED"),
        ("GET", f"{SCAICORE}/cores?limit=0", 422, "VALIDATION_ERROR"),
        ("GET", f"{SCAICORE}/cores?limit=501", 422, "VALIDATION_ERROR"),
        ("GET", f"{SCAICORE}/cores?cursor=nonsense", 422, "VALIDATION_ERROR"),
        ("GET", f"{SCAICORE}/events?cursor=YWZ0ZXI6eA", 422, "VALIDATION_ERROR"),
        ("GET", "/scaigrid/v1/models/openai/gpt-5", 404, "MODEL_NOT_FOUND"),
    ],
)
async def test_every_refusal_has_the_envelope(
    grid: RunningGrid, method: str, path: str, status: int, code: str
) -> None:
    caller = await grid.caller("usr_bob")
    response = await caller(method, path)

    assert response.status_code == status
    error = error_of(response)
    assert error["code"] == code
    assert error["message"]
    assert ("details" in error) == (code == "VALIDATION_ERROR")


MANAGED = [
    ("POST", "/cores"),
    ("PUT", "/cores/core_x"),
    ("DELETE", "/cores/core_x"),
    *(
        ("POST", f"/cores/core_x/{verb}")
        for verb in ("start", "stop", "publish", "sync", "unpublish", "invoke")
    ),
]


@pytest.mark.parametrize(("method", "path"), MANAGED)
async def test_viewers_change_nothing(grid: RunningGrid, method: str, path: str) -> None:
    caller = await grid.caller("usr_carol")
    response = await caller(method, f"{SCAICORE}{path}", content=b"core:")

    assert response.status_code == 403
    assert error_of(response)["code"] == "AUTHZ_PERMISSION_DENIED"
    assert "scaicore:manage" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("method", "path"), [*MANAGED, ("GET", "/cores"), ("GET", "/cores/core_x"), ("GET", "/events")]
)
async def test_nothing_is_open_to_strangers(grid: RunningGrid, method: str, path: str) -> None:
    assert (await grid.http.request(method, f"{SCAICORE}{path}")).status_code == 401


async def test_the_catalogue_pages(grid: RunningGrid) -> None:
    caller = await grid.caller("usr_carol")
    whole = (await caller("GET", "/scaigrid/v1/models")).json()["data"]
    first = (await caller("GET", "/scaigrid/v1/models", params={"limit": 2})).json()["data"]
    rest = (await caller("GET", "/scaigrid/v1/models", params={"cursor": first["next_cursor"]})).json()[
        "data"
    ]

    slugs = [model["slug"] for model in whole["items"]]
    assert slugs == ["openai/gpt-4o", "openai/gpt-4o-mini", "scailabs/poolnoodle-omni"]
    assert [model["slug"] for model in first["items"] + rest["items"]] == slugs
    assert whole["next_cursor"] is rest["next_cursor"] is None
    assert whole["items"][0]["context_window"] == 128_000


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"modality": "chat"}, 3),
        ({"modality": "image"}, 0),
        ({"status": "active"}, 3),
        ({"status": "deprecated"}, 0),
    ],
)
async def test_the_catalogue_filters(grid: RunningGrid, filters: dict[str, str], count: int) -> None:
    caller = await grid.caller("usr_carol")

    assert len((await caller("GET", "/scaigrid/v1/models", params=filters)).json()["data"]["items"]) == count


async def test_a_slug_may_come_escaped(grid: RunningGrid) -> None:
    caller = await grid.caller("usr_carol")

    assert (await caller("GET", "/scaigrid/v1/models/openai%2Fgpt-4o")).json()["data"][
        "slug"
    ] == "openai/gpt-4o"


async def test_issuer_and_audience_belong_to_this_grid(grid: RunningGrid) -> None:
    claims = claims_of((await grid.sign_in("usr_bob"))["access_token"])

    assert claims["iss"].startswith(f"{BASE}/scaikey/tenants/")
    assert claims["aud"] == CLIENT_ID
    assert (await grid.http.get(f"{OAUTH}/authorize")).status_code == 400
