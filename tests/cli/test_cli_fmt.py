"""`scaiflow fmt`: one readable form for one meaning."""

import json

import pytest

from scaiflow_api.compiler.readable import readable_json


def _formatted(path):
    return readable_json(json.loads(path.read_text()))


def test_a_file_is_rewritten_once(scaiflow, changed):
    flow = changed(lambda document: document["nodes"][1]["position"].update(x=1.0))
    wanted = _formatted(flow)

    done = scaiflow("fmt", flow)

    assert (done.code, done.output) == (0, b"")
    assert flow.read_bytes() == wanted
    assert "rewrote" in done.errors
    assert scaiflow("fmt", flow).errors == ""
    assert scaiflow("fmt", flow, "--check").code == 0


def test_check_names_what_would_change_and_changes_nothing(scaiflow, changed):
    good, bad = changed(bool, "good.json"), changed(bool, "bad.json")
    good.write_bytes(_formatted(good))
    bad.write_text(json.dumps(json.loads(bad.read_text())))
    before = bad.read_bytes()

    done = scaiflow("fmt", "--check", good, bad)

    assert (done.code, done.lines) == (1, [str(bad)])
    assert bad.read_bytes() == before


def test_standard_input_goes_to_standard_output(scaiflow, echo):
    done = scaiflow("fmt", "-", stdin=echo.read_bytes())

    assert (done.code, done.output, done.errors) == (0, _formatted(echo), "")


def test_a_bad_file_keeps_no_other_from_being_done(scaiflow, changed, tmp_path):
    flow = changed(bool)
    flow.write_text(json.dumps(json.loads(flow.read_text())))
    (tmp_path / "bad.json").write_text('{"a": 1, "a": 2}')

    done = scaiflow("fmt", "bad.json", flow)

    assert done.code == 2
    assert "stands twice" in done.errors
    assert flow.read_bytes() == _formatted(flow)


@pytest.mark.parametrize("text", ['{"a": 9007199254740993}', '{"a": "\\ud800"}'])
def test_what_has_no_canonical_form_is_left_alone(scaiflow, tmp_path, text):
    (tmp_path / "odd.json").write_text(text)

    done = scaiflow("fmt", "odd.json")

    assert done.code == 2
    assert done.errors.count("\n") == 1
    assert (tmp_path / "odd.json").read_text() == text
