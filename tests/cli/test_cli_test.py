"""`scaiflow test` straight at ScaiGrid: what it prints and writes, and how it ends."""

import asyncio
import contextlib
import logging
import os
import pty
import signal
from collections.abc import Iterator
from xml.etree import ElementTree

import httpx
import pytest
import respx
import structlog
from played_grid import refusal
from played_runs import Enter, PlayedRuns, Wait

from scaiflow_api.cli.testruns.junit import junit_xml
from scaiflow_api.cli.testruns.progress import Progress
from scaiflow_api.cli.testruns.shown import Verdict
from scaiflow_api.domains.testruns.schemas import FixtureResult, TestReport

GRID = "http://grid.test/scaigrid"


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> Iterator[None]:
    """A ScaiGrid and a key for it; what the command does to logging is undone."""
    monkeypatch.setenv("SCAIGRID_BASE_URL", GRID)
    monkeypatch.setenv("SCAIGRID_API_KEY", "sgk_test")
    monkeypatch.setenv("SCAIFLOW_TEST_EVENTS_WAIT_S", "0.05")
    monkeypatch.setenv("SCAIFLOW_BUSY_WAIT_S", "0")
    root = logging.getLogger()
    before, handlers, level = structlog.get_config(), root.handlers, root.level
    yield
    structlog.configure(**before)
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def grid() -> Iterator[PlayedRuns]:
    with respx.mock(assert_all_called=False) as router:
        played = PlayedRuns(router, GRID)
        played.add_core(source_id="flow_echo", slug="echo-agent")
        yield played


@pytest.fixture
def flow(changed):
    """Make a file of the echo agent with these fixtures."""

    def write(*fixtures):
        named = [{"name": f"case {n}", "input": {"n": n}, "expect": {}, **f} for n, f in enumerate(fixtures)]
        return changed(lambda document: document.update(tests=named))

    return write


