"""The examples in the guide to flows are true."""

import io
import json
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from compiler.compiler_guide import (
    Example,
    Told,
    anchors,
    commands,
    examples,
    fences,
    links,
    ran,
    run_example,
    table_names,
    told,
)

from scaiflow_api.cli.commands import run
from scaiflow_api.cli.failure import explained
from scaiflow_api.compiler import compile_flow, import_manifest, validate_flow
from scaiflow_api.domains.testruns.matching import find_mismatches
from scaiflow_api.flowgraph.models import NODE_KINDS

ALL = examples()
RUNS = [pytest.param(e, t, id=f"{e.place}-{n}") for e in ALL for n, t in enumerate(e.runs)]
SOUND = [e for e in ALL if not any(" error at " in finding for finding in e.findings)]
TEXTS = [pytest.param(e, text, id=e.place) for e in ALL for text in e.texts]
FIXTURES = [pytest.param(e, f, id=f"{e.place}-{f['name']}") for e in ALL for f in e.document.get("tests", ())]


def test_the_guide_has_its_examples() -> None:
    assert len(ALL) >= 35
    assert len(RUNS) >= 35
    assert {node["type"] for e in ALL for node in e.document["nodes"]} == set(NODE_KINDS)


def test_no_block_escapes_the_tests() -> None:
    checked = {"json base", "json flow", "json node", "run", "findings", "scai", "console"}
    pictures = {"text"}

    assert set(fences()) == checked | pictures


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.place)
def test_an_example_has_the_findings_that_the_page_states(example: Example) -> None:
    found = [f"{f.code} {f.severity} at {f.path}: {f.message}" for f in validate_flow(example.document)]

    assert found == example.findings


@pytest.mark.parametrize(("example", "run"), RUNS)
async def test_a_run_ends_as_the_page_says(example: Example, run: Told) -> None:
    outcome = await run_example(example.document, run.given, greeting=ALL[0].document)

    if run.outcome.startswith("error"):
        assert told(outcome) == run.outcome
    else:
        assert json.loads(told(outcome)) == json.loads(run.outcome)
    assert run.ran in (None, ran(outcome))


@pytest.mark.parametrize(("example", "text"), TEXTS)
def test_a_flow_reads_as_the_page_shows(example: Example, text: str) -> None:
    compiled = compile_flow(example.document, "scai").text

    assert textwrap.indent(text, "  ") in compiled


@pytest.mark.parametrize("example", SOUND, ids=lambda example: example.place)
def test_an_example_survives_the_way_to_a_manifest_and_back(example: Example) -> None:
    assert import_manifest(compile_flow(example.document).text).document == example.document


@pytest.mark.parametrize(("example", "fixture"), FIXTURES)
async def test_a_fixture_of_the_page_holds(example: Example, fixture: dict[str, dict[str, object]]) -> None:
    outcome = await run_example(example.document, fixture["input"])

    assert find_mismatches(fixture["expect"], outcome.output) == []


def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greeting.flow.json").write_text(json.dumps(ALL[0].document), "utf-8")

    for command, printed in commands():
        name, *arguments = command.split()
        assert name == "scaiflow"
        told = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with redirect_stdout(told), redirect_stderr(told), pytest.raises(SystemExit):
            explained(lambda: run(arguments))  # noqa: B023 - called at once
        told.seek(0)
        assert (command, told.read()) == (command, printed)


def test_every_link_leads_somewhere() -> None:
    lost = [link for link, page, heading in links() if heading and heading not in anchors(page)]
    missing = [link for link, page, _ in links() if not page.exists()]

    assert (lost, missing) == ([], [])


def test_every_kind_has_its_table() -> None:
    assert sorted(table_names()) == sorted(["common", *NODE_KINDS])
