"""`scaiflow validate`: findings that an editor can follow, and exit codes that a script can."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scaiflow_api.compiler import validate_flow
from scaiflow_api.flowgraph import DEFAULT_LIMITS


def _misspell_port(document):
    document["edges"][0]["source"]["port"] = "out_typo"


def _misspell_key(document):
    document["nodes"][1]["config"]["gaol"] = "x"


def test_a_good_flow_has_no_finding(scaiflow, echo):
    done = scaiflow("validate", echo)

    assert (done.code, done.lines) == (0, [])
    assert done.errors == f"{echo}: ok\n"


def test_a_finding_is_one_line_with_file_line_path_code_message_and_fix(scaiflow, changed):
    path = changed(_misspell_port)
    number = path.read_text().splitlines().index('      "id": "edge_1",')

    done = scaiflow("validate", path)

    assert done.code == 1
    (line,) = [line for line in done.lines if "out_typo" in line]
    sentence = "edge 'edge_1': source node 'node_entry' has no output port 'out_typo'"
    assert re.fullmatch(
        rf"{re.escape(str(path))}:{number}: edges\[0\]: SF1\d\d error: {sentence} \(fix: .+\)", line
    )


def test_a_warning_is_no_error(scaiflow, changed):
    done = scaiflow("validate", changed(_misspell_key))

    assert done.code == 0
    assert ["SF204 warning" in line for line in done.lines] == [True]
    assert "ok, 1 warning" in done.errors


def test_two_flows_of_one_id_are_told_apart(scaiflow, echo, changed):
    copy = changed(lambda document: document.update(name="A copy"))

    done = scaiflow("validate", echo, copy)
    as_json = scaiflow("validate", "--json", echo, copy)

    said = f"{copy} has the same id as {echo}: deployed after it, it takes the place of that one\n"
    assert (done.code, as_json.code) == (0, 0)
    assert done.errors == f"{echo}: ok\n{copy}: ok\n{said}"
    assert as_json.errors == said
    for others in ([echo, echo], [echo, changed(lambda document: document.update(id="flow_other"))]):
        assert "same id" not in scaiflow("validate", *others).errors


def test_what_only_looks_wrong_is_a_warning_too(scaiflow, changed):
    """The static analysis: what can be told of a flow without running it."""
    path = changed(
        lambda document: document.update(variables=[{"name": "unused", "type": "int", "default": 0}])
    )
    found = validate_flow(json.loads(path.read_text()))

    done = scaiflow("validate", path)

    assert [item.code for item in found] == [line.split(": ")[2].split(" ")[0] for line in done.lines]
    assert any("unused" in line for line in done.lines)


def test_several_flows_are_validated_at_once(scaiflow, echo, changed):
    bad = changed(lambda document: (_misspell_port(document), document.update(id="flow_other")))

    done = scaiflow("validate", echo, bad)

    assert done.code == 1
    assert done.errors == f"{echo}: ok\n{bad}: 1 error\n"
    told = scaiflow("validate", "--json", echo, bad).json
    assert [(item["file"], item["ok"], len(item["errors"])) for item in told] == [
        (str(echo), True, 0),
        (str(bad), False, 1),
    ]


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_validated(scaiflow, echo):
    done = scaiflow("validate", "none.json", echo)

    assert done.code == 2
    assert done.errors == f"scaiflow: cannot read none.json: No such file or directory\n{echo}: ok\n"


def test_lines_are_those_of_the_values_named(scaiflow, changed):
    path = changed(_misspell_key)
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if '"gaol"' in line)

    assert scaiflow("validate", path).lines[0].startswith(f"{path}:{number}: nodes[1].config.gaol: SF204 ")


def test_what_is_missing_is_on_the_line_of_what_should_hold_it(scaiflow, changed):
    path = changed(lambda document: document["nodes"][1].pop("label"))
    number = path.read_text().splitlines().index('      "id": "node_echo",')

    assert scaiflow("validate", path).lines == [
        f"{path}:{number}: nodes[1].label: SF002 error: label is required"
    ]


def test_json_holds_all_findings_as_the_api_sends_them(scaiflow, changed):
    path = changed(lambda document: (_misspell_port(document), _misspell_key(document)))
    found = [item.as_dict() for item in validate_flow(json.loads(path.read_text()))]

    done = scaiflow("validate", path, "--json")

    assert done.code == 1
    assert done.json == {
        "ok": False,
        "errors": [item for item in found if item["severity"] == "error"],
        "warnings": [item for item in found if item["severity"] == "warning"],
    }
    assert done.json["errors"]
    assert done.json["warnings"]
    assert done.errors == ""


def test_standard_input_is_a_flow_too(scaiflow, echo):
    assert scaiflow("validate", "-", stdin=echo.read_bytes()).code == 0
    assert scaiflow("validate", "-", stdin="[]").lines[0].startswith("<stdin>:1: SF001 error: ")


def test_a_flow_beyond_a_limit_is_a_finding(scaiflow, changed):
    path = changed(lambda document: document.update(nodes=[{}] * (DEFAULT_LIMITS.max_nodes + 1)))

    done = scaiflow("validate", path)

    assert done.code == 1
    assert "flow_too_large error" in done.lines[0]
    assert scaiflow("validate", path, "--json").json["errors"][0]["code"] == "flow_too_large"


def test_what_others_wrote_cannot_steer_the_terminal(scaiflow, changed):
    path = changed(lambda document: document["nodes"][0].update(type="\x1b[2J\nentry"))

    done = scaiflow("validate", path)

    assert len(done.lines) == 1
    assert b"\x1b" not in done.output


def _on_a_terminal(path: Path, **environment: str) -> bytes:
    terminal, screen = pty.openpty()
    names = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
    subprocess.run(
        [sys.executable, "-m", "scaiflow_api.cli", "validate", str(path)],
        stdout=screen,
        stderr=subprocess.DEVNULL,
        env=names,
        check=False,
    )
    os.close(screen)
    try:
        return os.read(terminal, 10_000)
    finally:
        os.close(terminal)


@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_of_people_who_want_it(changed, environment, is_coloured):
    shown = _on_a_terminal(changed(_misspell_key), **environment)

    assert b"SF204" in shown
    assert (b"\x1b[" in shown) is is_coloured
