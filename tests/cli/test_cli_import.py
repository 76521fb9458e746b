"""`scaiflow import`: manifests and bundles become flow documents again."""

import json

import pytest

from scaiflow_api.compiler.readable import readable_json
from scaiflow_api.kit.canonical_json import canonical_json


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
def test_what_was_compiled_comes_back_whole(scaiflow, echo, output_format):
    artefact = scaiflow("compile", echo, "--format", output_format, "--out", "-").output

    done = scaiflow("import", "-", stdin=artefact)

    assert (done.code, done.errors) == (0, "")
    assert canonical_json(done.json) == canonical_json(json.loads(echo.read_text()))
    assert done.output == readable_json(done.json)


def test_a_file_is_written_where_it_is_wanted(scaiflow, echo, tmp_path):
    scaiflow("compile", echo)

    done = scaiflow("import", "echo.yaml", "--out", "back.flow.json")

    assert (done.code, done.output) == (0, b"")
    assert json.loads((tmp_path / "back.flow.json").read_text())["name"] == "Echo Agent"


def test_what_could_not_be_kept_is_said_beside_the_document(scaiflow):
    manifest = """
core:
  name: a
  flows:
    - name: a
      trigger: {type: api}
      steps:
        - llm_turn: Go
"""

    done = scaiflow("import", "-", stdin=manifest)

    assert done.code == 0
    assert "warning: " in done.errors
    assert done.json["nodes"]


@pytest.mark.parametrize("data", [b"SCIR garbage", b"core: [", b"- 1\n", b""])
def test_what_is_no_manifest_is_one_sentence(scaiflow, data):
    done = scaiflow("import", "-", stdin=data)

    assert (done.code, done.output) == (1, b"")
    assert done.errors.startswith("scaiflow: <stdin>: ")
    assert done.errors.count("\n") == 1
