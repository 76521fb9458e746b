"""`scaiflow compile`: the artefact of the library, in the file that its name says."""

import json

import pytest

from scaiflow_api.cli.flows import compile as compile_command
from scaiflow_api.compiler import FORMATS, compile_flow
from scaiflow_api.compiler.verifier import Violation


def _artefact(echo, output_format="yaml"):
    body = compile_flow(json.loads(echo.read_text()), output_format).body
    return body if isinstance(body, bytes) else body.encode()


def test_every_format_has_an_ending():
    assert tuple(compile_command.EXTENSIONS) == FORMATS


@pytest.mark.parametrize(
    ("output_format", "name"), [("yaml", "echo.yaml"), ("ir", "echo.scir"), ("scai", "echo.scai")]
)
def test_the_artefact_lies_beside_the_flow(scaiflow, echo, tmp_path, output_format, name):
    done = scaiflow("compile", echo, "--format", output_format)

    assert (done.code, done.output) == (0, b"")
    assert (tmp_path / name).read_bytes() == _artefact(echo, output_format)
    assert name in done.errors


@pytest.mark.parametrize(
    ("flow", "target"),
    [
        ("my-flow.json", "my-flow.yaml"),
        ("a.b.flow.json", "a.b.yaml"),
        ("plain", "plain.yaml"),
        ("v1.2", "v1.2.yaml"),
    ],
)
def test_only_the_ending_of_a_flow_is_replaced(scaiflow, echo, tmp_path, flow, target):
    echo.rename(tmp_path / flow)

    assert scaiflow("compile", flow).code == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([flow, target])


def test_standard_input_goes_to_standard_output(scaiflow, echo, tmp_path):
    done = scaiflow("compile", "-", stdin=echo.read_bytes())

    assert (done.code, done.output, done.errors) == (0, _artefact(echo), "")
    assert scaiflow("compile", echo, "--format", "ir", "--out", "-").output == _artefact(echo, "ir")
    assert scaiflow("compile", "-", "--out", "there.yaml", stdin=echo.read_bytes()).output == b""
    assert (tmp_path / "there.yaml").read_bytes() == _artefact(echo)


def test_errors_go_to_standard_error_and_nothing_is_written(scaiflow, changed, tmp_path):
    flow = changed(lambda document: document["edges"][0]["source"].update(port="out_typo"))
    (tmp_path / "changed.yaml").write_text("the one before")

    done = scaiflow("compile", flow)

    assert (done.code, done.output) == (1, b"")
    assert "has no output port 'out_typo'" in done.errors
    assert (tmp_path / "changed.yaml").read_text() == "the one before"


def test_warnings_are_said_beside_the_artefact(scaiflow, changed):
    flow = changed(lambda document: document["nodes"][1]["config"].update(gaol="x"))

    done = scaiflow("compile", flow, "--out", "-")

    assert done.code == 0
    assert done.output.startswith(b"core:")
    assert "SF204 warning" in done.errors


def test_only_the_ir_is_verified_and_only_if_wanted(scaiflow, echo, tmp_path, monkeypatch):
    violation = Violation("E413", "no such role", "flows[0].body[0]")
    monkeypatch.setattr("scaiflow_api.compiler.verifier.verify", lambda module: [violation])

    refused = scaiflow("compile", echo, "--format", "ir")

    assert refused.code == 1
    assert f"{echo}: E413 error: no such role (flows[0].body[0])" in refused.errors
    assert not (tmp_path / "echo.scir").exists()
    assert scaiflow("compile", echo, "--format", "ir", "--no-verify").code == 0
    assert scaiflow("compile", echo).code == 0
