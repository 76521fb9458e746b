"""Every route, called by every kind of caller: what the rules in `web.routes` promise is what happens.

A route has its rule from the code and its line in `CALLS` here: how to call it, and what happens to whoever is let
through. A route without a line fails the test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import pytest
from api_catalog_calls import publish
from api_draft_calls import begin_draft
from api_flow_calls import create, grant
from api_sockets import opened
from fastapi import FastAPI
from mirror import mirror
from people import People, Person
from played_grid import PlayedGrid

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.resources import Resources
from scaiflow_api.web.routes import SOCKET, RouteRule, rules

Json = dict[str, Any]
Outcome = tuple[int, str | None]
"""A status, and the code of the error if it is one."""

OLGA = Person("usr_olga", "tnt_acme", groups=("grp_ops",))
GINA = Person("usr_gina", "tnt_globex")
"""Administrator of globex."""
LEVELS = ["view", "edit", "deploy", "admin"]
API = "/api/v1"
NO_FLOW, NO_CORE = (404, "flow_not_found"), (404, "core_not_found")
NO_CHECKPOINT = (404, "checkpoint_not_found")
ELSEWHERE = (403, "foreign_tenant")


@dataclass(frozen=True)
class Call:
    """How a route is called, and what it says to whoever may call it."""

    ok: Outcome = (200, None)
    body: Any = None
    query: str = ""
    hidden: Outcome = NO_FLOW
    """What it says of a flow that one may not see."""
    abroad: Outcome | None = None
    """What it says to a super admin of another tenant; None: `ok`."""
    grantee: Outcome | None = None
    """What it says to whoever holds enough by a grant alone; None: `ok`."""
    deleted: Outcome | None = None
    """What it says to the owner, and to a super admin, of a deleted flow; None: `hidden`."""
    in_body: str | None = None
    """The level that it needs on a flow that only the body names."""
    package: Literal["see", "change"] | None = None
    """What it does with the package that the path names."""
    foreign_admin: Outcome | None = None
    """What it says to an administrator of another tenant; None: `ok`."""


OWN_TENANT = {"abroad": ELSEWHERE}
CORE = {"hidden": NO_CORE, "abroad": NO_CORE}
SEE: dict[str, Any] = {"query": "?tenant_id=tnt_acme", "package": "see"}
CHANGE: dict[str, Any] = {"query": "?tenant_id=tnt_acme", "package": "change"}
ONE_USER: dict[str, Any] = {"query": "?tenant_id=tnt_acme", "foreign_admin": (403, "insufficient_role")}

CALLS: dict[tuple[str, str], Call] = {
    ("GET", "/me"): Call(),
    ("GET", "/flows"): Call(),
    ("POST", "/flows"): Call((201, None), {"content": {}}),
    ("POST", "/flows/compile"): Call(body={"content": {}}),
    ("POST", "/flows/validate"): Call(body={"content": {}}),
    ("POST", "/flows/import"): Call((422, "invalid_manifest"), {"content": "x"}),
    ("GET", "/flows/{flow_id}"): Call(),
    ("PUT", "/flows/{flow_id}"): Call(body={"name": "Renamed"}),
    ("DELETE", "/flows/{flow_id}"): Call((204, None)),
    ("POST", "/flows/{flow_id}/restore"): Call((409, "flow_not_deleted"), deleted=(200, None)),
    ("POST", "/flows/{flow_id}/duplicate"): Call((201, None)),
    ("POST", "/flows/{flow_id}/transfer"): Call(
        body={"owner_id": "usr_heir"}, grantee=(403, "insufficient_acl")
    ),
    ("GET", "/flows/{flow_id}/versions"): Call(),
    ("GET", "/flows/{flow_id}/versions/{version}"): Call(),
    ("POST", "/flows/{flow_id}/versions/{version}/restore"): Call(),
    ("GET", "/flows/{flow_id}/diff"): Call(query="?from=1.0.0"),
    ("GET", "/flows/{flow_id}/drift"): Call(),
    ("GET", "/flows/{flow_id}/draft"): Call(),
    ("POST", "/flows/{flow_id}/draft/save"): Call(),
    ("POST", "/flows/{flow_id}/draft/discard"): Call(),
    ("GET", "/flows/{flow_id}/export"): Call(),
    ("POST", "/flows/{flow_id}/presence/heartbeat"): Call(
        (204, None), {"display_name": "Somebody", "color": "#a4ff32"}
    ),
    ("GET", "/flows/{flow_id}/presence"): Call(),
    ("DELETE", "/flows/{flow_id}/presence"): Call((204, None)),
    (SOCKET, "/flows/{flow_id}/sync"): Call(),
    ("GET", "/flows/{flow_id}/acls"): Call(),
    ("GET", "/flows/{flow_id}/audit"): Call(),
    ("POST", "/flows/{flow_id}/acls"): Call(
        (201, None), {"principal_type": "user", "principal_id": "usr_heir", "level": "view"}
    ),
    ("PATCH", "/flows/{flow_id}/acls/{acl_id}"): Call(body={"level": "edit"}),
    ("DELETE", "/flows/{flow_id}/acls/{acl_id}"): Call((204, None)),
    ("POST", "/flows/{flow_id}/deploy"): Call(body={}, **OWN_TENANT),
    ("POST", "/flows/{flow_id}/undeploy"): Call(**OWN_TENANT),
    ("GET", "/flows/{flow_id}/deployments"): Call(),
    ("POST", "/flows/{flow_id}/run-tests"): Call(body={"core_id": "{core_id}"}, **OWN_TENANT),
    ("POST", "/scaicore/cores/{core_id}/invoke"): Call(body={"input": {}}, **CORE),
    ("GET", "/scaicore/events"): Call(),
    ("GET", "/scaicore/events/stream"): Call(),
    ("POST", "/scaicore/executions/{execution_id}/cancel"): Call(
        (204, None), query="?core_id={core_id}", **CORE
    ),
    ("GET", "/scaicore/checkpoints"): Call(),
    ("GET", "/scaicore/checkpoints/{checkpoint_id}"): Call(hidden=NO_CHECKPOINT, abroad=NO_CHECKPOINT),
    ("POST", "/scaicore/checkpoints/{checkpoint_id}/resolve"): Call(
        body={"resolution": "yes"}, hidden=NO_CHECKPOINT, abroad=NO_CHECKPOINT
    ),
    ("GET", "/scaigrid/models"): Call(),
    ("GET", "/scaiqueue/scopes"): Call(),
    ("GET", "/scaiqueue/scopes/{scope_id}/queues"): Call(),
    ("GET", "/scaibunker/bunkers"): Call(),
    ("GET", "/catalog"): Call(),
    ("POST", "/catalog/publish"): Call(
        (201, None), {"package_id": "{new_package}", "flow_id": "{flow_id}"}, in_body="deploy", **OWN_TENANT
    ),
    ("GET", "/catalog/{package_id}"): Call(**SEE),
    ("PATCH", "/catalog/{package_id}"): Call(body={"name": "Renamed"}, **CHANGE),
    ("DELETE", "/catalog/{package_id}"): Call((204, None), **CHANGE),
    ("GET", "/catalog/{package_id}/download"): Call(**SEE),
    ("POST", "/catalog/{package_id}/install"): Call(**SEE),
    ("GET", "/schema/flow/v2.json"): Call(),
    ("GET", "/schema/node-kinds"): Call(),
    ("GET", "/tenants/me/scaigrid_credentials"): Call(),
    ("POST", "/tenants/me/scaigrid_credentials"): Call((204, None), {"api_key": "sgk_0123456789abcdef"}),
    ("GET", "/admin/audit"): Call(),
    ("GET", "/admin/users"): Call(),
    ("GET", "/admin/groups"): Call(),
    ("GET", "/admin/tenant/users"): Call(),
    ("GET", "/admin/tenant/flows"): Call(),
    ("GET", "/admin/users/{user_id}/role"): Call(**ONE_USER),
    ("POST", "/admin/users/{user_id}/role"): Call((204, None), {"role": "tenant_admin"}, **ONE_USER),
    ("POST", "/admin/sync"): Call(),
    ("DELETE", "/admin/users/{user_id}/role"): Call((204, None), **ONE_USER),
}


@dataclass(frozen=True)
class Who:
    """A caller, and what ties it to bob's flow in acme."""

    name: str
    person: Person | None
    granted: str | None = None
    role: AdminRole | None = None
    owns: bool = False
    deleted: bool = False
    """The flow was deleted before this caller came."""
    permissions: frozenset[str] = field(default=frozenset({"scaicore:view", "scaicore:manage"}))