def parsed(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def test_fixtures_that_pass_exit_with_0(scaiflow, grid, flow):
    done = scaiflow("test", flow({}, {}), "--core", "core_1")

    assert done.code == 0
    assert [line.rsplit(" ", 2)[0] for line in done.lines] == ["ok   case 0", "ok   case 1"]
    assert done.errors == "2 passed; 50 % of the nodes were run through, not node_echo\n"
    assert {r.headers["Authorization"] for r in grid.requests} == {"Bearer sgk_test"}


def test_a_fixture_that_differs_says_where_and_exits_with_1(scaiflow, grid, flow):
    done = scaiflow("test", flow({"name": "bad\x1b[31m", "expect": {"n": [1, 2]}}, {}), "--core", "core_1")

    assert done.code == 1
    assert [line.split("m case")[0] for line in done.lines[1:4]] == [
        "     $.n is int, expected array",
        "       expected [1, 2]",
        "       got      0",
    ]
    assert done.lines[0].startswith("FAIL bad\\x1b[31m ")
    assert done.errors.startswith("1 passed, 1 failed; ")


def test_checkpoints_are_answered_and_what_is_left_is_cancelled(scaiflow, grid, flow):
    def script(body):
        yield Enter("node_echo")
        answer = yield Wait("node_echo")
        return answer

    grid.script = script
    cases = {"resolutions": {"node_echo": "yes"}, "expect": {"decision": "yes"}}, {}

    done = scaiflow("test", flow(*cases), "--core", "core_1", "--concurrency", "1")

    assert done.code == 1
    assert "     checkpoint 'node_echo' has no resolution in this fixture" in done.lines
    assert grid.cancelled == ["exec_2"]
    assert done.errors == "1 passed, 1 failed; 100 % of the nodes were run through\n"


@pytest.mark.parametrize(("wanted", "code"), [("50", 0), ("50.1", 1), ("100", 1)])
def test_too_little_coverage_exits_with_1(scaiflow, grid, flow, wanted, code):
    done = scaiflow("test", flow({}), "--core", "core_1", "--min-coverage", wanted)

    assert done.code == code
    said = f"50 % of the nodes were run through, fewer than {float(wanted):g} %\n"
    assert done.errors.endswith(said) == bool(code)


def test_a_flow_without_fixtures_says_so(scaiflow, grid, flow, tmp_path):
    done = scaiflow("test", flow(), "--core", "core_1", "--junit", tmp_path / "out.xml")

    assert (done.code, done.output) == (0, b"")
    assert done.errors.startswith("This flow has no fixtures: add some under 'tests'")
    assert grid.steps == []
    assert parsed((tmp_path / "out.xml").read_bytes()).attrib["tests"] == "0"


def test_a_flow_without_fixtures_covers_too_little(scaiflow, grid, flow):
    assert scaiflow("test", flow(), "--core", "core_1", "--min-coverage", "80").code == 1


def test_a_filter_that_chooses_nothing_is_a_mistake(scaiflow, grid, flow):
    done = scaiflow("test", flow({}), "--core", "core_1", "--filter", "typo")

    assert (done.code, done.errors) == (2, "scaiflow: No fixture of this flow has 'typo' in its name.\n")
    assert scaiflow("test", flow({}, {}), "--core", "core_1", "--filter", "CASE 1").lines[0].startswith("ok")
    assert grid.steps.count("invoke") == 1


def test_the_report_as_json(scaiflow, grid, flow):
    done = scaiflow("test", flow({"expect": {"n": 1}}), "--core", "core_1", "--json")

    assert done.code == 1
    report = done.json
    assert (report["ok"], report["passed"], report["failed"]) == (False, 0, 1)
    assert report["results"][0]["mismatches"][0]["path"] == "$.n"
    assert report["coverage"]["nodes"] == ["node_entry"]


def test_junit_holds_every_result(scaiflow, grid, flow, tmp_path):
    def answer(body):
        if body["input"].get("fail"):
            return {"status": "FAILED", "error": {"message": "null in <arithmetic>"}}
        return {"output": {"said": "ü & <b>"}}

    grid.on_invoke = answer
    fixtures = (
        {"name": "good"},
        {"name": "b <&>", "expect": {"said": "else"}},
        {"name": "broken", "input": {"fail": True}},
    )
    out = tmp_path / "out.xml"

    done = scaiflow("test", flow(*fixtures), "--core", "core_1", "--junit", out, "--min-coverage", "80")

    assert done.code == 1
    suites = parsed(out.read_bytes())
    counts = {name: suites.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "2", "errors": "1", "skipped": "0"}
    (suite,) = suites
    assert suite.attrib["name"] == "Echo Agent"
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert list(cases) == ["good", "b <&>", "broken", "coverage"]
    assert list(cases["good"]) == []
    (failure,) = cases["b <&>"]
    assert failure.attrib["message"] == "$.said is not equal"
    assert failure.text == '$.said is not equal: expected "else", got "ü & <b>"'
    (error,) = cases["broken"]
    assert (error.tag, error.attrib["message"]) == ("error", "null in <arithmetic>")
    (coverage,) = cases["coverage"]
    assert coverage.attrib["message"] == "50 % of the nodes were run through, fewer than 80 %"
    assert float(cases["good"].attrib["time"]) >= 0


def test_junit_takes_any_text(tmp_path):
    """Characters that XML cannot hold are left out; everything else comes back as it was."""
    text, kept = 'a <b> & "c" ]]> \x00\x1b\ud800\uffff\U0001f600', 'a <b> & "c" ]]> \U0001f600'
    result = FixtureResult(
        name=text, ok=False, expect={}, output=None, error=text, duration_ms=1, mismatches=[]
    )
    report = TestReport(results=[result], passed=0, failed=1)

    (case,) = parsed(junit_xml(text, report, Verdict.on(report, None))).iter("testcase")

    assert (case.attrib["name"], case.attrib["classname"], case[0].attrib["message"]) == (kept, kept, kept)


def test_junit_on_standard_output_is_all_that_stands_there(scaiflow, grid, flow):
    done = scaiflow("test", flow({}), "--core", "core_1", "--junit", "-")

    assert done.code == 0
    assert parsed(done.output).attrib["tests"] == "1"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            refusal(401),
            "scaigrid_auth: some message ScaiGrid does not accept the credential: sign in again",
        ),
        (refusal(403), "scaigrid_auth: some message Caller needs the `scaicore:view` permission"),
        (refusal(404, "CORE_NOT_FOUND", "no such Core"), "scaigrid_api: no such Core"),
        (refusal(429), "scaigrid_busy: some message"),
        (httpx.ConnectError("no"), "scaigrid_api: ScaiGrid cannot be reached."),
    ],
)
def test_what_keeps_all_fixtures_from_running_exits_with_2(scaiflow, grid, flow, answer, said):
    grid.faults["events"] = [answer] * 3

    done = scaiflow("test", flow({}), "--core", "core_1")

    assert (done.code, done.output) == (2, b"")
    assert done.errors.splitlines()[-1].startswith(f"scaiflow: {said}")
    assert grid.steps.count("invoke") == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_when_what_had_begun_is_cancelled(scaiflow, grid, flow, sent):
    async def hang(_):
        os.kill(os.getpid(), sent)
        await asyncio.sleep(5)

    grid.on_invoke = hang

    done = scaiflow("test", flow({}, {}), "--core", "core_1", "--concurrency", "1")

    assert (done.code, done.output) == (130, b"")
    assert grid.cancelled == ["exec_1"]
    assert grid.steps.count("invoke") == 1


