"""`scaiflow deploy --api`: saved where it belongs, once, and deployed from there; odd answers are sentences."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

URL = "https://flow.test"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"


class PlayedApi:
    """Flows in memory, under `/api/v1`; `faults` maps a method and the end of a path to an answer."""

    def __init__(self, router: respx.MockRouter) -> None:
        router.route(url__startswith=URL).mock(side_effect=self._answer)
        self.flows: dict[str, dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.faults: dict[tuple[str, str], httpx.Response | Exception] = {}

    def add(self, flow_id: str, content: dict[str, Any], version: str = "1.0.0") -> None:
        name = content["name"]
        stored = {**content, "id": flow_id, "version": version}
        self.flows[flow_id] = {"id": flow_id, "name": name, "version": version, "content": stored}

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path.removeprefix('/api/v1')}" for request in self.requests]

    def sent(self, method: str) -> Any:
        """Return the body of the first request by which a flow was saved."""
        saves = (it for it in self.requests if it.method == method and not it.url.path.endswith("/validate"))
        return json.loads(next(saves).content)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for (method, end), fault in self.faults.items():
            if request.method == method and request.url.path.endswith(end):
                if isinstance(fault, Exception):
                    raise fault
                return fault
        path = request.url.path.removeprefix("/api/v1/flows").strip("/")
        if request.method == "GET" and not path:
            return httpx.Response(200, json={"items": list(self.flows.values()), "total": len(self.flows)})
        if path == "validate":
            return httpx.Response(200, json={"valid": True, "diagnostics": []})
        if request.method == "POST" and not path:
            self.add("flow_new", json.loads(request.content)["content"])
            return httpx.Response(201, json=self.flows["flow_new"])
        if path.endswith("/deploy"):
            answer = {"core_id": "core_1", "published_slug": None, "flow_version": "1.0.1"}
            return httpx.Response(200, json=answer)
        if path not in self.flows:
            return httpx.Response(404, json={"detail": {"error": "flow_not_found", "message": "no flow"}})
        if request.method == "PUT":
            change = json.loads(request.content)
            self.add(
                path, {**change["content"], "name": change.get("name", self.flows[path]["name"])}, "1.0.1"
            )
        return httpx.Response(200, json=self.flows[path], headers={"ETag": f'"{path}-tag"'})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedApi]:
    monkeypatch.setenv("SCAIFLOW_TOKEN", TOKEN)
    with respx.mock(assert_all_called=False) as router:
        yield PlayedApi(router)


@pytest.fixture
def document(echo) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(echo.read_text())
    return found


def test_a_new_flow_is_created_and_deployed(scaiflow, echo, api, document):
    done = scaiflow("deploy", echo, "--api", URL, "--no-publish-as-model", "--group-id", "grp_a")

    assert (done.code, done.lines) == (0, ["flow_id=flow_new", "flow_version=1.0.1", "core_id=core_1"])
    assert api.calls[-3:] == ["POST /flows/validate", "POST /flows", "POST /flows/flow_new/deploy"]
    assert api.sent("POST") == {"content": document}
    assert json.loads(api.requests[-1].content) == {"publish_as_model": False, "group_ids": ["grp_a"]}
    assert {request.headers["Authorization"] for request in api.requests} == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.errors


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}/api/v1", f"{URL}/api/v1/"])
def test_the_address_may_name_the_api_or_its_host(scaiflow, echo, api, url):
    assert scaiflow("deploy", echo, "--api", url).code == 0


@pytest.mark.parametrize("found_by", ["id", "name", "option"])
def test_what_did_not_change_is_not_saved_again(scaiflow, changed, api, document, found_by):
    api.add("flow_here", document)
    own_id = "flow_here" if found_by == "id" else "flow_elsewhere"
    flow = changed(lambda it: it.update(id=own_id, version="7.7.7"))
    options = ["--flow-id", "flow_here"] if found_by == "option" else []

    done = scaiflow("deploy", flow, "--api", URL, "--json", *options)

    assert done.code == 0
    assert done.json == {
        "ok": True,
        "flow_id": "flow_here",
        "core_id": "core_1",
        "published_slug": None,
        "flow_version": "1.0.1",
    }
    assert "PUT /flows/flow_here" not in api.calls
    assert api.calls[-1] == "POST /flows/flow_here/deploy"


def test_what_changed_becomes_a_version_unless_somebody_was_faster(scaiflow, changed, api, document):
    api.add("flow_here", document)
    flow = changed(lambda it: it.update(id="flow_here", name="Renamed", metadata={"description": "new"}))

    done = scaiflow("deploy", flow, "--api", URL, "--message", "from CI")

    assert done.code == 0
    assert "saved as version 1.0.1 of flow_here" in done.errors
    put = next(request for request in api.requests if request.method == "PUT")
    assert put.headers["If-Match"] == '"flow_here-tag"'
    sent = api.sent("PUT")
    assert (sent["name"], sent["message"], sent["content"]["metadata"]) == (
        "Renamed",
        "from CI",
        {"description": "new"},
    )


def test_several_flows_of_one_name_are_not_guessed_at(scaiflow, changed, api, document):
    api.add("flow_a", document)
    api.add("flow_b", document)

    done = scaiflow("deploy", changed(lambda it: it.update(id="flow_x")), "--api", URL)

    assert done.code == 2
    assert "choose with --flow-id flow_a or flow_b" in done.errors
    assert api.calls[-1] == "GET /flows"


def test_a_name_that_only_contains_it_is_another_flow(scaiflow, changed, api, document):
    api.add("flow_a", {**document, "name": document["name"] + " of somebody"})

    assert scaiflow("deploy", changed(lambda it: it.update(id="flow_x")), "--api", URL).lines[0] == (
        "flow_id=flow_new"
    )


def error(status: int, name: str, **detail: Any) -> httpx.Response:
    return httpx.Response(status, json={"detail": {"error": name, "message": "a sentence.", **detail}})


@pytest.mark.parametrize(
    ("method", "end", "fault", "told"),
    [
        ("GET", "/flows", error(401, "invalid_token", fix="Sign in."), "invalid_token: a sentence. Sign in."),
        ("POST", "/flows", error(403, "permission_denied"), "permission_denied: a sentence."),
        (
            "POST",
            "/deploy",
            error(502, "scaicore_start_failed", reached=["queues", "core"], core_id="core_1"),
            "scaicore_start_failed: a sentence. Done so far: queues, core (core_id=core_1).",
        ),
        ("POST", "/deploy", error(429, "scaigrid_busy"), "scaigrid_busy: a sentence."),
        (
            "POST",
            "/deploy",
            httpx.Response(502, html="<h1>Bad Gateway</h1>"),
            f"what answers at {URL} is not ScaiFlow's API: 502 to POST /api/v1/flows/flow_new/deploy",
        ),
        (
            "GET",
            "/flows",
            httpx.Response(
                401, json={"detail": {"error": "invalid_token", "message": "not a JWT", "fix": "Sign in."}}
            ),
            "invalid_token: not a JWT. Sign in.",
        ),
        (
            "GET",
            "/flows",
            httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
            f"what answers at {URL} is not ScaiFlow's API: 302 to GET /api/v1/flows",
        ),
        (
            "GET",
            "/flows",
            httpx.Response(200, json=[]),
            f"what answers at {URL} does not behave like ScaiFlow's API",
        ),
        ("GET", "/flows", httpx.ConnectError("no"), f"ScaiFlow at {URL} cannot be reached"),
        ("POST", "/deploy", httpx.ReadTimeout("slow"), f"ScaiFlow at {URL} does not answer in time"),
    ],
)
def test_what_goes_wrong_is_one_sentence(scaiflow, echo, api, method, end, fault, told):
    api.faults[method, end] = fault

    done = scaiflow("deploy", echo, "--api", URL)

    assert (done.code, done.output) == (1, b"")
    assert done.errors.splitlines()[-1] == f"scaiflow: {told}"
    assert TOKEN not in done.errors


def test_findings_are_shown_with_their_places_in_the_file(scaiflow, echo, api):
    finding = {"severity": "error", "code": "SF101", "message": "wrong", "path": "nodes[1]", "node_id": None}
    api.faults["POST", "/deploy"] = error(502, "scaicore_compile_failed", diagnostics=[finding])

    done = scaiflow("deploy", echo, "--api", URL)
    as_json = scaiflow("deploy", echo, "--api", URL, "--json")

    assert done.code == 1
    assert ": nodes[1]: SF101 error: wrong" in done.errors
    assert as_json.json["error"] == "scaicore_compile_failed"
    assert as_json.json["diagnostics"] == [finding]

    api.faults["POST", "/deploy"] = error(502, "scaicore_compile_failed", diagnostics=["odd", {"path": 7}])
    assert scaiflow("deploy", echo, "--api", URL).code == 1


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_flow_with_errors_is_not_saved(scaiflow, changed, api, document, saved, options):
    if saved:
        api.add("flow_here", document)
    flow = changed(lambda it: it.update(id="flow_here", metadata={"description": "new"}))
    finding = {"severity": "error", "code": "SF110", "message": "no entry", "node_id": None, "edge_id": None}
    api.faults["POST", "/validate"] = httpx.Response(200, json={"valid": False, "diagnostics": [finding]})

    done = scaiflow("deploy", flow, "--api", URL, *options)
    as_json = scaiflow("deploy", flow, "--api", URL, "--json", *options)

    assert (done.code, done.output, as_json.code) == (1, b"", 1)
    assert "SF110 error: no entry" in done.errors
    assert (as_json.json["error"], as_json.json["diagnostics"]) == ("scaicore_compile_failed", [finding])
    assert not {call for call in api.calls if call.startswith("PUT") or call == "POST /flows"}


def test_a_flow_that_the_api_makes_complete_is_checked_as_if_it_were(scaiflow, changed, api):
    done = scaiflow("deploy", changed(lambda it: (it.pop("id"), it.pop("version"))), "--api", URL)

    checked = next(it.content for it in api.requests if it.url.path.endswith("/validate"))
    assert done.code == 0
    assert {"id", "version"} <= json.loads(checked)["content"].keys()
    assert not {"id", "version"} & api.sent("POST")["content"].keys()


def test_warnings_are_shown_when_a_flow_is_saved(scaiflow, echo, api):
    finding = {"severity": "warning", "code": "SF301", "message": "unknown name", "path": "nodes[1]"}
    api.faults["POST", "/validate"] = httpx.Response(200, json={"valid": True, "diagnostics": [finding]})

    done = scaiflow("deploy", echo, "--api", URL)

    assert done.code == 0
    assert ": nodes[1]: SF301 warning: unknown name" in done.errors


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--api", "flow.test"], "the address of ScaiFlow must begin with https://"),
        (["--api", URL, "--token", " "], "no access token: set SCAIFLOW_TOKEN, or give one with --token"),
        (["--api", URL, "--token", "tökên"], "characters that no token has"),
        (["--api", URL, "--flow-id", "../tenants"], "is no id of a flow"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(
    scaiflow: Callable[..., Any], echo: Any, api: PlayedApi, options: list[str], sentence: str
) -> None:
    done = scaiflow("deploy", echo, *options)

    assert (done.code, done.output) == (2, b"")
    assert sentence in done.errors
    assert api.calls == []


PLAN = {
    "dry_run": True,
    "flow_version": "1.0.0",
    "core": {"action": "replace", "core_id": "core_1", "status": "running"},
    "scaiqueue": None,
    "publication": {"action": "sync", "published_slug": "scaicore/acme/echo-agent", "group_ids": []},
}


class TestDryRun:
    """What saving and deploying would do; nothing is saved."""

    def test_of_what_is_saved_the_api_says_what_a_deploy_would_do(self, scaiflow, echo, api, document):
        api.add("flow_1", document)
        api.faults["POST", "/deploy"] = httpx.Response(200, json=PLAN)

        done = scaiflow(
            "deploy", echo, "--api", URL, "--flow-id", "flow_1", "--dry-run", "--group-id", "grp_a"
        )

        assert done.code == 0
        assert done.lines == [
            "save=none",
            "flow_id=flow_1",
            "flow_version=1.0.0",
            "core=replace",
            "core_id=core_1",
            "model=sync",
        ]
        assert api.sent("POST") == {"group_ids": ["grp_a"], "dry_run": True}

    @pytest.mark.parametrize("known", [True, False])
    def test_what_would_be_saved_is_not(self, scaiflow, changed, api, document, known):
        if known:
            api.add("flow_1", document)
        flow = changed(lambda content: content.update(metadata={"description": "another"}))

        done = scaiflow(
            "deploy", flow, "--api", URL, "--dry-run", *(["--flow-id", "flow_1"] if known else [])
        )

        assert done.code == 0
        assert done.lines == (["save=update", "flow_id=flow_1"] if known else ["save=create"])
        assert "would be saved first" in done.errors
        assert {call for call in api.calls if not call.startswith("GET")} == {"POST /flows/validate"}

    def test_an_answer_that_is_no_plan_is_a_sentence(self, scaiflow, echo, api, document):
        api.add("flow_1", document)
        api.faults["POST", "/deploy"] = httpx.Response(200, json={"core": {}})

        done = scaiflow("deploy", echo, "--api", URL, "--flow-id", "flow_1", "--dry-run")

        assert (done.code, done.output) == (1, b"")
        assert "does not behave like ScaiFlow's API" in done.errors


def test_what_is_no_flow_document_is_not_sent(scaiflow, api):
    assert scaiflow("deploy", "-", "--api", URL, stdin="[]").code == 2
    assert api.calls == []
