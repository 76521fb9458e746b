"""`scaiflow test --api`: the saved flow's fixtures, run by the API."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

URL = "https://flow.test"
FLOW = f"{URL}/api/v1/flows/flow_here"
REPORT = {
    "results": [
        {
            "name": "echoes",
            "ok": True,
            "expect": {},
            "output": {"n": 1},
            "error": None,
            "duration_ms": 12,
            "mismatches": [],
            "coverage": None,
        }
    ],
    "passed": 1,
    "failed": 0,
    "message": None,
    "coverage": {"nodes": ["node_entry"], "edges_taken": [], "node_pct": 50.0},
}


@pytest.fixture
def router(monkeypatch) -> Iterator[respx.MockRouter]:
    monkeypatch.setenv("SCAIFLOW_TOKEN", "tok-ci")
    with respx.mock(assert_all_called=False) as routes:
        yield routes


@pytest.fixture
def document(echo) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(echo.read_text())
    return found


@pytest.fixture
def run(router, document) -> respx.Route:
    """The flow is saved as `flow_here`; its tests pass."""
    saved = {"id": "flow_here", "name": document["name"], "version": "1.0.3"}
    content = {**document, "id": "flow_here", "version": "1.0.3"}
    router.get(FLOW).respond(json={**saved, "content": content})
    return router.post(f"{FLOW}/run-tests").respond(json=REPORT)


def test_the_saved_fixtures_are_run(scaiflow, changed, run):
    flow = changed(lambda it: it.update(id="flow_here"))

    done = scaiflow("test", flow, "--core", "core_1", "--api", URL, "--filter", "ech")

    assert (done.code, done.lines) == (0, ["ok   echoes 12 ms"])
    assert done.errors.splitlines() == [
        "testing version 1.0.3 of flow_here …",
        "1 passed; 50 % of the nodes were run through, not node_echo",
    ]
    request = run.calls.last.request
    assert json.loads(request.content) == {"core_id": "core_1", "name_filter": "ech"}
    assert request.headers["Authorization"] == "Bearer tok-ci"


def test_a_file_that_is_not_what_is_saved_is_said(scaiflow, changed, run):
    flow = changed(lambda it: it.update(tests=[]))

    done = scaiflow("test", flow, "--core", "core_1", "--api", URL, "--flow-id", "flow_here")

    assert done.code == 0
    assert done.errors.startswith("testing version 1.0.3 of flow_here, which is not what ")


def test_a_flow_that_is_not_saved_cannot_be_tested(scaiflow, echo, router):
    missing = {"detail": {"error": "flow_not_found", "message": "no flow"}}
    router.get(url__regex=rf"{URL}/api/v1/flows/.+").respond(404, json=missing)
    router.get(f"{URL}/api/v1/flows").respond(json={"items": [], "total": 0})

    done = scaiflow("test", echo, "--core", "core_1", "--api", URL)

    assert done.code == 2
    assert "is not saved at https://flow.test: deploy it with --api first" in done.errors


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(404, json={"detail": {"error": "core_not_found", "message": "no Core", "fix": "Look."}}),
            "scaiflow: core_not_found: no Core Look.\n",
        ),
        (httpx.Response(200, json={"results": 7}), "does not behave like ScaiFlow's API\n"),
        (httpx.Response(200, html="<h1>hello</h1>"), "is not ScaiFlow's API: 200 to POST"),
        (httpx.ConnectError("no"), "cannot be reached\n"),
        (httpx.ReadTimeout("slow"), "does not answer in time\n"),
    ],
)  # fmt: skip
def test_what_keeps_all_fixtures_from_running_exits_with_2(scaiflow, echo, run, answer, said):
    run.mock(side_effect=[answer])

    done = scaiflow("test", echo, "--core", "core_1", "--api", URL, "--flow-id", "flow_here")

    assert (done.code, done.output) == (2, b"")
    assert said in done.errors


def test_without_a_token_nothing_is_asked(scaiflow, echo, run, monkeypatch):
    monkeypatch.delenv("SCAIFLOW_TOKEN")

    assert scaiflow("test", echo, "--core", "core_1", "--api", URL).code == 2
    assert not run.called
