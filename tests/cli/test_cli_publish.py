"""`scaiflow publish`: a package on disk, named and versioned as asked."""

import io
import json
import zipfile

import pytest

from scaiflow_api.kit.canonical_json import canonical_json


def _read(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_defaults_come_from_the_flow(scaiflow, echo, tmp_path):
    done = scaiflow("publish", echo)

    assert (done.code, done.output) == (0, b"")
    files = _read((tmp_path / "echo-agent-0.1.0.scaipkg").read_bytes())
    described = json.loads(files["package.json"])
    assert (described["package_id"], described["name"], described["version"], described["description"]) == (
        "echo-agent",
        "Echo Agent",
        "0.1.0",
        "",
    )
    assert files["flow.json"] == canonical_json(json.loads(echo.read_text()))
    assert "README.md" not in files


def test_every_option_is_heard(scaiflow, echo, tmp_path):
    (tmp_path / "notes.md").write_text("# Echo\n")

    done = scaiflow(
        *("publish", "-", "--package-id", "my-echo", "--name", "My Echo", "--version", "2.0.0-rc.1"),
        *("--description", "Says it again", "--readme", "notes.md", "--out", "-"),
        stdin=echo.read_bytes(),
    )

    assert (done.code, done.errors) == (0, "")
    files = _read(done.output)
    described = json.loads(files["package.json"])
    assert (described["package_id"], described["name"]) == ("my-echo", "My Echo")
    assert (described["version"], described["description"]) == ("2.0.0-rc.1", "Says it again")
    assert files["README.md"] == b"# Echo\n"
    assert list(tmp_path.glob("*.scaipkg")) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--package-id", "No Such"], "small letters"),
        (["--package-id", ""], "--package-id"),
        (["--version", "1.0"], "semantic version"),
        (["--name", " "], "needs a name"),
    ],
)
def test_a_bad_option_is_one_sentence(scaiflow, echo, tmp_path, options, sentence):
    done = scaiflow("publish", echo, "--package-id", "echo", *options)

    assert done.code == 2
    assert sentence in done.errors
    assert done.errors.count("\n") == 1
    assert list(tmp_path.glob("*.scaipkg")) == []


def test_a_name_without_latin_letters_asks_for_an_id(scaiflow, changed):
    done = scaiflow("publish", changed(lambda document: document.update(name="回声")))

    assert done.code == 2
    assert "give one with --package-id" in done.errors


def test_a_literal_secret_is_refused_and_not_repeated(scaiflow, changed, tmp_path):
    secret = "sgk_" + "a1b2c3d4e5f6" * 3
    flow = changed(lambda document: document["nodes"][1]["config"].update(guidance=f"use {secret}"))

    done = scaiflow("publish", flow)

    assert (done.code, done.output) == (1, b"")
    assert "nodes[1].config.guidance: a literal secret" in done.errors
    assert secret not in done.errors
    assert list(tmp_path.glob("*.scaipkg")) == []


@pytest.mark.parametrize("document", ["[]", "{}"])
def test_what_does_not_compile_is_no_package(scaiflow, tmp_path, document):
    done = scaiflow("publish", "-", stdin=document)

    assert done.code == 1
    assert "<stdin>:1:" in done.errors
    assert list(tmp_path.iterdir()) == []
