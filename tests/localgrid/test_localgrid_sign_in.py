"""ScaiKey: the page, codes, refresh tokens, sessions."""

import pytest
from localgrid_support import (
    BASE,
    CLIENT_ID,
    CLIENT_SECRET,
    OAUTH,
    REDIRECT,
    RunningGrid,
    claims_of,
    header_of,
    returned,
)

from scaiflow_api.localgrid.scaikey.people import SERVICE_SECRET

ACME = "/scaikey/api/v1/auth/tenants/acme"


async def test_a_person_signs_in_with_code_and_pkce(grid: RunningGrid) -> None:
    page = await grid.http.get(f"{OAUTH}/authorize", params=grid.query())
    assert page.status_code == 200

    answer = returned(await grid.choose("usr_bob"))
    assert answer["state"] == "st&te"
    response = await grid.redeem(answer["code"])

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    now = int(grid.clock.now().timestamp())
    access = claims_of(tokens["access_token"])
    access.pop("jti")
    assert access == {
        "iss": f"{BASE}/scaikey/tenants/tnt_acme",
        "aud": CLIENT_ID,
        "sub": "usr_bob",
        "scope": "openid profile email",
        "tenant_id": "tnt_acme",
        "client_id": CLIENT_ID,
        "iat": now,
        "exp": now + 3600,
        "email": "bob@acme.example",
        "name": "Bob Baker",
        "groups": ["grp_eng"],
    }
    identity = claims_of(tokens["id_token"])
    assert identity["nonce"] == "n0nce"
    assert identity["sub"] == "usr_bob"
    assert "scope" not in identity


async def test_tokens_are_signed_by_a_published_key(grid: RunningGrid) -> None:
    tokens = await grid.sign_in("usr_carol")
    discovered = (await grid.http.get(f"{OAUTH}/.well-known/openid-configuration")).json()
    keys = (await grid.http.get(discovered["jwks_uri"])).json()["keys"]

    header = header_of(tokens["access_token"])
    assert header["alg"] == "RS256"
    assert header["kid"] in {key["kid"] for key in keys}
    assert all(set(key) == {"kty", "use", "alg", "kid", "n", "e"} for key in keys)
    assert keys == (await grid.http.get(f"{ACME}/.well-known/jwks.json")).json()["keys"]


@pytest.mark.parametrize(
    ("prefix", "issuer"),
    [
        ("/scaikey/api/v1/platform/oauth", f"{BASE}/scaikey"),
        (ACME, f"{BASE}/scaikey/tenants/tnt_acme"),
    ],
)
async def test_discovery_names_endpoints_that_exist(grid: RunningGrid, prefix: str, issuer: str) -> None:
    document = (await grid.http.get(f"{prefix}/.well-known/openid-configuration")).json()

    assert document["issuer"] == issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization_endpoint", "end_session_endpoint", "jwks_uri"):
        assert (await grid.http.get(document[name])).status_code in {200, 400}
    assert (await grid.http.post(document["token_endpoint"], data={"grant_type": "x"})).status_code == 401


async def test_unknown_tenants_have_no_discovery(grid: RunningGrid) -> None:
    response = await grid.http.get("/scaikey/api/v1/auth/tenants/nobody/.well-known/openid-configuration")

    assert response.status_code == 404


async def test_the_page_is_closed_to_scripts_frames_and_caches(grid: RunningGrid) -> None:
    page = await grid.http.get(f"{OAUTH}/authorize", params=grid.query())

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://localhost:5173;" in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert "http" not in page.text.partition("</style>")[2]  # no foreign asset
    assert page.text.count('type="radio"') == 5


async def test_what_the_request_says_is_not_markup_on_the_page(grid: RunningGrid) -> None:
    attack = '"><script>alert(1)</script>'
    page = await grid.http.get(f"{OAUTH}/authorize", params=grid.query(state=attack, login_hint=attack))
    refusal = await grid.http.get(f"{OAUTH}/authorize", params=grid.query(client_id=attack))

    assert "<script" not in page.text + refusal.text


