"""Every route that changes something leaves its rows in the audit log, and nothing else does.

A route that may change something has its line in `TOLD` here; one without fails the test. What is edited over the
socket is told when it is saved.
"""

from dataclasses import dataclass
from typing import Any, Literal

import httpx
import orjson
import pytest
from api_audit_calls import log_of
from api_catalog_calls import publish
from api_draft_calls import begin_draft
from api_flow_calls import create
from fastapi import FastAPI
from mirror import mirror
from people import People
from played_grid import PlayedGrid

from scaiflow_api.resources import Resources
from scaiflow_api.web.routes import rules

Json = dict[str, Any]
Row = tuple[str, str, str]
"""Action, outcome, type of the target."""


@dataclass(frozen=True)
class Told:
    """How a route is called, and what the log then has of it."""

    rows: tuple[Row, ...] = ()
    body: Any = None
    query: str = ""
    deleted: bool = False
    """The flow is deleted before."""
    user_id: str = "usr_heir"
    by: Literal["alice", "root"] = "alice"


def beyond(action: str, target: str = "flow") -> tuple[Row, ...]:
    """What reaches beyond the database is told before and after."""
    return (action, "started", target), (action, "succeeded", target)


def done(action: str, target: str = "flow") -> tuple[Row, ...]:
    return ((action, "succeeded", target),)


API = "/api/v1"
ECHO, ECHO_TEXT = "the echo agent", "the echo agent as text"
TOLD: dict[tuple[str, str], Told] = {
    ("POST", "/flows"): Told(done("flow.created"), {"content": ECHO}),
    ("POST", "/flows/compile"): Told(body={"content": ECHO}),
    ("POST", "/flows/validate"): Told(body={"content": ECHO}),
    ("POST", "/flows/import"): Told(
        done("flow.created"), {"content": ECHO_TEXT, "format": "json", "save": True}
    ),
    ("PUT", "/flows/{flow_id}"): Told(done("flow.updated"), {"content": ECHO}),
    ("DELETE", "/flows/{flow_id}"): Told(done("flow.deleted")),
    ("POST", "/flows/{flow_id}/restore"): Told(done("flow.restored"), deleted=True),
    ("POST", "/flows/{flow_id}/duplicate"): Told(done("flow.created")),
    ("POST", "/flows/{flow_id}/transfer"): Told(done("flow.transferred"), {"owner_id": "usr_heir"}),
    ("POST", "/flows/{flow_id}/versions/{version}/restore"): Told(done("flow.updated")),
    ("POST", "/flows/{flow_id}/draft/save"): Told(done("flow.updated")),
    ("POST", "/flows/{flow_id}/draft/discard"): Told(done("draft.discarded")),
    # Who is looking at a flow at this moment changes nothing of it.
    ("POST", "/flows/{flow_id}/presence/heartbeat"): Told(body={"display_name": "Alice", "color": "#a4ff32"}),
    ("DELETE", "/flows/{flow_id}/presence"): Told(),
    ("POST", "/flows/{flow_id}/acls"): Told(
        done("acl.granted", "acl"), {"principal_type": "user", "principal_id": "usr_erin", "level": "view"}
    ),
    ("PATCH", "/flows/{flow_id}/acls/{acl_id}"): Told(done("acl.changed", "acl"), {"level": "edit"}),
    ("DELETE", "/flows/{flow_id}/acls/{acl_id}"): Told(done("acl.revoked", "acl")),
    ("POST", "/flows/{flow_id}/deploy"): Told(beyond("flow.deployed"), {}),
    ("POST", "/flows/{flow_id}/undeploy"): Told(beyond("flow.undeployed")),
    ("POST", "/flows/{flow_id}/run-tests"): Told(beyond("flow.tested"), {"core_id": "{core_id}"}),
    ("POST", "/scaicore/cores/{core_id}/invoke"): Told(beyond("core.invoked", "core"), {"input": {}}),
    ("POST", "/scaicore/executions/{execution_id}/cancel"): Told(
        beyond("run.cancelled", "core"), query="?core_id={core_id}"
    ),
    ("POST", "/scaicore/checkpoints/{checkpoint_id}/resolve"): Told(
        beyond("checkpoint.resolved", "checkpoint"), {"resolution": "yes"}
    ),
    ("POST", "/catalog/publish"): Told(
        done("package.published", "package"), {"package_id": "new-package", "flow_id": "{flow_id}"}
    ),
    ("PATCH", "/catalog/{package_id}"): Told(done("package.updated", "package"), {"name": "Renamed"}),
    ("DELETE", "/catalog/{package_id}"): Told(done("package.deleted", "package")),
    ("POST", "/catalog/{package_id}/install"): Told(done("flow.created"), {"save": True}),
    ("POST", "/tenants/me/scaigrid_credentials"): Told(
        beyond("tenant.credentials_set", "tenant"), {"api_key": "sgk_0123456789abcdef"}
    ),
    ("POST", "/admin/users/{user_id}/role"): Told(done("role.granted", "user"), {"role": "tenant_admin"}),
    ("DELETE", "/admin/users/{user_id}/role"): Told(done("role.revoked", "user"), user_id="usr_admin"),
    # What is mirrored from ScaiKey has its history there.
    # It stands in the log of root's tenant: `test_a_sync_that_was_asked_for_is_told`.
    ("POST", "/admin/sync"): Told(by="root"),
}
MORE: dict[str, tuple[tuple[str, str], Told]] = {
    "a name alone": (("PUT", "/flows/{flow_id}"), Told(done("flow.updated"), {"name": "Renamed"})),
    "nothing": (("PUT", "/flows/{flow_id}"), Told(body={})),
    "a look at an import": (
        ("POST", "/flows/import"),
        Told(body={"content": ECHO_TEXT, "format": "json", "save": False}),
    ),
    "a look at a package": (("POST", "/catalog/{package_id}/install"), Told(body={"save": False})),
    "delete, with its Core": (
        ("DELETE", "/flows/{flow_id}"),
        Told(beyond("flow.undeployed") + done("flow.deleted"), query="?undeploy=true"),
    ),
    "the level that it has": (
        ("PATCH", "/flows/{flow_id}/acls/{acl_id}"),
        Told(body={"level": "view"}),
    ),
    "the owner that it has": (("POST", "/flows/{flow_id}/transfer"), Told(body={"owner_id": "usr_bob"})),
    "the role that is there": (
        ("POST", "/admin/users/{user_id}/role"),
        Told(body={"role": "tenant_admin"}, user_id="usr_admin"),
    ),
}
CASES = {" ".join(key): (key, told) for key, told in TOLD.items()} | MORE


