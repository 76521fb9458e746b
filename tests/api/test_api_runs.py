"""Events of deployed flows, and running one."""

from typing import Any

import httpx
import pytest
from api_refusals import refused
from people import People, Person
from played_grid import PlayedGrid, refusal

from scaiflow_api.db.models.flow import FlowAcl
from scaiflow_api.kit.ids import new_id
from scaiflow_api.resources import Resources

Json = dict[str, Any]


async def deploy(api: httpx.AsyncClient, owner: Person, content: Json, name: str) -> tuple[str, str]:
    """Create and deploy a flow; return its id and its Core's."""
    made = await api.post("/flows", json={"content": content, "name": name}, headers=owner.headers)
    flow_id = made.json()["id"]
    answer = await api.post(
        f"/flows/{flow_id}/deploy", json={"publish_as_model": False}, headers=owner.headers
    )
    assert answer.status_code == 200, answer.text
    return flow_id, answer.json()["core_id"]


@pytest.fixture
async def core(api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json) -> str:
    """The Core of a flow that bob owns."""
    core_id = (await deploy(api, people.bob, echo, "Bob's"))[1]
    grid.steps.clear()
    grid.requests.clear()
    return core_id


def event(core_id: str, number: int) -> Json:
    return {
        "type": "scaicore.runtime.block.exited",
        "core_id": core_id,
        "timestamp": "2026-04-29T12:34:57Z",
        "payload": {"execution_id": f"exec_{number}", "source_location": {"node_id": "n"}, "unknown": [1.5]},
    }


