"""ScaiKey: tokens of clients, and the keys that sign."""

from localgrid_support import BASE, CLIENT_ID, CLIENT_SECRET, OAUTH, RunningGrid, claims_of, header_of

from scaiflow_api.localgrid.scaikey.people import SERVICE_SECRET


async def test_the_build_server_gets_a_token_for_the_api(grid: RunningGrid) -> None:
    response = await grid.token(
        grant_type="client_credentials", client_id="svc_ci", client_secret=SERVICE_SECRET
    )

    body = response.json()
    claims = claims_of(body["access_token"])
    assert response.status_code == 200
    assert "refresh_token" not in body
    assert "id_token" not in body
    assert body["scope"] == claims["scope"] == "openid profile email"
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("svc_ci", "svc_ci", CLIENT_ID)
    assert (claims["tenant_id"], claims["token_type"]) == ("tnt_acme", "client_credentials")
    assert claims["iss"] == f"{BASE}/scaikey/tenants/tnt_acme"
    assert "permissions" not in claims


async def test_the_apis_own_token_names_no_tenant(grid: RunningGrid) -> None:
    response = await grid.http.post(
        f"{OAUTH}/token", auth=(CLIENT_ID, CLIENT_SECRET), data={"grant_type": "client_credentials"}
    )

    claims = claims_of(response.json()["access_token"])
    assert claims["sub"] == CLIENT_ID
    assert claims["platform_token"] is True
    reads = "admin:read users:read groups:read"
    assert claims["scope"] == f"{reads} secrets:read secrets:write secrets:delete"
    assert "tenant_id" not in claims


async def test_clients_cannot_ask_for_more_than_they_have(grid: RunningGrid) -> None:
    some = await grid.token(grant_type="client_credentials", scope="admin:read")
    more = await grid.token(grant_type="client_credentials", scope="admin:read admin:write")

    assert some.json()["scope"] == "admin:read"
    assert more.status_code == 400
    assert more.json()["error"] == "invalid_scope"


async def test_a_rotated_key_signs_and_the_old_one_still_verifies(grid: RunningGrid) -> None:
    before = await grid.caller("usr_bob")
    rotated = (await grid.http.post("/_faults/rotate-keys")).json()["kid"]
    after = await grid.caller("usr_bob")
    published = (await grid.http.get("/scaikey/api/v1/platform/.well-known/jwks.json")).json()["keys"]

    assert header_of(after.bearer)["kid"] == rotated
    assert [key["kid"] for key in published] == [header_of(before.bearer)["kid"], rotated]
    for caller in (before, after):
        assert (await caller("GET", "/scaigrid/v1/me")).status_code == 200


async def test_a_forgotten_key_ends_its_tokens(grid: RunningGrid) -> None:
    before = await grid.caller("usr_bob")
    await grid.http.post("/_faults/rotate-keys", params={"forget_old": "true"})

    assert (await before("GET", "/scaigrid/v1/me")).status_code == 401
    assert len((await grid.http.get("/scaikey/api/v1/platform/.well-known/jwks.json")).json()["keys"]) == 1