@pytest.mark.parametrize("hint", ["bob", "usr_bob", "Bob@acme.example"])
async def test_a_login_hint_preselects_its_person(grid: RunningGrid, hint: str) -> None:
    page = await grid.http.get(f"{OAUTH}/authorize", params=grid.query(login_hint=hint))

    assert page.text.count(" checked") == 1
    assert 'value="usr_bob" required checked' in page.text


async def test_a_tenants_page_offers_its_people_only(grid: RunningGrid) -> None:
    page = await grid.http.get(f"{ACME}/oauth/authorize", params=grid.query())
    refused = await grid.http.post(
        f"{ACME}/oauth/authorize", params=grid.query(), data={"decision": "allow", "person": "usr_dave"}
    )

    assert "usr_alice" in page.text
    assert "usr_dave" not in page.text
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": None},
        {"client_id": "somebody"},
        {"client_id": "svc_ci"},
        {"redirect_uri": None},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": "http://evil.example/auth/callback"},
    ],
)
async def test_without_a_safe_way_back_the_person_is_told(
    grid: RunningGrid, changed: dict[str, str | None]
) -> None:
    asked = await grid.http.get(f"{OAUTH}/authorize", params=grid.query(**changed))
    chosen = await grid.choose(**changed)

    assert (asked.status_code, chosen.status_code) == (400, 400)
    assert "location" not in asked.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid admin:read"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_refusals_go_back_to_the_client(
    grid: RunningGrid, changed: dict[str, str | None], error: str
) -> None:
    answer = returned(await grid.http.get(f"{OAUTH}/authorize", params=grid.query(**changed)))

    assert answer["error"] == error
    assert answer["error_description"]
    assert answer["state"] == "st&te"


async def test_a_parameter_given_twice_is_refused(grid: RunningGrid) -> None:
    query = [*grid.query().items(), ("scope", "openid")]

    assert returned(await grid.http.get(f"{OAUTH}/authorize", params=query))["error"] == "invalid_request"


async def test_cancelling_is_told_to_the_client(grid: RunningGrid) -> None:
    response = await grid.http.post(f"{OAUTH}/authorize", params=grid.query(), data={"decision": "cancel"})

    assert returned(response)["error"] == "access_denied"


@pytest.mark.parametrize("form", [{}, {"decision": "allow"}, {"decision": "allow", "person": "usr_nobody"}])
async def test_a_choice_of_nobody_gives_no_code(grid: RunningGrid, form: dict[str, str]) -> None:
    response = await grid.http.post(f"{OAUTH}/authorize", params=grid.query(), data=form)

    assert response.status_code == 400


async def test_another_web_page_cannot_choose(grid: RunningGrid) -> None:
    async def choose(origin: str) -> int:
        response = await grid.http.post(
            f"{OAUTH}/authorize",
            params=grid.query(),
            data={"decision": "allow", "person": "usr_root"},
            headers={"Origin": origin},
        )
        return response.status_code

    assert await choose("http://evil.example") == 400
    assert await choose("null") == 400
    assert await choose("http://127.0.0.1:8002") == 302


async def test_a_session_lets_the_client_ask_silently(grid: RunningGrid) -> None:
    await grid.choose("usr_carol")
    answer = returned(await grid.http.get(f"{OAUTH}/authorize", params=grid.query(prompt="none")))
    tokens = (await grid.redeem(answer["code"])).json()

    assert claims_of(tokens["access_token"])["sub"] == "usr_carol"


async def test_sessions_end_by_time(grid: RunningGrid) -> None:
    await grid.choose("usr_carol")
    grid.clock.forward(12 * 3600)
    answer = returned(await grid.http.get(f"{OAUTH}/authorize", params=grid.query(prompt="none")))

    assert answer["error"] == "login_required"