def test_every_route_that_may_change_something_has_a_line(app: FastAPI) -> None:
    found = {
        (rule.method, rule.path.removeprefix(API))
        for rule in rules(app)
        if not rule.public and rule.method not in ("GET", "WEBSOCKET")
    }

    assert set(TOLD) == found


@pytest.mark.parametrize("case", CASES)
async def test_every_change_leaves_its_row(
    api: httpx.AsyncClient, people: People, resources: Resources, grid: PlayedGrid, echo: Json, case: str
) -> None:
    (method, path), told = CASES[case]
    names = {**await scene(api, people, resources, echo, deleted=told.deleted), "user_id": told.user_id}
    names |= {"checkpoint_id": grid.add_checkpoint(names["core_id"])["id"], "execution_id": "exec_1"}
    headers = {**getattr(people, told.by).headers, "X-Request-Id": "req-42"}
    before = (await log_of(api, people.alice.headers))[-1]["seq"]

    body = filled(told.body, names, echo)
    answer = await api.request(method, (path + told.query).format(**names), json=body, headers=headers)

    assert answer.is_success, answer.text
    rows = (await log_of(api, people.alice.headers))[before:]
    assert tuple((row["action"], row["outcome"], row["target_type"]) for row in rows) == told.rows
    for row in rows:
        assert (row["actor_id"], row["actor_tenant_id"], row["request_id"]) == (
            "usr_alice",
            "tnt_acme",
            "req-42",
        )
        if "{flow_id}" in path or "{core_id}" in path:
            created = row["action"] == "flow.created"
            assert (row["flow_id"] == names["flow_id"]) is not created
        if row["outcome"] == "succeeded" and row["action"] not in (
            "flow.undeployed",
            "flow.tested",
            "core.invoked",
            "run.cancelled",
            "checkpoint.resolved",
            "tenant.credentials_set",
        ):
            assert row["before_hash"] or row["after_hash"]
            assert row["before_hash"] != row["after_hash"]