def crowd(people: People) -> Iterator[Who]:
    looks = frozenset({"scaicore:view"})
    yield Who("nobody signed in", None)
    yield Who("without a permission", people.nobody, permissions=frozenset())
    yield Who("may only look, though admin of the flow", people.carol, granted="admin", permissions=looks)
    yield Who("stranger", people.erin)
    for level in LEVELS:
        yield Who(f"granted {level}", people.erin, granted=level)
    yield Who("granted by a group", OLGA, granted="deploy")
    yield Who("owner", people.bob, owns=True)
    yield Who("tenant admin", people.alice, role=AdminRole.TENANT_ADMIN)
    yield Who("super admin", people.root, role=AdminRole.SUPER_ADMIN)
    yield Who("other tenant", people.dave)
    yield Who("granted, but of another tenant", people.dave, granted="admin")
    yield Who("admin of another tenant", GINA, role=AdminRole.TENANT_ADMIN)
    yield Who("owner of a deleted flow", people.bob, owns=True, deleted=True)
    yield Who("granted on a deleted flow", people.erin, granted="deploy", deleted=True)
    yield Who("super admin and a deleted flow", people.root, role=AdminRole.SUPER_ADMIN, deleted=True)


def expected(rule: RouteRule, call: Call, who: Who) -> Outcome:
    """What the rules promise: token, then role, then permission, then the level on the flow."""
    if who.person is None:
        return 401, "not_authenticated"
    if rule.role is not None and (who.role is None or not who.role.implies(AdminRole(rule.role))):
        return 403, "insufficient_role"
    if rule.permission is not None and who.role is None and rule.permission not in who.permissions:
        return 403, "permission_denied"
    if (level := rule.acl or call.in_body) is not None:
        return on_flow(level, call, who)
    if call.package is not None:
        return on_package(call, who)
    if who.role is AdminRole.TENANT_ADMIN and who.person.tenant_id != "tnt_acme":
        return call.foreign_admin or call.ok
    return call.ok