async def test_logout_ends_the_session_and_returns(grid: RunningGrid) -> None:
    tokens = await grid.sign_in("usr_carol")
    cookie = grid.http.cookies["scaikey_session"]
    query = {
        "post_logout_redirect_uri": "http://localhost:5173/bye",
        "state": "a b",
        "id_token_hint": tokens["id_token"],
    }
    response = await grid.http.get(f"{OAUTH}/logout", params=query)
    grid.http.cookies.set("scaikey_session", cookie, domain="127.0.0.1", path="/scaikey")
    again = returned(await grid.http.get(f"{OAUTH}/authorize", params=grid.query(prompt="none")))

    assert response.headers["location"] == "http://localhost:5173/bye?state=a+b"
    assert again["error"] == "login_required"


@pytest.mark.parametrize(
    "query",
    [
        {"post_logout_redirect_uri": "http://evil.example/"},
        {"post_logout_redirect_uri": "http://localhost:5173@evil.example/"},
        {"post_logout_redirect_uri": "http://localhost:5173\\@evil.example/"},
        {"post_logout_redirect_uri": "//localhost:5173/"},
        {"id_token_hint": "not.a.token"},
    ],
)
async def test_logout_redirects_nowhere_else(grid: RunningGrid, query: dict[str, str]) -> None:
    response = await grid.http.get(f"{OAUTH}/logout", params=query)

    assert response.status_code == 400
    assert "location" not in response.headers


async def test_logout_without_address_says_so(grid: RunningGrid) -> None:
    response = await grid.http.get(f"{ACME}/oauth/logout")

    assert response.status_code == 200
    assert "signed out" in response.text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:8001/auth/callback"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
    ],
)
async def test_bad_exchanges_are_refused(
    grid: RunningGrid, changed: dict[str, str | None], error: str
) -> None:
    response = await grid.redeem(await grid.code(), **changed)

    assert response.status_code == 400
    assert response.json()["error"] == error
    assert response.json()["error_description"]
    assert response.headers["cache-control"] == "no-store"


async def test_a_code_lives_sixty_seconds(grid: RunningGrid) -> None:
    fresh, stale = await grid.code(), await grid.code()
    grid.clock.forward(59)
    assert (await grid.redeem(fresh)).status_code == 200
    grid.clock.forward(1)

    assert (await grid.redeem(stale)).json()["error_description"] == "code expired"


