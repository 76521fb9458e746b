"""Signing in, and being somebody."""

from typing import Any

import httpx
import pytest
import respx
from api_refusals import refused
from people import People
from sqlalchemy import update
from tokens import ISSUER, PublishedKeys

from scaiflow_api.db.models.user import User
from scaiflow_api.resources import Resources

SCAIGRID_ME = "http://scaigrid.test/v1/auth/me"
DISCOVERY = f"{ISSUER}/api/v1/platform/oauth/.well-known/openid-configuration"
TOKEN = f"{ISSUER}/api/v1/platform/oauth/token"
CODE = {"code": "c", "code_verifier": "v", "redirect_uri": "http://localhost:5173/auth/callback"}


@pytest.fixture
def scaikey(respx_mock: respx.MockRouter) -> respx.MockRouter:
    respx_mock.get(DISCOVERY).respond(
        json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", "token_endpoint": TOKEN}
    )
    return respx_mock


async def test_a_browser_learns_where_to_sign_in(api: httpx.AsyncClient) -> None:
    answer = await api.get("/auth/config")

    assert answer.json() == {
        "auth_mode": "scaikey",
        "scaikey_base_url": ISSUER,
        "client_id": "scaiflow-test",
        "audience": "scaiflow-test",
        "redirect_uri": "http://localhost:5173/auth/callback",
    }


async def test_a_code_becomes_tokens_and_the_secret_stays_here(
    api: httpx.AsyncClient, scaikey: respx.MockRouter
) -> None:
    tokens = {
        "access_token": "a",
        "refresh_token": "r",
        "id_token": "i",
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    asked = scaikey.post(TOKEN).respond(json=tokens)

    answer = await api.post("/auth/exchange", json=CODE)

    assert (answer.status_code, answer.json()) == (200, tokens)
    assert answer.headers["cache-control"] == "no-store"
    assert b"client-secret" in asked.calls.last.request.content
    assert "client-secret" not in answer.text


async def test_a_refresh_token_becomes_tokens(api: httpx.AsyncClient, scaikey: respx.MockRouter) -> None:
    scaikey.post(TOKEN).respond(json={"access_token": "a2", "refresh_token": "r2", "expires_in": 60})

    answer = await api.post("/auth/refresh", json={"refresh_token": "r"})

    assert (answer.status_code, answer.json()["refresh_token"], answer.json()["expires_in"]) == (
        200,
        "r2",
        60,
    )


@pytest.mark.parametrize(
    ("upstream", "status", "error"),
    [
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "code already used"}),
            400,
            "invalid_grant",
        ),
        (httpx.Response(503, text="down"), 502, "scaikey_api"),
        (httpx.Response(200, text="<html>"), 502, "scaikey_api"),
        (httpx.ConnectError("refused"), 502, "scaikey_api"),
    ],
)
async def test_what_scaikey_refuses_or_breaks_is_told_apart(
    api: httpx.AsyncClient, scaikey: respx.MockRouter, upstream: Any, status: int, error: str
) -> None:
    scaikey.post(TOKEN).mock(side_effect=[upstream] * 5)

    answer = await api.post("/auth/exchange", json=CODE)

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (status, error)
    if status == 400:
        assert detail["error_description"] == "code already used"
        assert detail["message"] == "ScaiKey refused: invalid_grant"
    assert "client-secret" not in answer.text


async def test_me_is_the_token_and_what_we_keep(api: httpx.AsyncClient, people: People) -> None:
    alice = (await api.get("/me", headers=people.alice.headers)).json()
    carol = (await api.get("/me", headers=people.carol.headers)).json()

    assert alice == {
        "sub": "usr_alice",
        "tenant_id": "tnt_acme",
        "email": "alice@example.test",
        "display_name": "Alice",
        "permissions": ["scaicore:manage", "scaicore:view"],
        "groups": ["grp_eng"],
        "admin_role": "tenant_admin",
        "admin_role_source": "bootstrap",
    }
    assert (carol["permissions"], carol["admin_role"]) == (["scaicore:view"], None)


