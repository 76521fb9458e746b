"""`/metrics`: what Prometheus reads, bounded whatever callers send."""

import re
from typing import Any

import httpx
import pytest
import respx
from fastapi import FastAPI
from people import People
from prometheus_client.parser import text_string_to_metric_families

SCAIGRID = "http://scaigrid.test"
METRICS = "http://api.test/metrics"
REQUESTS = "scaiflow_http_request_duration_seconds_count"


async def counted(api: httpx.AsyncClient, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one series, by the values of its labels in the order of their names."""
    text = (await api.get(METRICS)).text
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def grown(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float]) -> dict[Any, float]:
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


async def test_requests_are_timed_under_their_routes(
    api: httpx.AsyncClient, people: People, echo: Any
) -> None:
    before = await counted(api, REQUESTS)

    made = await api.post("/flows", json={"content": echo}, headers=people.bob.headers)
    for flow in (made.json()["id"], "flow_none", "flow_other"):
        await api.get(f"/flows/{flow}", headers=people.bob.headers)
    for method, path in (("GET", "/nowhere/1"), ("GET", "/nowhere/2"), ("BREW", "/coffee")):
        await api.request(method, path)
    for method in ("BREW", "PROPFIND", "DELETE"):
        await api.request(method, "/flows")

    assert grown(before, await counted(api, REQUESTS)) == {
        ("POST", "/flows", "2xx"): 1,
        ("GET", "/flows/{flow_id}", "2xx"): 1,
        ("GET", "/flows/{flow_id}", "4xx"): 2,
        ("any", "none", "4xx"): 3,
        ("any", "/flows", "4xx"): 3,
        ("GET", "/metrics", "2xx"): 1,
    }
    assert made.json()["id"] not in (await api.get(METRICS)).text


async def test_compiles_and_the_store_are_timed(api: httpx.AsyncClient, people: People, echo: Any) -> None:
    compiles, calls = "scaiflow_compile_duration_seconds_count", "scaiflow_store_call_duration_seconds_count"
    before, stored = await counted(api, compiles), await counted(api, calls)

    for content in (echo, {**echo, "version": "not a version"}):
        await api.post("/flows/compile", json={"content": content}, headers=people.bob.headers)
    await api.post("/flows", json={"content": echo}, headers=people.bob.headers)

    assert grown(before, await counted(api, compiles)) == {("yaml", "ok"): 1, ("yaml", "CompileError"): 1}
    assert grown(stored, await counted(api, calls)) == {("put", "ok"): 1}


async def test_other_systems_are_timed_and_join_the_trace(api: httpx.AsyncClient, people: People) -> None:
    calls = "scaiflow_upstream_call_duration_seconds_count"
    before = await counted(api, calls)
    with respx.mock(base_url=SCAIGRID) as grid:
        models = grid.get("/v1/models").respond(403, json={"error": {"code": "FORBIDDEN"}})
        answer = await api.get("/scaigrid/models", headers=people.bob.headers)

    trace_id = answer.json()["detail"]["trace_id"]
    assert re.fullmatch(rf"00-{trace_id}-[0-9a-f]{{16}}-00", models.calls.last.request.headers["traceparent"])
    assert grown(before, await counted(api, calls)) == {("UpstreamRejected", "scaigrid"): 1}


async def test_a_callers_trace_goes_on(api: httpx.AsyncClient, people: People) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**people.bob.headers, "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    with respx.mock(base_url=SCAIGRID) as grid:
        models = grid.get("/v1/models").respond(200, json={"data": {"items": []}})
        await api.get("/scaigrid/models", headers=headers)

    assert models.calls.last.request.headers["traceparent"].split("-")[1] == trace_id


@pytest.mark.parametrize(
    "sent",
    [
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
async def test_what_names_no_trace_begins_a_new_one(
    api: httpx.AsyncClient, people: People, sent: str
) -> None:
    with respx.mock(base_url=SCAIGRID) as grid:
        models = grid.get("/v1/models").respond(403, json={"error": {"code": "FORBIDDEN"}})
        answer = await api.get("/scaigrid/models", headers={**people.bob.headers, "traceparent": sent})

    trace_id = answer.json()["detail"]["trace_id"]
    assert trace_id not in sent
    assert models.calls.last.request.headers["traceparent"].split("-")[1] == trace_id


async def test_editing_together_is_counted(api: httpx.AsyncClient, app: FastAPI) -> None:
    counters = app.state.rooms.counters
    counters.peers, counters.updates_delivered = 3, 5
    counters.closed[4410] += 2

    assert await counted(api, "scaiflow_sync_peers") == {(): 3}
    assert await counted(api, "scaiflow_sync_updates_delivered_total") == {(): 5}
    assert await counted(api, "scaiflow_sync_closed_total") == {("4410",): 2}