async def test_a_wrong_attempt_uses_the_code_up(grid: RunningGrid) -> None:
    code = await grid.code()
    await grid.redeem(code, code_verifier="w" * 43)

    assert (await grid.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_used_twice_ends_what_came_of_it(grid: RunningGrid) -> None:
    code = await grid.code()
    tokens = (await grid.redeem(code)).json()
    again = await grid.redeem(code)
    refreshed = await grid.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert again.json() == {"error": "invalid_grant", "error_description": "code already used"}
    assert refreshed.json()["error"] == "invalid_grant"


async def test_without_pkce_a_verifier_is_refused(grid: RunningGrid) -> None:
    plain = {"code_challenge": None, "code_challenge_method": None}

    assert (await grid.redeem(await grid.code(**plain))).json()["error"] == "invalid_grant"
    assert (await grid.redeem(await grid.code(**plain), code_verifier=None)).status_code == 200


async def test_scopes_choose_the_claims_of_the_id_token(grid: RunningGrid) -> None:
    bare = (await grid.redeem(await grid.code(scope="openid", nonce=None))).json()
    without = (await grid.redeem(await grid.code(scope="profile"))).json()

    assert not {"email", "name", "groups", "nonce"} & claims_of(bare["id_token"]).keys()
    assert "id_token" not in without


async def test_refresh_tokens_rotate(grid: RunningGrid) -> None:
    first = await grid.sign_in("usr_dave")
    grid.clock.forward(3000)
    response = await grid.token(grant_type="refresh_token", refresh_token=first["refresh_token"])

    second = response.json()
    assert response.status_code == 200
    assert second["refresh_token"] != first["refresh_token"]
    claims = claims_of(second["access_token"])
    assert (claims["sub"], claims["iat"]) == ("usr_dave", int(grid.clock.now().timestamp()))


async def test_reuse_of_a_refresh_token_ends_the_family(grid: RunningGrid) -> None:
    async def refresh(token: str) -> dict[str, str]:
        response = await grid.token(grant_type="refresh_token", refresh_token=token)
        answer: dict[str, str] = response.json()
        return answer

    other = await grid.sign_in("usr_bob")
    first = (await grid.sign_in("usr_bob"))["refresh_token"]
    second = (await refresh(first))["refresh_token"]
    reused = await refresh(first)

    assert reused["error_description"] == "refresh token already used"
    assert (await refresh(second))["error"] == "invalid_grant"
    assert "access_token" in await refresh(other["refresh_token"])


async def test_refresh_tokens_expire_and_never_widen(grid: RunningGrid) -> None:
    token = (await grid.redeem(await grid.code(scope="openid email"))).json()["refresh_token"]
    wide = await grid.token(grant_type="refresh_token", refresh_token=token, scope="openid profile")
    narrow = await grid.token(grant_type="refresh_token", refresh_token=token, scope="email")
    grid.clock.forward(31 * 24 * 3600)
    late = await grid.token(grant_type="refresh_token", refresh_token=narrow.json()["refresh_token"])

    assert wide.json()["error"] == "invalid_scope"
    assert narrow.json()["scope"] == "email"
    assert "id_token" not in narrow.json()
    assert late.json()["error"] == "invalid_grant"


async def test_another_clients_code_is_unknown(grid: RunningGrid) -> None:
    response = await grid.redeem(await grid.code(), client_id="svc_ci", client_secret=SERVICE_SECRET)

    assert response.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("credentials", [(CLIENT_ID, CLIENT_SECRET), (CLIENT_ID, "local+secret%2B1")])
async def test_basic_credentials_are_accepted_raw_and_encoded(
    grid: RunningGrid, credentials: tuple[str, str]
) -> None:
    response = await grid.http.post(
        f"{OAUTH}/token",
        auth=credentials,
        data={
            "grant_type": "authorization_code",
            "code": await grid.code(),
            "redirect_uri": REDIRECT,
            "code_verifier": "v" * 43,
        },
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"client_secret": "wrong"},
        {"client_secret": None},
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_secret": "wröng"},
    ],
)
async def test_unknown_clients_are_unauthorized(grid: RunningGrid, changed: dict[str, str | None]) -> None:
    response = await grid.redeem(await grid.code(), **changed)

    assert response.status_code == 401
    assert response.json()["error"] == "invalid_client"
    assert response.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"json": {"grant_type": "client_credentials"}}, 400),
        ({"content": b"\xff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 400),
        ({"content": b"a=%FF", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 400),
        ({"content": b"a=1&a=2", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 400),
        ({"content": b"a=1&" * 99, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 400),
        ({"data": {"client_secret": "x"}, "auth": (CLIENT_ID, CLIENT_SECRET)}, 400),
        ({"data": {"client_id": "svc_ci"}, "auth": (CLIENT_ID, CLIENT_SECRET)}, 400),
        ({"data": {"a": "b"}, "headers": {"Authorization": "Basic ???"}}, 401),
        ({"data": {"a": "b"}, "headers": {"Authorization": "Bearer abc"}}, 401),
    ],
)
async def test_malformed_token_requests_are_refused(
    grid: RunningGrid, request_: dict[str, object], status: int
) -> None:
    response = await grid.http.post(f"{OAUTH}/token", **request_)  # type: ignore[arg-type]

    assert response.status_code == status
    assert response.json()["error"] in {"invalid_request", "invalid_client"}