class TestPermissions:
    """Where they come from when the token is silent."""

    async def test_scaigrid_is_asked_once_in_a_while(
        self, api: httpx.AsyncClient, people: People, respx_mock: respx.MockRouter
    ) -> None:
        principal = {
            "data": {"id": "usr_bob", "tenant_id": "tnt_acme", "roles": [], "permissions": ["scaicore:view"]}
        }
        asked = respx_mock.get(SCAIGRID_ME).respond(json=principal)
        token = people.bob.token(permissions=None)
        headers = {"Authorization": f"Bearer {token}"}

        assert (await api.get("/flows", headers=headers)).status_code == 200
        assert (await api.get("/flows", headers=headers)).status_code == 200
        refused = await api.post("/flows", json={"content": {}}, headers=headers)

        assert refused.json()["detail"]["error"] == "permission_denied"
        assert asked.call_count == 1
        assert asked.calls.last.request.headers["authorization"] == f"Bearer {token}"

    @pytest.mark.parametrize(
        ("upstream", "status", "error"),
        [
            (httpx.Response(500), 502, "scaigrid_api"),
            (httpx.Response(200, text="<html></html>"), 502, "scaigrid_api"),
            (
                httpx.Response(401, json={"error": {"code": "AUTH_TOKEN_INVALID", "message": "no"}}),
                502,
                "scaigrid_auth",
            ),
            (httpx.ConnectError("refused"), 502, "scaigrid_api"),
            (httpx.ReadTimeout("slow"), 504, "scaigrid_timeout"),
        ],
    )
    async def test_without_an_answer_nobody_gets_in(
        self,
        api: httpx.AsyncClient,
        people: People,
        respx_mock: respx.MockRouter,
        upstream: Any,
        status: int,
        error: str,
    ) -> None:
        respx_mock.get(SCAIGRID_ME).mock(side_effect=[upstream] * 10)

        answer = await api.get(
            "/flows", headers={"Authorization": f"Bearer {people.bob.token(permissions=None)}"}
        )

        assert refused(answer) == (status, error)

    async def test_an_admin_needs_no_answer(self, api: httpx.AsyncClient, people: People) -> None:
        headers = {"Authorization": f"Bearer {people.alice.token(permissions=None)}"}

        assert (await api.get("/flows", headers=headers)).status_code == 200


class TestRefusals:
    """Tokens that open nothing."""

    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "bearer\tx", "Bearer é"]
    )
    async def test_without_a_bearer_nobody_is_known(self, api: httpx.AsyncClient, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header.encode()}

        answer = await api.get("/me", headers=headers)

        assert refused(answer) == (401, "not_authenticated")
        assert answer.json()["detail"]["fix"]

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"aud": "user-portal"}, "invalid token: Audience doesn't match"),
            ({"exp": 1}, "invalid token: Signature has expired"),
            ({"tenant_id": None}, "invalid token: it names no tenant"),
        ],
    )
    async def test_a_token_for_somebody_else_is_refused(
        self, api: httpx.AsyncClient, people: People, changed: dict[str, Any], message: str
    ) -> None:
        from tokens import claims, sign

        answer = await api.get("/me", headers={"Authorization": f"Bearer {sign(claims(**changed))}"})

        detail = answer.json()["detail"]
        assert (answer.status_code, detail["error"], detail["message"]) == (401, "invalid_token", message)
        assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_a_key_that_was_withdrawn_opens_nothing(
        self, api: httpx.AsyncClient, people: People, keys: PublishedKeys
    ) -> None:
        keys.kids.clear()

        assert (await api.get("/me", headers=people.bob.headers)).status_code == 401

    @pytest.mark.parametrize("change", [{"status": "SUSPENDED"}, {"deleted_at": "now"}])
    async def test_a_suspended_or_deleted_account_is_refused(
        self, api: httpx.AsyncClient, people: People, resources: Resources, change: dict[str, Any]
    ) -> None:
        await resources.principals.add(
            "tnt_acme", "usr_bob", email=None, name=None, now=resources.clock.now()
        )
        if "deleted_at" in change:
            change = {"deleted_at": resources.clock.now()}
        async with resources.db.write() as session:
            await session.execute(update(User).where(User.id == "usr_bob").values(**change))

        answer = await api.get("/me", headers=people.bob.headers)

        assert refused(answer) == (401, "account_not_active")