async def test_events_of_a_core_are_handed_on_untouched(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    raw = (
        b'{ "status":"ok", "data": {"events": [ {"core_id":"'
        + core.encode()
        + b'","payload":{"x":1.500,"y":null}}]'
        b',"next_cursor":"abc" }}'
    )
    grid.faults["events"] = [httpx.Response(200, content=raw)]
    answer = await api.get(f"/scaicore/events?core_id={core}&limit=10&cursor=xyz", headers=people.bob.headers)
    assert answer.status_code == 200
    assert answer.content == raw
    assert answer.headers["Content-Type"] == "application/json"
    assert dict(grid.requests[0].url.params) == {"core_id": core, "limit": "10", "cursor": "xyz"}


async def test_without_a_core_only_events_of_visible_flows_are_shown(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, echo: Json
) -> None:
    _, erins = await deploy(api, people.erin, echo, "Erin's")
    grid.events = [event(core, 1), event(erins, 2), event("core_of_nobody", 3), event(core, 4)]

    async def seen(person: Person) -> list[str]:
        body = (await api.get("/scaicore/events", headers=person.headers)).json()
        assert body["data"]["next_cursor"] == "next"
        return [found["payload"]["execution_id"] for found in body["data"]["events"]]

    assert await seen(people.bob) == ["exec_1", "exec_4"]
    assert await seen(people.erin) == ["exec_2"]
    assert await seen(people.alice) == ["exec_1", "exec_2", "exec_4"]
    assert dict(grid.requests[-1].url.params) == {"limit": "50"}


async def test_who_sees_no_core_gets_an_empty_page_without_asking_scaigrid(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    for person in (people.carol, people.dave, people.root):
        answer = await api.get("/scaicore/events", headers=person.headers)
        assert answer.json() == {"data": {"events": [], "next_cursor": None}}
    assert grid.steps == []


async def test_events_of_a_deleted_flow_are_not_shown(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, echo: Json
) -> None:
    flow, core = await deploy(api, people.bob, echo, "Gone")
    grid.events = [event(core, 1)]
    assert (await api.delete(f"/flows/{flow}", headers=people.bob.headers)).status_code == 204
    one = await api.get(f"/scaicore/events?core_id={core}", headers=people.bob.headers)
    every = await api.get("/scaicore/events", headers=people.bob.headers)
    assert refused(one) == (404, "core_not_found")
    assert every.json()["data"]["events"] == []


@pytest.mark.parametrize("who", ["erin", "carol", "dave", "root"])
async def test_a_core_of_an_invisible_flow_does_not_exist(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, who: str
) -> None:
    answer = await api.get(f"/scaicore/events?core_id={core}", headers=getattr(people, who).headers)
    unknown = await api.get("/scaicore/events?core_id=core_99", headers=getattr(people, who).headers)
    for found in (answer, unknown):
        assert refused(found) == (404, "core_not_found")
    assert grid.steps == []


async def test_a_malformed_query_is_refused(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    headers = people.bob.headers
    for query in ("limit=0", "limit=501", "limit=x", "core_id=", "cursor=" + "c" * 2049):
        answer = await api.get(f"/scaicore/events?{query}", headers=headers)
        assert refused(answer) == (422, "invalid_request"), query
    assert grid.steps == []


@pytest.mark.parametrize(
    ("run", "data"),
    [
        ({"output": {"response": "hi"}}, {"status": "COMPLETED", "output": {"response": "hi"}}),
        ({"output": None}, {"status": "COMPLETED", "output": None}),
        (
            {"status": "SUSPENDED", "checkpoint_id": "chk_1"},
            {"status": "SUSPENDED", "output": None, "checkpoint_id": "chk_1"},
        ),
        (
            {"status": "FAILED", "error": {"code": "X", "message": "m"}},
            {"status": "FAILED", "output": None, "error": {"code": "X", "message": "m"}},
        ),
    ],
)
async def test_a_run_is_answered_as_it_ended(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str, run: Json, data: Json
) -> None:
    grid.on_invoke = lambda body: run
    answer = await api.post(
        f"/scaicore/cores/{core}/invoke", json={"input": {"message": "hi"}}, headers=people.bob.headers
    )
    assert answer.status_code == 200
    assert answer.json() == {"data": {"execution_id": "exec_1", **data}}


async def test_flow_name_and_instance_key_are_handed_on(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    sent = []
    grid.on_invoke = lambda body: sent.append(body) or {}
    body = {"input": {}, "flow_name": "f", "instance_key": "k"}
    await api.post(f"/scaicore/cores/{core}/invoke", json=body, headers=people.bob.headers)
    assert sent == [body]


@pytest.mark.parametrize(
    ("who", "level", "status", "error"),
    [
        ("alice", None, 200, None),
        ("bob", None, 200, None),
        ("erin", None, 404, "core_not_found"),
        ("erin", "edit", 403, "insufficient_acl"),
        ("erin", "deploy", 200, None),
        ("carol", "deploy", 403, "permission_denied"),
        ("dave", None, 404, "core_not_found"),
        ("root", None, 404, "core_not_found"),
    ],
)
async def test_who_may_run_a_core(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    grid: PlayedGrid,
    echo: Json,
    who: str,
    level: str | None,
    status: int,
    error: str | None,
) -> None:
    flow, core = await deploy(api, people.bob, echo, "Bob's")
    grid.steps.clear()
    person = getattr(people, who)
    if level is not None:
        async with resources.db.write() as session:
            session.add(
                FlowAcl(
                    id=new_id("acl"),
                    flow_id=flow,
                    principal_type="user",
                    principal_id=person.id,
                    level=level,
                    granted_by="usr_bob",
                    granted_at=resources.clock.now(),
                )
            )
    answer = await api.post(f"/scaicore/cores/{core}/invoke", json={"input": {}}, headers=person.headers)
    assert answer.status_code == status, answer.text
    assert answer.json().get("detail", {}).get("error") == error
    assert grid.steps == (["invoke"] if status == 200 else [])


BAD_INPUTS = {
    "empty": b"{}",
    "list": b'{"input": []}',
    "text": b'{"input": "text"}',
    "no name": b'{"input": {}, "flow_name": ""}',
    "more": b'{"input": {}, "more": 1}',
    "huge number": b'{"input": {"n": 123456789012345678901234567890}}',
    "NaN": b'{"input": {"n": NaN}}',
    "lone surrogate": b'{"input": {"s": "\\ud800"}}',
    "deep": b'{"input": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}",
}


async def test_an_input_that_would_not_arrive_as_sent_is_refused(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, core: str
) -> None:
    headers = {**people.bob.headers, "Content-Type": "application/json"}
    for what, body in BAD_INPUTS.items():
        answer = await api.post(f"/scaicore/cores/{core}/invoke", content=body, headers=headers)
        assert refused(answer) == (422, "invalid_request"), what
    assert grid.steps == []


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (refusal(404), 502, "scaigrid_api"),
        (refusal(409, "CORE_NOT_RUNNING"), 502, "scaigrid_api"),
        (refusal(403), 502, "scaigrid_auth"),
        (refusal(429), 429, "scaigrid_busy"),
        (httpx.ReadTimeout("slow"), 504, "scaigrid_timeout"),
        (httpx.Response(200, json={"data": {"execution_id": "exec_1"}}), 502, "scaigrid_api"),
    ],
)
async def test_a_run_that_scaigrid_does_not_take_is_not_repeated(
    api: httpx.AsyncClient,
    people: People,
    grid: PlayedGrid,
    core: str,
    fault: httpx.Response | Exception,
    status: int,
    error: str,
) -> None:
    grid.faults["invoke"] = [fault]
    answer = await api.post(f"/scaicore/cores/{core}/invoke", json={"input": {}}, headers=people.bob.headers)
    assert refused(answer) == (status, error)
    assert grid.steps == ["invoke"]