def on_flow(needed: str, call: Call, who: Who) -> Outcome:
    assert who.person is not None
    if who.role is AdminRole.SUPER_ADMIN:
        allowed = call.abroad or call.ok
    elif who.person.tenant_id != "tnt_acme":
        return call.hidden
    elif who.owns or who.role is AdminRole.TENANT_ADMIN:
        allowed = call.ok
    elif who.granted is None or who.deleted:
        return call.hidden
    elif LEVELS.index(who.granted) < LEVELS.index(needed):
        return 403, "insufficient_acl"
    else:
        return call.grantee or call.ok
    return (call.deleted or call.hidden) if who.deleted else allowed


def on_package(call: Call, who: Who) -> Outcome:
    """The package is bob's, and shown to all of acme."""
    assert who.person is not None
    if who.role is not AdminRole.SUPER_ADMIN and who.person.tenant_id != "tnt_acme":
        return 404, "package_not_found"
    if call.package == "change" and not who.owns and who.role is None:
        return 403, "not_package_author"
    return call.ok


@pytest.fixture
async def stage(resources: Resources, people: People) -> None:
    """Acme has an heir, and a carol to whom something may be granted; gina administers globex."""
    await mirror(resources.db, "tnt_acme", users=["usr_heir", "usr_carol"])
    await resources.principals.grant(
        "tnt_globex", GINA.id, AdminRole.TENANT_ADMIN, source="manual", now=resources.clock.now()
    )