async def scene(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json, *, deleted: bool
) -> dict[str, str]:
    """Bob has a flow with two versions, a draft, a grant, a Core and a package; an admin to be is there too."""
    await mirror(resources.db, "tnt_acme", users=["usr_heir", "usr_erin", "usr_admin", "usr_bob"])
    bob, alice = people.bob.headers, people.alice.headers
    package = await publish(api, bob, echo)
    flow_id = (await create(api, bob, echo))["id"]
    grant = {"principal_type": "user", "principal_id": "usr_heir", "level": "view"}
    granted = await api.post(f"/flows/{flow_id}/acls", json=grant, headers=bob)
    deployed = await api.post(f"/flows/{flow_id}/deploy", headers=bob)
    renamed = {"content": {**echo, "name": "Second"}, "name": "Second"}
    assert (await api.put(f"/flows/{flow_id}", json=renamed, headers=bob)).status_code == 200
    await begin_draft(api, bob, resources, flow_id)
    role = {"role": "tenant_admin"}
    assert (await api.post("/admin/users/usr_admin/role", json=role, headers=alice)).status_code == 204
    if deleted:
        assert (await api.delete(f"/flows/{flow_id}", headers=bob)).status_code == 204
    return {
        "flow_id": flow_id,
        "version": "1.0.0",
        "acl_id": granted.json()["id"],
        "core_id": deployed.json()["core_id"],
        "package_id": package["package_id"],
    }


def filled(body: Any, names: dict[str, str], echo: Json) -> Any:
    if isinstance(body, dict):
        return {key: filled(value, names, echo) for key, value in body.items()}
    if body == ECHO:
        return echo
    if body == ECHO_TEXT:
        return orjson.dumps(echo).decode()
    return body.format(**names) if isinstance(body, str) else body


async def test_what_fails_beyond_the_database_is_told_with_its_error(
    api: httpx.AsyncClient, people: People, resources: Resources, grid: PlayedGrid, echo: Json
) -> None:
    names = await scene(api, people, resources, echo, deleted=False)
    flow, core, bob = f"/flows/{names['flow_id']}", names["core_id"], people.bob.headers
    tries: list[tuple[str, str, Json, str, str]] = [
        ("start", f"{flow}/deploy", {}, "flow.deployed", "scaicore_start_failed"),
        ("invoke", f"/scaicore/cores/{core}/invoke", {"input": {}}, "core.invoked", "scaigrid_api"),
        ("invoke", f"{flow}/run-tests", {"core_id": core}, "flow.tested", "scaigrid_api"),
        ("delete", f"{flow}/undeploy", {}, "flow.undeployed", "scaicore_delete_failed"),
    ]
    for step, path, body, action, error in tries:
        grid.cores[core]["status"] = "stopped" if step == "start" else "running"
        grid.faults[step] = [httpx.Response(500, json={})] * 5
        before = (await log_of(api, people.alice.headers))[-1]["seq"]

        answer = await api.post(path, json=body, headers=bob)

        assert answer.status_code == 502, answer.text
        assert answer.json()["detail"]["error"] == error
        rows = (await log_of(api, people.alice.headers))[before:]
        assert [(row["action"], row["outcome"]) for row in rows] == [(action, "started"), (action, "failed")]
        assert rows[1]["details"]["error"] == error
        grid.faults[step] = []


@pytest.mark.parametrize("query", ["", "?force=true"])
async def test_a_sync_that_was_asked_for_is_told(api: httpx.AsyncClient, people: People, query: str) -> None:
    report = (await api.post(f"/admin/sync{query}", headers=people.root.headers)).json()

    rows = await log_of(api, people.root.headers, action="directory.synced")
    assert [(row["outcome"], row["target_type"], row["actor_id"]) for row in rows] == [
        ("started", "directory", "usr_root"),
        ("succeeded", "directory", "usr_root"),
    ]
    assert rows[0]["details"] == {"forced": "yes" if query else "no"}
    assert rows[1]["details"] == {**rows[0]["details"], "added": report["users_added"], "deleted": 0}
