"""What cannot be read or written is one sentence, never a traceback; what is written is there whole or not at all."""

import os
import stat
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from scaiflow_api.cli.flows.commands import NAMES, register

COMMANDS_THAT_READ = [("compile", "--out", "-"), ("publish",), ("fmt",), ("diff", "-")]

NO_JSON = pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff{}", "<stdin>:1: the text is not UTF-8"),
        (b"{}\n\xff", "<stdin>:2: the text is not UTF-8"),
        (b"", "<stdin>:1:1: not JSON: Expecting value"),
        (b'{"a": 1,\n "b" 2}', "<stdin>:2:6: not JSON"),
        (b'{"a": 1}{', "not JSON: Extra data"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (
            b'{"a": [1,\n {"b": 1, "c": {},\n "b": 2}]}',
            "<stdin>:3: the key 'b' stands twice in one object at a[1].b",
        ),
        (b'{"a.b": 1, "a": {"b": 1}, "\\u0061": 2} trailing', "the key 'a' stands twice in one object at a;"),
    ],
)


@NO_JSON
@pytest.mark.parametrize("command", COMMANDS_THAT_READ, ids=lambda command: command[0])
def test_what_is_no_json_is_one_sentence(scaiflow, echo, command, data, sentence):
    done = scaiflow(*command, *(["echo.flow.json"] if command[0] == "diff" else ["-"]), stdin=data)

    assert (done.code, done.output) == (2, b"")
    assert sentence in done.errors
    assert done.errors.startswith("scaiflow: ")
    assert done.errors.count("\n") == 1


@NO_JSON
def test_what_is_no_json_is_an_error_in_the_flow_that_is_validated(scaiflow, data, sentence):
    done = scaiflow("validate", "-", stdin=data)

    (line,) = done.lines
    assert (done.code, done.errors) == (1, "<stdin>: 1 error\n")
    assert sentence in line.replace(" SF001 error:", "")
    told = scaiflow("validate", "--json", "-", stdin=data)
    assert (told.code, told.json["ok"], [item["code"] for item in told.json["errors"]]) == (
        1,
        False,
        ["SF001"],
    )
    assert sentence in told.json["errors"][0]["message"]


@pytest.mark.parametrize("output_format", ["yaml", "ir"])
@pytest.mark.parametrize("comment", [b"", b"# by hand\n"])
@pytest.mark.parametrize("command", COMMANDS_THAT_READ, ids=lambda command: command[0])
def test_what_was_compiled_is_no_flow_and_how_it_becomes_one_is_said(
    scaiflow, echo, command, comment, output_format
):
    artefact = scaiflow("compile", echo, "--format", output_format, "--out", "-").output
    data = comment + artefact if output_format == "yaml" else artefact

    done = scaiflow(*command, *(["echo.flow.json"] if command[0] == "diff" else ["-"]), stdin=data)

    assert (done.code, done.output) == (2, b"")
    assert "scaiflow import makes one of it" in done.errors


def test_what_was_compiled_is_an_error_where_a_flow_is_validated(scaiflow, echo):
    done = scaiflow("validate", "-", stdin=scaiflow("compile", echo, "--out", "-").output)

    assert done.code == 1
    assert (
        "SF001 error: a manifest or bundle, and no flow document; scaiflow import makes one of it"
        in done.lines[0]
    )


def test_a_flow_is_not_imported_and_what_it_is_is_said(scaiflow, echo):
    done = scaiflow("import", echo)

    assert (done.code, done.output) == (1, b"")
    assert "looks like a flow document" in done.errors


@pytest.mark.parametrize("name", ["missing.flow.json", ".", "a\nb", "x" * 5_000, "a\0b"])
@pytest.mark.parametrize("command", ["validate", "compile", "import", "publish", "fmt"])
def test_a_file_that_cannot_be_read_is_one_sentence(scaiflow, command, name):
    done = scaiflow(command, name)

    assert (done.code, done.output) == (2, b"")
    assert done.errors.startswith("scaiflow: cannot read ")
    assert done.errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["frobnicate"], ["validate"], ["compile", "a", "--format", "exe"], ["diff", "a"]]
)
def test_wrong_use_says_how_it_is_used(scaiflow, arguments):
    done = scaiflow(*arguments)

    assert (done.code, done.output) == (2, b"")
    assert done.errors.startswith("usage: scaiflow")


