"""Reading the audit log: pages, filters, exports, and whom they are for."""

import asyncio
import hashlib
import json
from itertools import pairwise
from typing import Any

import httpx
import pytest
from api_audit_calls import log_of
from api_flow_calls import create, grant
from api_refusals import refused
from people import People

from scaiflow_api.domains.audit import service
from scaiflow_api.domains.audit.verification import verify_lines
from scaiflow_api.resources import Resources

Json = dict[str, Any]
SECRET = "sgk_0123456789abcdef0123456789abcdef"


@pytest.fixture
async def flow(api: httpx.AsyncClient, people: People, echo: Json) -> str:
    """A flow that bob made and renamed, that alice gave a second version, and that erin wanted to see."""
    flow_id = str((await create(api, people.bob.headers, echo))["id"])
    for person, body in ((people.bob, {"name": "Renamed"}), (people.alice, {"content": echo})):
        assert (await api.put(f"/flows/{flow_id}", json=body, headers=person.headers)).status_code == 200
    assert (await api.get(f"/flows/{flow_id}", headers=people.erin.headers)).status_code == 404
    return flow_id


async def test_the_log_is_read_page_by_page_the_last_first(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    whole = await log_of(api, people.alice.headers)
    assert [row["action"] for row in whole] == [
        "role.granted",
        "flow.created",
        "flow.updated",
        "flow.updated",
        "access.denied",
    ]
    paged: list[Json] = []
    cursor = None
    while cursor is not None or not paged:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/admin/audit", params=query, headers=people.alice.headers)).json()
        assert 1 <= len(page["events"]) <= 2
        paged += page["events"]
        cursor = page["next_cursor"]
    assert paged[::-1] == whole
    for wrong in ("x", "WyJhIl0", "WyItMSJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Il0"):
        answer = await api.get(f"/admin/audit?cursor={wrong}", headers=people.alice.headers)
        assert refused(answer) == (400, "invalid_cursor")


async def test_filters_narrow_the_log_down(api: httpx.AsyncClient, people: People, flow: str) -> None:
    whole = await log_of(api, people.alice.headers)

    async def seqs(**query: Any) -> list[int]:
        return [row["seq"] for row in await log_of(api, people.alice.headers, **query)]

    assert await seqs(actor_id="usr_bob") == [2, 3]
    assert await seqs(actor_id="usr_bob", action="flow.updated") == [3]
    assert await seqs(outcome="denied") == await seqs(action="access.denied") == [5]
    assert await seqs(flow_id=flow) == await seqs(target_id=flow) == [2, 3, 4, 5]
    assert await seqs(flow_id="flow_none") == []
    assert await seqs(since=whole[2]["at"]) == [3, 4, 5]
    assert await seqs(until=whole[2]["at"]) == [1, 2]
    assert await seqs(since=whole[1]["at"], until=whole[3]["at"]) == [2, 3]
    for wrong in ("since=yesterday", "since=2026-11-28T12:00:00", "action=flow.eaten", "limit=501"):
        answer = await api.get(f"/admin/audit?{wrong}", headers=people.alice.headers)
        assert refused(answer) == (422, "invalid_request"), wrong


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize(
    "moment", ["2026", "20261128", "0.5", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
async def test_what_is_no_moment_with_a_zone_that_has_one_in_utc_is_refused(
    api: httpx.AsyncClient, people: People, moment: str, form: str
) -> None:
    for name in ("since", "until"):
        query = {name: moment, "format": form}
        answer = await api.get("/admin/audit", params=query, headers=people.alice.headers)
        assert refused(answer) == (422, "invalid_request"), name
        (problem,) = answer.json()["detail"]["problems"]
        assert problem["path"] == f"query.{name}"
        assert problem["message"] == "a moment has its zone, as in 2026-11-29T12:00:00Z"


async def test_hashes_tell_which_content_became_which(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    listed = await api.get(f"/flows/{flow}/versions", headers=people.bob.headers)
    second, first = (row["sha256"] for row in listed.json())
    created, renamed, saved, _ = await log_of(api, people.alice.headers, flow_id=flow)

    assert (created["before_hash"], created["after_hash"]) == (None, first)
    assert (saved["before_hash"], saved["after_hash"]) == (first, second)
    assert (saved["details"], renamed["details"]) == (
        {"fields": ["content"], "version": "1.0.1"},
        {"fields": ["name"]},
    )
    states = [
        {
            "id": flow,
            "name": name,
            "description": "",
            "owner_id": "usr_bob",
            "version": "1.0.0",
            "deleted": False,
        }
        for name in ("Echo Agent", "Renamed")
    ]
    as_documented = [
        hashlib.sha256(json.dumps(state, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        for state in states
    ]
    assert [renamed["before_hash"], renamed["after_hash"]] == as_documented


async def test_an_export_holds_every_row_and_can_be_verified_by_anybody(
    api: httpx.AsyncClient, people: People, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_ROWS_AT_ONCE", 2)
    answer = await api.get("/admin/audit?format=jsonl", headers=people.alice.headers)

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert "audit.jsonl" in answer.headers["content-disposition"]
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert rows == await log_of(api, people.alice.headers)
    previous = "0" * 64
    for number, row in enumerate(rows, start=1):
        own = row.pop("hash")
        text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == own
        assert (row["seq"], row["prev_hash"]) == (number, previous)
        previous = own
    (report,) = verify_lines(answer.content.splitlines(), gaps=False)
    assert (report.rows, report.findings) == (5, [])

    part = await api.get("/admin/audit?format=jsonl&actor_id=usr_bob", headers=people.alice.headers)
    assert part.content.splitlines() == answer.content.splitlines()[1:3]
    nothing = await api.get("/admin/audit?format=jsonl&flow_id=none", headers=people.alice.headers)
    assert (nothing.status_code, nothing.content) == (200, b"")


async def test_an_export_ends_though_rows_are_written_meanwhile(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_ROWS_AT_ONCE", 1)
    log = service.AuditLog(resources.db, resources.audit)
    seen = []
    async for line in log.lines(service.Wanted(tenant_id="tnt_acme")):
        seen.append(line)
        renamed = await api.put(f"/flows/{flow}", json={"name": f"N{len(seen)}"}, headers=people.bob.headers)
        assert renamed.status_code == 200

    assert len(seen) == 5


async def test_a_tenants_log_is_for_its_admins_and_a_flows_log_for_the_flows(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str
) -> None:
    assert refused(await api.get("/admin/audit", headers=people.bob.headers)) == (403, "insufficient_role")
    elsewhere = await api.get("/admin/audit?tenant_id=tnt_globex", headers=people.alice.headers)
    assert refused(elsewhere) == (403, "insufficient_role")
    by_root = await log_of(api, people.root.headers, tenant_id="tnt_acme", flow_id=flow)
    assert {row["tenant_id"] for row in by_root} == {"tnt_acme"}
    own = await log_of(api, people.root.headers)
    assert {row["tenant_id"] for row in own} == {"tnt_platform"}

    found = (await api.get(f"/flows/{flow}/audit", headers=people.bob.headers)).json()
    assert found["events"] == by_root[::-1]
    narrowed = await api.get(f"/flows/{flow}/audit?actor_id=usr_alice", headers=people.bob.headers)
    assert [row["actor_id"] for row in narrowed.json()["events"]] == ["usr_alice"]
    await grant(resources, flow, "usr_erin", "deploy")
    refusal = await api.get(f"/flows/{flow}/audit", headers=people.erin.headers)
    assert refused(refusal) == (403, "insufficient_acl")


async def test_a_super_admins_deed_in_another_tenant_stands_in_that_tenants_log(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    own = await log_of(api, people.root.headers)
    assert (
        await api.put(f"/flows/{flow}", json={"name": "By Root"}, headers=people.root.headers)
    ).status_code == 200

    row = (await log_of(api, people.alice.headers))[-1]
    assert (row["actor_id"], row["actor_tenant_id"], row["tenant_id"]) == (
        "usr_root",
        "tnt_platform",
        "tnt_acme",
    )
    assert await log_of(api, people.root.headers) == own


async def test_what_fails_leaves_no_row(
    api: httpx.AsyncClient, people: People, echo: Json, flow: str
) -> None:
    before = await log_of(api, people.alice.headers)
    bob = people.bob.headers
    outdated = {**bob, "If-Match": '"9.9.9.r9"'}
    grant_to_nobody = {"principal_type": "user", "principal_id": "usr_none", "level": "view"}
    answers = [
        await api.put(f"/flows/{flow}", json={"content": echo}, headers=outdated),
        await api.put(f"/flows/{flow}", json={"name": "N"}, headers=outdated),
        await api.delete(f"/flows/{flow}", headers=outdated),
        await api.put(f"/flows/{flow}", json={"content": {"nodes": 7}}, headers=bob),
        await api.post(f"/flows/{flow}/acls", json=grant_to_nobody, headers=bob),
        await api.post(f"/flows/{flow}/transfer", json={"owner_id": "usr_none"}, headers=bob),
        await api.post("/flows", json={"content": {"nodes": 7}}, headers=bob),
    ]

    assert [answer.status_code for answer in answers] == [412, 412, 412, 422, 404, 404, 422]
    assert await log_of(api, people.alice.headers) == before


async def test_saves_at_the_same_moment_leave_one_row_each_in_the_order_of_their_versions(
    api: httpx.AsyncClient, people: People, echo: Json, flow: str
) -> None:
    answers = await asyncio.gather(
        *(api.put(f"/flows/{flow}", json={"content": echo}, headers=people.bob.headers) for _ in range(12))
    )

    saved = (await log_of(api, people.alice.headers, flow_id=flow, actor_id="usr_bob"))[2:]
    assert [answer.status_code for answer in answers] == [200] * 12
    assert [row["details"]["version"] for row in saved] == [f"1.0.{n}" for n in range(2, 14)]
    for earlier, later in pairwise(saved):
        assert later["before_hash"] == earlier["after_hash"]


async def test_no_secret_and_no_content_comes_into_the_log(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    content = {**echo, "variables": [{"name": "key", "type": "string", "default": SECRET}]}
    texts = {"name": f"Name {SECRET}", "description": SECRET, "message": SECRET}
    flow_id = (await create(api, people.bob.headers, content, **texts))["id"]
    await api.put(f"/flows/{flow_id}", json={"content": content, **texts}, headers=people.bob.headers)
    await api.put(f"/flows/{flow_id}", json={"name": SECRET}, headers=people.erin.headers)
    await api.get(f"/flows/{SECRET}?token={SECRET}", headers=people.erin.headers)

    exported = await api.get("/admin/audit?format=jsonl", headers=people.alice.headers)

    assert len(exported.text.splitlines()) == 5
    assert SECRET not in exported.text
    assert people.bob.token()[:20] not in exported.text
