"""Applications of the local ScaiKey: a client is registered, signs in at once and after a restart, and changes."""

from typing import Any

import pytest
from localgrid_support import BASE, OAUTH, REDIRECT, VERIFIER, RunningGrid, claims_of, returned, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaikey.people import ADMIN_CLIENT, ADMIN_SECRET

API = "/scaikey/api/v1"
APPLICATIONS = f"{API}/admin/applications/"
NEW: dict[str, Any] = {
    "name": "Second canvas",
    "application_type": "WEB",
    "scope": "GLOBAL",
    "redirect_uris": [REDIRECT],
    "allowed_scopes": ["openid", "profile", "email", "admin:read", "groups:read"],
}


async def bearer(grid: RunningGrid, client_id: str, secret: str, scope: str | None = None) -> dict[str, str]:
    answer = await grid.token(
        grant_type="client_credentials", client_id=client_id, client_secret=secret, scope=scope
    )
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
async def admin(grid: RunningGrid) -> dict[str, str]:
    return await bearer(grid, ADMIN_CLIENT, ADMIN_SECRET)


@pytest.fixture
async def app(grid: RunningGrid, admin: dict[str, str]) -> dict[str, Any]:
    answer = await grid.http.post(APPLICATIONS, json=NEW, headers=admin)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_registered_client_gets_its_scopes_and_signs_people_in(
    grid: RunningGrid, app: dict[str, Any]
) -> None:
    own = {"client_id": app["client_id"], "client_secret": app["client_secret"]}

    token = claims_of((await bearer(grid, *own.values()))["Authorization"].removeprefix("Bearer "))
    assert (token["aud"], token["platform_token"], token["scope"]) == (
        app["client_id"],
        True,
        "openid profile email admin:read groups:read",
    )
    code = returned(await grid.choose("usr_bob", client_id=app["client_id"]))["code"]
    person = await grid.redeem(code, **own, redirect_uri=REDIRECT, code_verifier=VERIFIER)
    assert claims_of(person.json()["access_token"])["aud"] == app["client_id"]


async def test_signing_out_goes_back_to_a_registered_client(
    grid: RunningGrid, app: dict[str, Any], admin: dict[str, str]
) -> None:
    query = {"post_logout_redirect_uri": "http://127.0.0.1:7000/bye"}
    assert (await grid.http.get(f"{OAUTH}/logout", params=query)).status_code == 400
    change = {"redirect_uris": ["http://127.0.0.1:7000/callback"]}
    assert (await grid.http.patch(APPLICATIONS + app["id"], json=change, headers=admin)).is_success

    answer = await grid.http.get(f"{OAUTH}/logout", params=query)

    assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:7000/bye")


async def test_the_secret_is_told_once(grid: RunningGrid, app: dict[str, Any], admin: dict[str, str]) -> None:
    shown = (await grid.http.get(APPLICATIONS + app["id"], headers=admin)).json()
    listed = (await grid.http.get(APPLICATIONS, params={"search": "second"}, headers=admin)).json()

    assert shown == {name: value for name, value in app.items() if name != "client_secret"}
    assert listed["items"] == [shown]
    assert app["client_secret"] not in str(listed)


async def test_a_change_replaces_the_list_and_counts_at_once(
    grid: RunningGrid, app: dict[str, Any], admin: dict[str, str]
) -> None:
    scopes = {"allowed_scopes": ["admin:write"]}
    changed = await grid.http.patch(APPLICATIONS + app["id"], json=scopes, headers=admin)

    assert changed.json()["allowed_scopes"] == ["admin:write"]
    own = await bearer(grid, app["client_id"], app["client_secret"])
    assert (await grid.http.get(APPLICATIONS, headers=own)).status_code == 200


async def test_a_new_secret_ends_the_old_one(
    grid: RunningGrid, app: dict[str, Any], admin: dict[str, str]
) -> None:
    renewed = await grid.http.post(f"{APPLICATIONS}{app['id']}/regenerate-secret", headers=admin)

    await bearer(grid, app["client_id"], renewed.json()["client_secret"])
    old = await grid.token(
        grant_type="client_credentials", client_id=app["client_id"], client_secret=app["client_secret"]
    )
    assert (old.status_code, old.json()["error"]) == (401, "invalid_client")


async def test_a_registration_survives_a_restart_and_a_deletion_too(config: GridConfig) -> None:
    async with running_grid(config) as first:
        admin = await bearer(first, ADMIN_CLIENT, ADMIN_SECRET)
        kept, gone = [(await first.http.post(APPLICATIONS, json=NEW, headers=admin)).json() for _ in "ab"]
        assert (await first.http.delete(APPLICATIONS + gone["id"], headers=admin)).status_code == 204
    async with running_grid(config) as second:
        await bearer(second, kept["client_id"], kept["client_secret"])
        refused = await second.token(
            grant_type="client_credentials", client_id=gone["client_id"], client_secret=gone["client_secret"]
        )
        assert refused.status_code == 401
        assert (await second.http.get(APPLICATIONS + gone["id"], headers=admin)).status_code == 404


async def test_effective_users_are_asked_for_by_either_id(
    grid: RunningGrid, app: dict[str, Any], admin: dict[str, str]
) -> None:
    for name, status in ((app["id"], 200), (app["client_id"], 200), ("app_unknown", 404)):
        path = f"{API}/tenants/tnt_acme/applications/{name}/effective-users"
        assert (await grid.http.get(path, headers=admin)).status_code == status


@pytest.mark.parametrize(
    "changed",
    [
        {"application_type": "SPA"},
        {"scope": "TENANT"},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": [f"{BASE}/#fragment"]},
        {"allowed_scopes": ["admin read"]},
        {"name": ""},
        {"client_secret": "mine"},
    ],
)
async def test_malformed_applications_are_refused(
    grid: RunningGrid, admin: dict[str, str], changed: dict[str, Any]
) -> None:
    answer = await grid.http.post(APPLICATIONS, json=NEW | changed, headers=admin)

    assert answer.status_code == 422
    assert (await grid.http.get(APPLICATIONS, headers=admin)).json()["items"] == []


async def test_applications_take_the_scope_to_write_and_a_token(
    grid: RunningGrid, app: dict[str, Any]
) -> None:
    reader = await bearer(grid, app["client_id"], app["client_secret"])

    assert (await grid.http.get(APPLICATIONS, headers=reader)).status_code == 200
    assert (await grid.http.post(APPLICATIONS, json=NEW, headers=reader)).status_code == 403
    assert (await grid.http.get(APPLICATIONS)).status_code == 401
