"""`scaiflow deploy`: straight to ScaiGrid, with a key and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import respx
from played_grid import PlayedGrid, refusal

GRID, KEY = "https://grid.test/base", "sgk_" + "k3y" * 12
QUEUES = {"scope": "support", "queues": [{"slug": "review"}]}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAIGRID_BASE_URL", GRID)
    monkeypatch.setenv("SCAIGRID_API_KEY", KEY)
    monkeypatch.setenv("SCAIFLOW_UPSTREAM_TIMEOUT_S", "0.5")
    monkeypatch.setenv("SCAIFLOW_START_TIMEOUT_S", "0.2")


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def grid(router: respx.MockRouter) -> PlayedGrid:
    return PlayedGrid(router, GRID)


def test_deploy_prints_what_is_there_now(scaiflow, echo, grid):
    done = scaiflow("deploy", echo)

    assert (done.code, done.lines) == (0, ["core_id=core_1", "published_slug=scaicore/acme/echo-agent"])
    assert grid.steps == ["list", "create", "start", "get", "publish", "get"]
    assert {request.headers["Authorization"] for request in grid.requests} == {f"Bearer {KEY}"}
    assert KEY not in done.errors
    assert done.errors.splitlines() == [
        "sending the manifest …",
        "waiting until the Core runs …",
        "publishing the chat model …",
    ]


BUSY = httpx.Response(429, json={"error": {"code": "RATE_LIMITED", "message": "slow down"}})
STEPS = ("scopes", "create_scope", "create_queue", "list", "create", "start", "get", "publish")


def test_a_rate_limit_is_waited_for(scaiflow, changed, grid, monkeypatch):
    monkeypatch.setattr("scaiflow_api.upstreams.rate_limits._UNTOLD_S", 0.01)
    flow = changed(lambda document: document["config"].update(scaiqueue=QUEUES))
    grid.faults = {step: [BUSY] for step in STEPS}

    deployed = scaiflow("deploy", flow)
    grid.faults = {step: [BUSY] for step in ("scopes", "queues", "list")}
    planned = scaiflow("deploy", flow, "--dry-run")

    assert (deployed.code, planned.code) == (0, 0)
    said = "ScaiGrid limits the rate; it is asked again in 0.01 s …"
    assert (deployed.errors.count(said), planned.errors.count(said)) == (len(STEPS), 3)
    assert list(grid.cores) == ["core_1"]

    monkeypatch.setenv("SCAIFLOW_BUSY_WAIT_S", "0")
    grid.faults = {"list": [BUSY]}
    refused = scaiflow("deploy", flow)
    assert (refused.code, said in refused.errors) == (1, False)
    assert refused.errors.endswith("scaiflow: scaigrid_busy: slow down. Done so far: queues.\n")


def test_deploying_again_keeps_the_core(scaiflow, echo, changed, grid):
    first = scaiflow("deploy", echo)
    renamed = changed(lambda document: document.update(name="Another Name"))
    grid.steps.clear()

    second = scaiflow("deploy", renamed)

    assert second.lines == first.lines
    assert grid.steps == ["list", "replace", "sync", "get"]


def test_a_flow_from_standard_input_and_its_queues_as_json(scaiflow, changed, grid):
    flow = changed(lambda document: document["config"].update(scaiqueue=QUEUES))

    done = scaiflow("deploy", "-", "--no-publish-as-model", "--json", stdin=flow.read_bytes())

    assert done.code == 0
    assert done.json == {
        "ok": True,
        "core_id": "core_1",
        "published_slug": None,
        "published_model_id": None,
        "scaiqueue_provisioning": {
            "scope_id": "sc_1",
            "scope_slug": "support",
            "queue_ids": {"review": "q_2"},
            "differences": [],
        },
    }
    assert "setting up the queues" in done.errors


@pytest.mark.parametrize(
    ("options", "published", "groups"),
    [
        ([], True, []),
        (["--publish-as-model"], True, []),
        (["--no-publish-as-model"], False, None),
        (["--group-id", "grp_a", "--group-id", "grp_b"], True, ["grp_a", "grp_b"]),
    ],
)
def test_the_options_override_what_the_flow_says(scaiflow, echo, grid, options, published, groups):
    done = scaiflow("deploy", echo, *options)

    assert len(done.lines) == (2 if published else 1)
    sent = [
        json.loads(request.content)
        for step, request in zip(grid.steps, grid.requests, strict=True)
        if step == "publish"
    ]
    assert sent == ([{"group_ids": groups}] if published else [])


def test_key_and_address_given_by_option_win(scaiflow, echo, router):
    elsewhere = PlayedGrid(router, "http://127.0.0.1:9/grid")

    done = scaiflow("deploy", echo, "--api-key", " sgk_other\n", "--base-url", "http://127.0.0.1:9/grid/")

    assert done.code == 0
    assert {request.headers["Authorization"] for request in elsewhere.requests} == {"Bearer sgk_other"}


def test_without_an_address_it_is_the_public_one(scaiflow, echo, router, monkeypatch):
    monkeypatch.delenv("SCAIGRID_BASE_URL")
    public = PlayedGrid(router, "https://scaigrid.scailabs.ai")

    assert scaiflow("deploy", echo).code == 0
    assert "create" in public.steps


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--api-key", ""], "no ScaiGrid key: set SCAIGRID_API_KEY"),
        (["--api-key", "sgk_ä"], "characters that no key has"),
        (["--api-key", "two words"], "characters that no key has"),
        (["--base-url", "ftp://grid.test"], "must begin with https://"),
        (["--base-url", "https://user:secret@grid.test"], "must not hold a user"),
        (["--token", "t"], "--token goes only with --api"),
        (["--flow-id", "flow_x"], "--flow-id goes only with --api"),
        (["--api", "https://flow.test", "--api-key", "sgk_x"], "--api-key does not go with --api"),
        (["--api", "https://flow.test", "--base-url", GRID], "--base-url does not go with --api"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(scaiflow, echo, grid, options, sentence):
    done = scaiflow("deploy", echo, *options)

    assert (done.code, done.output, done.errors.count("\n")) == (2, b"", 1)
    assert sentence in done.errors
    assert grid.steps == []


def test_without_any_key_it_says_how_to_give_one(scaiflow, echo, monkeypatch):
    monkeypatch.delenv("SCAIGRID_API_KEY")

    done = scaiflow("deploy", echo)

    assert done.code == 2
    assert "set SCAIGRID_API_KEY, or give one with --api-key" in done.errors


def test_a_file_that_is_none_is_exit_code_2(scaiflow, grid):
    assert scaiflow("deploy", "nowhere.flow.json").code == 2
    assert scaiflow("deploy", "-", stdin="{").code == 2
    assert grid.steps == []


def test_a_flow_with_errors_shows_their_places_and_sends_nothing(scaiflow, changed, grid):
    flow = changed(lambda document: document["edges"][0]["source"].update(port="out_typo"))

    done = scaiflow("deploy", flow)

    assert (done.code, done.output) == (1, b"")
    assert "has no output port 'out_typo'" in done.errors
    assert "changed.flow.json:" in done.errors
    as_json = scaiflow("deploy", flow, "--json")
    assert (as_json.code, as_json.json["ok"], as_json.json["error"]) == (1, False, "scaicore_compile_failed")
    assert [found["edge_id"] for found in as_json.json["diagnostics"] if "out_typo" in found["message"]]
    assert grid.steps == []


GONE = "ScaiGrid did not answer within 0.5 s. Done so far: core, running (core_id=core_1)."
REFUSED_KEY = (
    "no such key [scrubbed]. ScaiGrid does not accept the credential: sign in again, or replace the API key."
)
NOT_ALLOWED = (
    "no. Caller needs the `scaicore:manage` permission on this tenant. Done so far: core (core_id=core_1)."
)


@pytest.mark.parametrize(
    ("step", "fault", "told"),
    [
        ("create", refusal(422, message="verifier error: x"), "scaicore_create_failed: verifier error: x"),
        ("create", refusal(401, message=f"no such key {KEY}"), f"scaigrid_auth: {REFUSED_KEY}"),
        ("create", httpx.ReadError("cut"), "scaicore_create_failed: ScaiGrid cannot be reached."),
        ("start", refusal(403, message="no"), f"scaigrid_auth: {NOT_ALLOWED}"),
        ("publish", httpx.ReadTimeout("slow"), f"scaigrid_timeout: {GONE}"),
    ],
)
def test_a_failure_is_one_sentence_that_says_how_far_it_came(scaiflow, echo, grid, step, fault, told):
    grid.faults[step] = [fault]

    done = scaiflow("deploy", echo)

    assert (done.code, done.output) == (1, b"")
    assert done.errors.splitlines()[-1] == f"scaiflow: {told}"
    grid.faults.clear()

    as_json = scaiflow("deploy", echo, "--json")
    assert (as_json.code, as_json.json["core_id"]) == (0, "core_1")


def test_a_scaigrid_that_cannot_be_reached_is_named_with_the_reason(
    scaiflow, echo, unused_tcp_port, monkeypatch
):
    monkeypatch.setenv("SCAIFLOW_UPSTREAM_TIMEOUT_S", "10")  # it is tried three times, on a busy machine too
    url = f"http://127.0.0.1:{unused_tcp_port}/scaigrid"

    for options in ([], ["--dry-run"]):
        done = scaiflow("deploy", echo, "--base-url", url, "--api-key", KEY, *options)

        assert done.code == 1
        assert f"no connection to {url}: Connect" in done.errors
        assert KEY not in done.errors


def test_a_failure_as_json_is_the_error_of_the_api(scaiflow, echo, grid):
    grid.faults["start"] = [refusal(422, "INVALID_SOURCE_IR", "no")]

    done = scaiflow("deploy", echo, "--json")

    assert done.code == 1
    assert done.json == {
        "ok": False,
        "error": "scaicore_start_failed",
        "message": "no",
        "status": 422,
        "code": "INVALID_SOURCE_IR",
        "core_id": "core_1",
        "core_status": "created",
        "reached": ["core"],
    }


class TestDryRun:
    """What a deploy would do; ScaiGrid is only read."""

    def test_it_says_what_would_be_made(self, scaiflow, changed, grid):
        flow = changed(lambda document: document["config"].update(scaiqueue=QUEUES))

        done = scaiflow("deploy", flow, "--dry-run")

        assert done.code == 0
        assert done.lines == ["core=create", "create_scope=support", "create_queues=review", "model=publish"]
        assert {request.method for request in grid.requests} == {"GET"}

    def test_it_knows_what_is_there(self, scaiflow, echo, grid):
        assert scaiflow("deploy", echo).code == 0
        grid.steps.clear()

        done = scaiflow("deploy", echo, "--dry-run", "--json")

        found = done.json
        assert found.pop("manifest").startswith("core:")
        assert found == {
            "ok": True,
            "dry_run": True,
            "core": {"action": "adopt", "core_id": "core_1", "status": "running"},
            "scaiqueue": None,
            "publication": {
                "action": "sync",
                "published_slug": "scaicore/acme/echo-agent",
                "group_ids": [],
            },
        }
        assert grid.steps == ["list"]

    def test_a_name_that_is_taken_is_exit_code_1(self, scaiflow, echo, grid):
        grid.add_core(source_id=None, slug="echo-agent")

        done = scaiflow("deploy", echo, "--dry-run")

        assert (done.code, done.lines[0]) == (1, "core=conflict")
        assert "a deploy would fail" in done.errors

    def test_what_scaigrid_refuses_is_one_sentence(self, scaiflow, echo, grid):
        grid.faults["list"] = [refusal(403)]

        done = scaiflow("deploy", echo, "--dry-run")

        assert (done.code, done.output) == (1, b"")
        assert "scaigrid_auth" in done.errors
        assert KEY not in done.errors


def test_deploy_needs_no_database():
    look = (
        "import scaiflow_api.cli.deploy.straight, sys; print({'sqlalchemy', 'fastapi'} & sys.modules.keys())"
    )
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"
