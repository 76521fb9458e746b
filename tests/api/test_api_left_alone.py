"""A ScaiGrid that keeps failing: whom it concerns, what they are told, and what operators see."""

import httpx
from people import People
from played_grid import PlayedGrid, refusal

from scaiflow_api.settings import Settings

MODELS = "/scaigrid/models"


async def test_it_is_left_alone_for_the_tenant_it_fails_and_operators_see_it(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid, settings: Settings
) -> None:
    limit = settings.scaigrid.breaker_failures
    grid.faults["models"] = [refusal(500)] * limit
    for _ in range(limit):
        failed = await api.get(MODELS, headers=people.carol.headers)
        assert (failed.status_code, failed.json()["detail"]["status"]) == (502, 500)

    refused = await api.get(MODELS, headers=people.bob.headers)
    assert refused.status_code == 502
    detail = refused.json()["detail"]
    assert detail.pop("trace_id")
    assert 0 < int(refused.headers["Retry-After"]) <= 15
    assert detail == {
        "error": "scaigrid_api",
        "message": f"ScaiGrid failed several times in a row; it is asked again in {detail['retry_after']} s.",
        "status": None,
        "code": None,
        "retry_after": int(refused.headers["Retry-After"]),
        "fix": "Try again after 'retry_after' seconds.",
    }
    assert len(grid.steps) == limit

    assert (await api.get(MODELS, headers=people.dave.headers)).status_code == 200
    assert (await api.get("/scaiqueue/scopes", headers=people.carol.headers)).status_code == 200

    ready = await api.get("http://api.test/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["left_alone"] == {"scaigrid": 1}
    assert ready.json()["upstreams"] == {
        "scaikey": "configured",
        "scaigrid": "failing",
        "scaiqueue": "configured",
        "scaibunker": "configured",
        "scaivault": "not configured",
    }
    assert "tnt_" not in ready.text
    assert "scaigrid.test" not in ready.text
    metrics = (await api.get("http://api.test/metrics")).text
    assert 'scaiflow_upstream_left_alone{system="scaigrid"} 1.0' in metrics
    assert 'scaiflow_upstream_left_alone{system="scaiqueue"} 0.0' in metrics
    assert 'scaiflow_upstream_opened_total{system="scaigrid"}' in metrics
    assert "tnt_" not in metrics


async def test_a_call_continues_the_trace_of_its_request(
    api: httpx.AsyncClient, people: People, grid: PlayedGrid
) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    sent = {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "vendor=1"}
    await api.get(MODELS, headers={**people.carol.headers, **sent})
    await api.get(MODELS, headers=people.carol.headers)
    first, second = grid.requests
    assert {name: first.headers[name] for name in sent} == sent
    assert second.headers["traceparent"].split("-")[1] != trace
    assert "tracestate" not in second.headers
