"""Who may do what with a flow."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_refusals import refused
from people import People

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.kit.ids import new_id
from scaiflow_api.resources import Resources

Json = dict[str, Any]

CALLS = [
    ("GET", "", None, "view"),
    ("GET", "/versions", None, "view"),
    ("GET", "/versions/1.0.0", None, "view"),
    ("GET", "/deployments", None, "view"),
    ("PUT", "", {"name": "x"}, "edit"),
    ("DELETE", "", None, "admin"),
]


async def grant(resources: Resources, flow_id: str, kind: str, principal: str, level: str) -> None:
    async with resources.db.write() as session:
        session.add(
            FlowAcl(
                id=new_id("acl"),
                flow_id=flow_id,
                principal_type=kind,
                principal_id=principal,
                level=level,
                granted_by="usr_bob",
                granted_at=resources.clock.now(),
            )
        )


@pytest.mark.parametrize("who", ["erin", "carol", "dave"])
@pytest.mark.parametrize(("method", "path", "body", "level"), CALLS)
async def test_an_invisible_flow_does_not_exist(
    api: httpx.AsyncClient,
    people: People,
    flow: str,
    who: str,
    method: str,
    path: str,
    body: Json | None,
    level: str,
) -> None:
    headers = getattr(people, who).headers
    answer = await api.request(method, f"/flows/{flow}{path}", json=body, headers=headers)
    unknown = await api.request(method, f"/flows/flow_unknown{path}", json=body, headers=headers)

    if who == "carol" and method != "GET":
        assert refused(answer) == (403, "permission_denied")
    else:
        assert refused(answer) == (404, "flow_not_found")
    assert unknown.status_code == answer.status_code


@pytest.mark.parametrize("who", ["bob", "alice", "root"])
async def test_owner_and_admins_need_no_grant(
    api: httpx.AsyncClient, people: People, flow: str, who: str
) -> None:
    headers = getattr(people, who).headers

    assert (await api.get(f"/flows/{flow}", headers=headers)).status_code == 200
    assert (await api.get("/flows", headers=headers)).json()["total"] == 1
    assert (await api.put(f"/flows/{flow}", json={"name": "x"}, headers=headers)).status_code == 200
    assert (await api.delete(f"/flows/{flow}", headers=headers)).status_code == 204


@pytest.mark.parametrize("level", ["view", "edit", "deploy", "admin"])
@pytest.mark.parametrize(
    ("kind", "principal", "who"), [("user", "usr_erin", "erin"), ("group", "grp_ops", "carol")]
)
async def test_a_grant_gives_its_level_and_what_it_implies(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    flow: str,
    kind: str,
    principal: str,
    who: str,
    level: str,
) -> None:
    order = ["view", "edit", "deploy", "admin"]
    await grant(resources, flow, kind, principal, level)
    person = getattr(people, who)

    assert (await api.get("/flows", headers=person.headers)).json()["total"] == 1
    for method, path, body, needed in CALLS:
        answer = await api.request(method, f"/flows/{flow}{path}", json=body, headers=person.headers)
        if method != "GET" and "scaicore:manage" not in person.permissions:
            assert answer.json()["detail"]["error"] == "permission_denied"
        elif order.index(level) < order.index(needed):
            assert answer.status_code == 403
            detail = answer.json()["detail"]
            assert (detail["error"], detail["needed"], detail["held"]) == ("insufficient_acl", needed, level)
        else:
            assert answer.status_code in {200, 204}


async def test_a_grant_does_not_reach_into_another_tenant(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    await grant(resources, flow, "user", "usr_dave", "admin")

    assert (await api.get(f"/flows/{flow}", headers=people.dave.headers)).status_code == 404
    assert (await api.get("/flows", headers=people.dave.headers)).json()["total"] == 0


async def test_a_namesake_in_another_tenant_is_somebody_else(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:

    namesake = replace(people.bob, tenant_id="tnt_globex")

    assert (await api.get(f"/flows/{flow}", headers=namesake.headers)).status_code == 404


async def test_reading_needs_the_view_permission_and_writing_the_manage_permission(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    for person, method, path in (
        (people.nobody, "GET", "/flows"),
        (people.nobody, "POST", "/flows/validate"),
        (people.carol, "POST", "/flows"),
    ):
        answer = await api.request(
            method, path, json={"content": echo} if method == "POST" else None, headers=person.headers
        )
        assert refused(answer) == (403, "permission_denied")
