"""Refusals are written down, in the tenant of whoever was refused, and cannot fill the disk."""

import asyncio
from typing import Any

import httpx
import pytest
from api_audit_calls import log_of
from api_catalog_calls import publish
from api_flow_calls import grant
from api_refusals import refused
from fastapi import FastAPI
from mirror import change_user, mirror
from people import People, Person

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.db import audit_trail
from scaiflow_api.kit.errors import AppError
from scaiflow_api.resources import Resources
from scaiflow_api.web import denials

Json = dict[str, Any]
GINA = Person("usr_gina", "tnt_globex")
"""Administrator of globex."""
DENIED = {"action": "access.denied"}


async def denied(api: httpx.AsyncClient, people: People, tenant_id: str = "tnt_acme") -> list[Json]:
    return await log_of(api, people.root.headers, tenant_id=tenant_id, **DENIED)


async def test_a_refusal_is_told_with_who_what_and_why(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    await grant(resources, flow, "usr_erin", "view")
    headers = {**people.erin.headers, "X-Request-Id": "req-7"}
    before = await log_of(api, people.root.headers, tenant_id="tnt_acme")

    answer = await api.put(f"/flows/{flow}", json={"name": "Mine"}, headers=headers)

    assert refused(answer) == (403, "insufficient_acl")
    (row,) = (await log_of(api, people.root.headers, tenant_id="tnt_acme"))[len(before) :]
    assert {name: row[name] for name in ("actor_id", "outcome", "target_type", "target_id", "flow_id")} == {
        "actor_id": "usr_erin",
        "outcome": "denied",
        "target_type": "flow",
        "target_id": flow,
        "flow_id": flow,
    }
    assert (row["request_id"], row["before_hash"], row["after_hash"]) == ("req-7", None, None)
    assert row["details"] == {
        "method": "PUT",
        "route": "/flows/{flow_id}",
        "error": "insufficient_acl",
        "needed": "edit",
        "held": "view",
    }
    of_flow = await api.get(f"/flows/{flow}/audit?outcome=denied", headers=people.bob.headers)
    assert [found["seq"] for found in of_flow.json()["events"]] == [row["seq"]]


@pytest.mark.parametrize("who", ["erin", "carol"])
async def test_a_refusal_of_a_request_with_a_key_is_told_once(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str, who: str
) -> None:
    """Erin is refused by the flow, carol before the key is looked at."""
    await grant(resources, flow, "usr_erin", "view")
    headers = {**getattr(people, who).headers, "Idempotency-Key": "key-1"}

    answer = await api.put(f"/flows/{flow}", json={"name": "Mine"}, headers=headers)

    assert answer.status_code == 403
    assert [row["actor_id"] for row in await denied(api, people)] == [f"usr_{who}"]


@pytest.mark.usefixtures("grid")
async def test_every_kind_of_refusal_is_told(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json, flow: str
) -> None:
    await mirror(resources.db, "tnt_acme", users=["usr_heir", "usr_asleep"])
    await resources.principals.grant(
        "tnt_acme", "usr_heir", AdminRole.SUPER_ADMIN, source="bootstrap", now=resources.clock.now()
    )
    await change_user(resources.db, "tnt_acme", "usr_asleep", status="SUSPENDED")
    core = (await api.post(f"/flows/{flow}/deploy", headers=people.bob.headers)).json()["core_id"]
    package = (await publish(api, people.bob.headers, echo))["package_id"]
    asleep, role = Person("usr_asleep", "tnt_acme"), {"role": "tenant_admin"}
    tries: list[tuple[Person, str, str, Any, str, str]] = [
        (people.erin, "GET", f"/flows/{flow}", None, "flow_not_found", flow),
        (people.erin, "GET", "/flows/flow_none", None, "flow_not_found", "flow_none"),
        (people.carol, "POST", "/flows", {"content": {}}, "permission_denied", "/flows"),
        (people.erin, "GET", "/admin/groups", None, "insufficient_role", "/admin/groups"),
        (people.erin, "POST", f"/scaicore/cores/{core}/invoke", {"input": {}}, "core_not_found", core),
        (people.erin, "DELETE", f"/catalog/{package}", None, "not_package_author", package),
        (people.erin, "GET", "/catalog/nothing", None, "package_not_found", "nothing"),
        (people.alice, "POST", "/admin/users/usr_heir/role", role, "higher_role", "usr_heir"),
        (people.alice, "GET", "/admin/users/usr_none/role", None, "user_not_found", "usr_none"),
        (asleep, "GET", "/me", None, "account_not_active", "/me"),
    ]
    for person, method, path, body, code, target in tries:
        answer = await api.request(method, path, json=body, headers=person.headers)
        assert refused(answer)[1] == code, answer.text
        row = (await denied(api, people))[-1]
        assert (row["actor_id"], row["details"]["error"], row["target_id"]) == (person.id, code, target)
    published = {"package_id": "p", "flow_id": flow}
    assert refused(await api.post("/catalog/publish", json=published, headers=people.root.headers)) == (
        403,
        "foreign_tenant",
    )
    (row,) = await denied(api, people, "tnt_platform")
    assert (row["actor_id"], row["target_id"], row["flow_id"]) == ("usr_root", flow, flow)
    assert await api.get("/flows", headers=people.erin.headers)
    assert len(await denied(api, people)) == len(tries)


def test_every_refusal_of_ours_is_marked_as_one() -> None:
    """A new error of status 403 is a refusal too; one of another status may be, if it hides something."""
    theirs = {error for error in AppError.registry.values() if ".upstreams." in error.__module__}
    forbidding = {error for error in AppError.registry.values() if error.status == 403} - theirs

    assert {error.error for error in forbidding if not error.denies} == set()
    assert {error.error for error in AppError.registry.values() if error.denies} - {
        error.error for error in forbidding
    } == {
        "account_not_active",
        "checkpoint_not_found",
        "core_not_found",
        "flow_not_found",
        "package_not_found",
        "user_not_found",
    }


async def test_what_another_tenant_has_shows_in_nobodys_log(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    await resources.principals.grant(
        "tnt_globex", GINA.id, AdminRole.TENANT_ADMIN, source="manual", now=resources.clock.now()
    )
    owners = await log_of(api, people.alice.headers)
    for flow_id in (flow, "flow_none"):
        assert (await api.get(f"/flows/{flow_id}", headers=people.dave.headers)).status_code == 404

    assert await log_of(api, people.alice.headers) == owners
    there, not_there = await log_of(api, GINA.headers, **DENIED)
    changing = {"seq", "at", "request_id", "target_id", "flow_id", "prev_hash", "hash"}
    assert {name: there[name] for name in there.keys() - changing} == {
        name: not_there[name] for name in there.keys() - changing
    }


async def test_a_flood_of_refusals_leaves_a_bounded_number_of_rows(
    app: FastAPI, api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    bound = resources.settings.api.audit_denials_per_minute
    for _ in range(5):
        await api.get(f"/flows/{flow}", headers=people.erin.headers)
    assert len(await denied(api, people)) == 1

    tries = (api.get(f"/flows/flow_{n}", headers=people.erin.headers) for n in range(2 * bound))
    assert {answer.status_code for answer in await asyncio.gather(*tries)} == {404}
    rows = await denied(api, people)
    assert len(rows) == bound
    # Written at once, they stand in any order.
    told = [row["details"]["unrecorded_s"] for row in rows if "unrecorded_s" in row["details"]]
    assert told == [denials.WINDOW_S]

    assert (await api.get(f"/flows/{flow}", headers=people.nobody.headers)).status_code == 403
    assert (await denied(api, people))[-1]["actor_id"] == "usr_nobody", "another caller's are written"
    app.state.denials = denials.Denials(resources)  # as when the minute is over
    assert (await api.get(f"/flows/{flow}", headers=people.erin.headers)).status_code == 404
    assert (await denied(api, people))[-1]["actor_id"] == "usr_erin"


async def test_a_log_that_cannot_be_written_changes_no_answer(
    api: httpx.AsyncClient, people: People, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    usual = await api.get("/flows/flow_none", headers=people.erin.headers)
    monkeypatch.setattr(audit_trail, "write_down", fail)
    answer = await api.get(f"/flows/{flow}", headers=people.erin.headers)

    assert refused(answer) == refused(usual) == (404, "flow_not_found")


async def test_a_token_that_strayed_into_the_address_is_not_kept(
    api: httpx.AsyncClient, people: People
) -> None:
    token = people.erin.token()
    answer = await api.get(f"/flows/{token}", headers=people.erin.headers)

    assert answer.status_code == 404
    (row,) = await denied(api, people)
    assert token not in str(row)
    assert row["target_id"] == "[scrubbed]"


async def test_whoever_has_no_valid_token_is_nobody_and_leaves_nothing(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    before = len(await log_of(api, people.alice.headers))
    strange = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    assert (await api.get(f"/flows/{flow}", headers=strange)).status_code == 401
    assert (await api.get(f"/flows/{flow}")).status_code == 401

    assert len(await log_of(api, people.alice.headers)) == before