def test_without_a_key_nothing_is_asked(scaiflow, grid, flow, monkeypatch):
    monkeypatch.delenv("SCAIGRID_API_KEY")

    done = scaiflow("test", flow({}), "--core", "core_1")

    assert (done.code, done.errors) == (
        2,
        "scaiflow: no ScaiGrid key: set SCAIGRID_API_KEY, or give one with --api-key\n",
    )
    assert grid.steps == []
    assert scaiflow("test", flow({}), "--core", "core_1", "--api-key", "sgk_given").code == 0
    assert grid.requests[0].headers["Authorization"] == "Bearer sgk_given"


@pytest.mark.parametrize(
    "options",
    [
        ["--min-coverage", "101"],
        ["--min-coverage", "x"],
        ["--concurrency", "0"],
        ["--timeout", "0"],
        ["--json", "--junit", "-"],
        ["--token", "t"],
        ["--api", "http://api.test", "--api-key", "k"],
        ["--base-url", "ftp://grid.test"],
    ],
)
def test_options_that_make_no_sense_are_refused(scaiflow, grid, flow, options):
    assert scaiflow("test", flow({}), "--core", "core_1", *options).code == 2
    assert grid.steps == []


def test_a_report_that_cannot_be_written_is_said_before_anything_runs(scaiflow, grid, flow, tmp_path):
    file = flow({})

    for target in (tmp_path / "nowhere" / "out.xml", file, tmp_path):
        done = scaiflow("test", file, "--core", "core_1", "--junit", target)
        assert (done.code, done.output) == (2, b"")
        assert str(target) in done.errors
    assert grid.steps == []


def test_a_report_that_cannot_be_written_in_the_end_costs_no_result(
    scaiflow, grid, flow, tmp_path, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scaiflow_api.cli.flows.files._replace", full)

    done = scaiflow("test", flow({}), "--core", "core_1", "--junit", tmp_path / "out.xml")

    assert (done.code, done.lines[0][:3]) == (1, "ok ")
    assert "No space left on device" in done.errors


def test_a_file_without_a_flow_is_one_sentence(scaiflow, grid, tmp_path):
    (tmp_path / "no.json").write_text('{"tests": 7}')

    done = scaiflow("test", "no.json", "--core", "core_1")

    assert done.code == 2
    assert done.errors.endswith("scaiflow: no.json is no flow document\n")


def test_the_bar_counts_on_a_terminal_and_leaves_nothing(monkeypatch):
    ours, theirs = pty.openpty()
    result = FixtureResult(
        name="a", ok=True, expect={}, output=None, error=None, duration_ms=1, mismatches=[]
    )
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", terminal)
        patched.setenv("NO_COLOR", "1")
        with Progress(2) as progress:
            progress.done(result)
            progress.done(result.model_copy(update={"ok": False, "name": "b\n\x1b[2J"}))
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal's output
        while piece := os.read(ours, 10_000):
            shown += piece
    os.close(ours)
    drawn = shown.decode()
    assert "████████████░░░░░░░░░░░░ 1/2 a" in drawn
    assert "████████████████████████ 2/2 1 failed b\\n\\x1b[2J" in drawn
    assert drawn.endswith("\r\033[K")