def test_the_commands_that_start_without_the_others_are_those_for_flows():
    class Listed:
        def __init__(self):
            self.names = []

        def add(self, name, run, summary):
            self.names.append(name)
            return ArgumentParser()

    commands = Listed()
    register(commands)

    assert tuple(commands.names) == NAMES


def test_a_byte_order_mark_is_no_fault(scaiflow, echo):
    assert scaiflow("validate", "-", stdin=b"\xef\xbb\xbf" + echo.read_bytes()).code == 0


@pytest.mark.parametrize("target", ["no/such/folder/x", ".", "loop"])
def test_a_target_that_cannot_be_written_is_one_sentence(scaiflow, echo, tmp_path, target):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    done = scaiflow("compile", echo, "--out", target)

    assert done.code == 1
    assert done.errors.startswith(f"scaiflow: cannot write {target}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["echo.flow.json", "loop"]


@pytest.mark.parametrize("target", ["echo.flow.json", "link"])
@pytest.mark.parametrize("command", [("compile",), ("publish",), ("import",), ("test", "--core", "core_1")])
def test_what_is_read_is_never_written_over(scaiflow, echo, tmp_path, command, target):
    (tmp_path / "link").symlink_to(echo)
    if command == ("import",):
        echo.write_bytes(scaiflow("compile", echo, "--out", "-").output)
    before = echo.read_bytes()

    done = scaiflow(command[0], echo, *command[1:], "--junit" if command[0] == "test" else "--out", target)

    assert (done.code, done.output) == (2, b"")
    assert done.errors.endswith(f"scaiflow: {target} is what is read, and would be lost; name another file\n")
    assert echo.read_bytes() == before


def test_a_written_file_keeps_its_mode_and_its_links(scaiflow, echo, tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)

    assert scaiflow("compile", echo, "--out", link).code == 0

    assert link.is_symlink()
    assert real.read_text().startswith("core:")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_device_is_written_in_place(scaiflow, echo):
    assert scaiflow("compile", echo, "--out", os.devnull).code == 0


def test_a_reader_that_leaves_early_is_no_failure_to_tell(echo, changed):
    flow = changed(lambda document: document["nodes"].extend([{"id": 1}] * 3_000))
    writer = subprocess.Popen(
        [sys.executable, "-m", "scaiflow_api.cli", "validate", str(flow)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()

    told = writer.stderr.read()
    writer.stderr.close()

    assert writer.wait(60) == 1
    assert b"Traceback" not in told
    assert b"Exception" not in told


@pytest.mark.parametrize(
    "command", [("validate", "--json"), ("validate",), ("compile", "--out", "-"), ("diff", "-")]
)
def test_a_full_disk_is_one_sentence(echo, changed, command):
    flow = changed(lambda document: document.update(nodes=[{"id": 1}] * 300))
    file = flow if command[0] == "validate" else echo
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scaiflow_api.cli", *command, str(file)],
            input=echo.read_bytes(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    told = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert told[-1] == "scaiflow: cannot write the output: No space left on device"
    assert "Traceback" not in told[0]


def test_help_that_nobody_reads_is_no_failure_to_tell():
    done = subprocess.run(
        ["sh", "-c", '"$0" -m scaiflow_api.cli validate --help | true', sys.executable],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_stream_that_is_closed_is_no_failure(echo):
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" -m scaiflow_api.cli validate "$1" {closed}', sys.executable, str(echo)],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"")
        assert b"Traceback" not in done.stderr

    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m scaiflow_api.cli validate - <&-', sys.executable],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"<stdin>: 1 error\n")


def test_commands_for_flows_need_neither_environment_nor_server_nor_its_libraries(echo):
    script = (
        "import sys; from scaiflow_api.cli.commands import run; code = run(['validate', sys.argv[1]]);"
        "heavy = {'typer', 'click', 'rich', 'fastapi', 'sqlalchemy', 'httpx', 'asyncio', 'boto3', 'yaml', 'ryaml',"
        "'pydantic_settings', 'dotenv', 'logging', 'ssl', 'http', 'subprocess', 'multiprocessing',"
        "'scaiflow_api.settings',"
        "'scaiflow_api.compiler.importing', 'scaiflow_api.compiler.bundle', 'scaiflow_api.cli.deploy.commands'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(echo)], env={}, capture_output=True, text=True, check=True
    )

    assert done.stdout == "0 []\n"
