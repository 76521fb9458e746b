"""A service client of a tenant is somebody: it signs in by its own token, is granted access, can be suspended."""

from typing import Any

import httpx
import pytest
from api_flow_calls import create
from api_refusals import refused
from mirror import change_user
from people import People
from tokens import ISSUER, claims, sign

from scaiflow_api.resources import Resources


def headers(**changed: Any) -> dict[str, str]:
    """What a build server sends: a token of the grant `client_credentials`."""
    own = {
        "sub": "svc_ci",
        "client_id": "svc_ci",
        "token_type": "client_credentials",
        "app_scope": "TENANT",
        "permissions": ["scaicore:view", "scaicore:manage"],
        "email": None,
        "name": None,
    }
    return {"Authorization": f"Bearer {sign(claims(**{**own, **changed}))}"}


async def test_a_service_principal_belongs_to_its_tenant(api: httpx.AsyncClient) -> None:
    found = (await api.get("/me", headers=headers())).json()

    assert (found["sub"], found["tenant_id"], found["admin_role"]) == ("svc_ci", "tnt_acme", None)
    assert found["permissions"] == ["scaicore:manage", "scaicore:view"]


async def test_it_owns_flows_and_is_granted_those_of_others(
    api: httpx.AsyncClient, people: People, echo: dict[str, Any]
) -> None:
    assert (await create(api, headers(), {**echo, "name": "Built"}))["owner_id"] == "svc_ci"
    flow = f"/flows/{(await create(api, people.bob.headers, echo))['id']}"
    assert (await api.get(flow, headers=headers())).status_code == 404

    grant = {"principal_type": "user", "principal_id": "svc_ci", "level": "edit"}
    granted = await api.post(f"{flow}/acls", json=grant, headers=people.bob.headers)
    assert granted.status_code == 201, granted.text

    assert (await api.put(flow, json={"name": "By CI"}, headers=headers())).status_code == 200
    assert (await api.delete(flow, headers=headers())).status_code == 403


async def test_suspended_it_is_refused(api: httpx.AsyncClient, resources: Resources) -> None:
    await resources.principals.add("tnt_acme", "svc_ci", email=None, name=None, now=resources.clock.now())
    await change_user(resources.db, "tnt_acme", "svc_ci", status="SUSPENDED")

    assert (await api.get("/me", headers=headers())).status_code == 401


@pytest.mark.parametrize("permissions", [None, []])
async def test_it_has_no_permission_that_nobody_gave_it(
    api: httpx.AsyncClient, respx_mock: Any, permissions: list[str] | None
) -> None:
    granted = {"data": {"id": "svc_ci", "permissions": ["models:list"]}}
    respx_mock.get("http://scaigrid.test/v1/auth/me").respond(json=granted)

    answer = await api.get("/flows", headers=headers(permissions=permissions))

    assert refused(answer) == (403, "permission_denied")


async def test_one_of_the_platform_names_no_tenant_and_is_nobody(api: httpx.AsyncClient) -> None:
    platform = {"iss": ISSUER, "tenant_id": None, "app_scope": "GLOBAL", "platform_token": True}
    answer = await api.get("/me", headers=headers(**platform))

    assert (answer.status_code, answer.json()["detail"]["message"]) == (
        401,
        "invalid token: it names no tenant",
    )
