"""Flows that use sandboxes, deployed and run on the grid."""

from pathlib import Path
from typing import Any

import pytest
from localgrid_chain import chain, run_chain
from localgrid_queues import listed
from localgrid_support import SCAIBUNKER, SCAICORE, Caller, RunningGrid, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaibunker import bubblewrap

BUNKERS = f"{SCAIBUNKER}/bunkers"


@pytest.fixture
async def bob(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_bob")


def box(**config: Any) -> tuple[str, str, dict[str, Any]]:
    return ("box", "compute_provision", {"memory_mb": 256} | config)


def runs(*command: str, **config: Any) -> tuple[str, str, dict[str, Any]]:
    words: Any = list(command) if len(command) > 1 else command[0]
    return ("cmd", "compute_exec", {"command": words} | config)


def folders_of(config: GridConfig) -> list[Path]:
    root = config.database.with_name("grid.db.bunkers")
    return list(root.iterdir()) if root.exists() else []


async def test_a_command_without_a_sandbox_fails_and_says_what_is_missing(bob: Caller) -> None:
    for bunker in ({}, {"bunker": "{{ nothing }}"}):
        answer = await run_chain(bob, runs("true", **bunker))

        assert answer["error"]["code"] == "INVALID_ARGUMENTS"
        assert answer["error"]["message"] == (
            "bunker: this is no sandbox; let a compute_provision lead to the node"
        )


@pytest.mark.usefixtures("sandboxes")
async def test_files_go_in_commands_run_and_files_come_out(bob: Caller, config: GridConfig) -> None:
    answer = await run_chain(
        bob,
        box(env_vars={"WHO": "{{ name }}"}),
        ("up", "compute_file_upload", {"path": "in.txt", "content": "{{ name }} has {{ n }}"}),
        ("bin", "compute_file_upload", {"path": "b/raw", "content_base64": "AAH/"}),
        runs('tr a-z A-Z < in.txt > out.txt; printf "$WHO" >> out.txt; cat out.txt', parse="text"),
        ("down", "compute_file_download", {"path": "out.txt"}),
        ("raw", "compute_file_download", {"path": "b/raw", "encoding": "base64"}),
        (
            "all",
            "data_variable_set",
            {"variable": "output", "value": ["{{ cmd }}", "{{ down }}", "{{ raw }}"]},
        ),
        ("end", "compute_destroy", {}),
        name="ann",
        n=3,
    )

    assert answer["output"] == ["ANN HAS 3ann", "ANN HAS 3ann", "AAH/"], answer
    assert folders_of(config) == []


PRINTED: list[tuple[list[str], str, Any]] = [
    (["echo", '{"a": [1, true]}'], "auto", {"a": [1, True]}),
    (["echo", "plain {{ n }}"], "auto", {"exit_code": 0, "stdout": "plain 7\n", "stderr": ""}),
    (["echo", "42"], "json", 42),
    (["echo", "42"], "text", "42\n"),
    (["echo", "plain"], "json", "OUTPUT_INVALID"),
    (["sh", "-c", "echo broken >&2; exit 3"], "auto", "COMMAND_FAILED"),
]


@pytest.mark.usefixtures("sandboxes")
async def test_what_a_command_prints_is_read_as_told(bob: Caller) -> None:
    for command, parse, output in PRINTED:
        answer = await run_chain(bob, box(), runs(*command, parse=parse), n=7)
        assert (answer["error"]["code"] if answer["status"] == "FAILED" else answer["output"]) == output
    assert answer["error"]["message"] == "the command exited with 3: broken"
    assert answer["error"]["node_id"] == "node_cmd"


@pytest.mark.usefixtures("sandboxes")
async def test_a_command_that_takes_too_long_fails_its_node(bob: Caller) -> None:
    args = {"bunker": "{{ box }}", "command": "echo begun; sleep 60", "timeout_s": 0.2}
    call = {"plugin": "scaibunker", "method": "exec", "args": args}
    answer = await run_chain(bob, box(), ("cmd", "tool_plugin", call))

    assert answer["error"]["code"] == "COMMAND_STOPPED"
    assert answer["error"]["message"].startswith("the command was ended: timeout")


@pytest.mark.usefixtures("sandboxes")
async def test_an_ephemeral_sandbox_ends_with_its_run(bob: Caller, config: GridConfig) -> None:
    for command in ("true", "false"):
        answer = await run_chain(bob, box(), runs(command))
        assert answer["status"] == ("COMPLETED" if command == "true" else "FAILED")
        assert folders_of(config) == []


@pytest.mark.usefixtures("sandboxes")
async def test_a_sandbox_waits_with_its_run_over_a_restart(config: GridConfig) -> None:
    asks = ("ask", "checkpoint", {"prompt": "Go on?", "options": ["yes"]})
    async with running_grid(config) as first:
        bob = await first.caller("usr_bob")
        nodes = (
            box(),
            ("up", "compute_file_upload", {"path": "a", "content": "kept"}),
            asks,
            runs("cat", "a", parse="text"),
        )
        core_id = await bob.running(chain(*nodes))
        suspended = await bob.invoke(core_id)
        assert suspended["status"] == "SUSPENDED"
        first.clock.forward(3000)
        assert len((await bob("GET", BUNKERS)).json()["data"]) == 1
    async with running_grid(config) as second:
        bob = await second.caller("usr_bob")
        (row,) = (await listed(bob, f"{SCAICORE}/checkpoints"))["checkpoints"]
        await bob("POST", f"{SCAICORE}/checkpoints/{row['id']}/resolve", json={"resolution": "yes"})
        execution: dict[str, Any] = {}
        while execution.get("status") not in {"COMPLETED", "FAILED"}:
            execution = await listed(bob, f"{SCAICORE}/executions/{suspended['execution_id']}")
        assert execution["output"] == "kept", execution
        assert folders_of(config) == []


@pytest.mark.usefixtures("sandboxes")
async def test_a_session_keeps_its_sandbox_and_a_core_the_persistent_one(bob: Caller) -> None:
    count = runs("echo x >> log; wc -l < log", parse="json")
    sessions = await bob.running(chain(box(lifecycle="session"), count))

    async def counted(core_id: str, key: str | None) -> Any:
        return (await bob.invoke(core_id, input={}, instance_key=key))["output"]

    assert [await counted(sessions, key) for key in ("ann", "ann", "ben", None, None)] == [1, 2, 1, 1, 1]
    assert len((await bob("GET", BUNKERS)).json()["data"]) == 2
    await bob("DELETE", f"{SCAICORE}/cores/{sessions}")
    persistent = await bob.running(chain(box(lifecycle="persistent"), count))
    assert [await counted(persistent, key) for key in ("ann", None)] == [1, 2]


UNFIT: list[tuple[list[Any], str]] = [
    ([runs("true")], "INVALID_ARGUMENTS"),
    ([box(), runs("true", bunker="bnk_nowhere")], "BUNKER_NOT_FOUND"),
    ([box(), ("end", "compute_destroy", {}), runs("true", bunker="{{ box }}")], "BUNKER_NOT_FOUND"),
    ([box(), ("down", "compute_file_download", {"path": "nothing"})], "BUNKER_FILE_NOT_FOUND"),
    ([box(), ("down", "compute_file_download", {"path": "/tmp"})], "BUNKER_FILE_REFUSED"),
    ([box(), ("down", "compute_file_download", {"path": "/usr/bin/env"})], "BUNKER_FILE_REFUSED"),
    ([box(), ("up", "compute_file_upload", {"path": "/usr/x", "content": "x"})], "BUNKER_FILE_REFUSED"),
    (
        [box(), ("up", "compute_file_upload", {"path": "x", "content_base64": "{{ 'no' }}!"})],
        "INVALID_ARGUMENTS",
    ),
    ([box(gpu_count=1)], "NO_SUITABLE_WORKER"),
    ([box(lifecycle="appliance")], "LIFECYCLE_MODE_DENIED"),
    ([box(memory_mb=1)], "INVALID_ARGUMENTS"),
]


@pytest.mark.usefixtures("sandboxes")
async def test_what_cannot_be_done_fails_the_node(bob: Caller) -> None:
    for nodes, code in UNFIT:
        answer = await run_chain(bob, *nodes)
        assert (answer["status"], answer["error"]["code"]) == ("FAILED", code), answer
        assert answer["error"]["node_id"] == f"node_{nodes[-1][0]}"


async def test_without_bubblewrap_nothing_runs(
    bob: Caller, config: GridConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "find", lambda: None)
    answer = await run_chain(bob, box(), runs("true"))

    assert (answer["error"]["code"], answer["error"]["node_id"]) == ("WORKER_UNAVAILABLE", "node_box")
    assert folders_of(config) == []