def test_every_route_has_a_line_here(app: FastAPI) -> None:
    found = {(rule.method, rule.path.removeprefix(API)) for rule in rules(app) if not rule.public}

    assert set(CALLS) == found


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("key", CALLS, ids=" ".join)
async def test_everybody_gets_what_the_rules_promise(
    app: FastAPI,
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    grid: PlayedGrid,
    echo: Json,
    key: tuple[str, str],
) -> None:
    method, path = key
    rule = next(rule for rule in rules(app) if (rule.method, rule.path) == (method, API + path))
    call = CALLS[key]
    wrong = []
    for number, who in enumerate(crowd(people)):
        if who.deleted and (rule.acl or call.in_body) is None:
            continue
        names = await scene(api, people, resources, grid, {**echo, "name": f"Flow {number}"}, key, who)
        headers = who.person.headers if who.person else {}
        if method == SOCKET:
            code = await opened(app, API + path.format(**names), headers)
            if code != closed_with(expected(rule, call, who), who):
                wrong.append((who.name, code, expected(rule, call, who), ""))
            continue
        answer = await api.request(
            method, (path + call.query).format(**names), json=filled(call.body, names), headers=headers
        )
        outcome = answer.status_code, answer.json()["detail"]["error"] if answer.is_error else None
        if outcome != expected(rule, call, who):
            wrong.append((who.name, outcome, expected(rule, call, who), answer.text[:200]))
    assert not wrong


def closed_with(outcome: Outcome, who: Who) -> int | None:
    """The close code that stands for an outcome; a flow of one's own tenant that one may not see has its own."""
    at_home = who.person is not None and who.person.tenant_id == "tnt_acme" and not who.deleted
    hidden = 4403 if at_home else 4404
    return {401: 4401, 403: 4403, 404: hidden}.get(outcome[0])


async def scene(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    grid: PlayedGrid,
    content: Json,
    key: tuple[str, str],
    who: Who,
) -> dict[str, str]:
    """Make a fresh flow of bob's, as this caller finds it; return what a path may name."""
    names = {
        "version": "1.0.0",
        "user_id": "usr_heir",
        "package_id": "no-package",
        "scope_id": "sc_1",
        "execution_id": "exec_1",
    }
    resources.ending.set()  # a stream of events has no other end
    asked = key[1] + CALLS[key].query + str(CALLS[key].body)
    if "{package_id}" in asked:
        names["package_id"] = (await publish(api, people.bob.headers, content))["package_id"]
    if not any(name in asked for name in ("{flow_id}", "{core_id}", "{checkpoint_id}")):
        return names
    flow_id = names["flow_id"] = (await create(api, people.bob.headers, content))["id"]
    names["new_package"] = flow_id.replace("_", "-")
    if who.granted is not None and who.person is not None:
        principal = who.person.groups[0] if who.name == "granted by a group" else who.person.id
        await grant(resources, flow_id, principal, who.granted)
    if "{acl_id}" in asked:
        body = {"principal_type": "user", "principal_id": "usr_heir", "level": "view"}
        granted = await api.post(f"/flows/{flow_id}/acls", json=body, headers=people.bob.headers)
        names["acl_id"] = granted.json()["id"]
    if "/draft" in asked:
        await begin_draft(api, people.bob.headers, resources, flow_id)
    if "{core_id}" in asked or "{checkpoint_id}" in asked:
        deployed = await api.post(f"/flows/{flow_id}/deploy", headers=people.bob.headers)
        names["core_id"] = deployed.json()["core_id"]
        names["checkpoint_id"] = grid.add_checkpoint(names["core_id"])["id"]
    if who.deleted:
        gone = await api.delete(f"/flows/{flow_id}", headers=people.bob.headers)
        assert gone.status_code == 204, gone.text
    return names


def filled(body: Any, names: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: filled(value, names) for key, value in body.items()}
    return body.format(**names) if isinstance(body, str) else body


def test_the_crowd_covers_every_kind_of_caller(people: People) -> None:
    """So that a new kind of caller is not forgotten in `crowd`."""
    seen = list(crowd(people))

    assert {who.granted for who in seen} == {None, *LEVELS}
    assert {who.role for who in seen} == {None, *AdminRole}
    assert {who.person.tenant_id for who in seen if who.person} >= {"tnt_acme", "tnt_globex", "tnt_platform"}
    assert {who.deleted for who in seen if who.owns} == {True, False}
    assert seen[0].person is None
