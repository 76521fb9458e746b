"""What is shut in stays in, and ends when it takes too much."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from localgrid_support import SCAIBUNKER, Caller, RunningGrid, error_of

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaibunker import bubblewrap

BUNKERS = f"{SCAIBUNKER}/bunkers"


class Box:
    """A bunker of alice's."""

    def __init__(self, alice: Caller, path: str) -> None:
        self.alice = alice
        self.path = path

    async def run(self, *command: str, **more: Any) -> dict[str, Any]:
        words = command if len(command) > 1 else command[0]
        response = await self.alice("POST", f"{self.path}/exec", json={"command": words} | more)
        assert response.status_code == 200, response.text
        done: dict[str, Any] = response.json()["data"]
        return done

    async def says(self, *command: str, **more: Any) -> str:
        done = await self.run(*command, **more)
        assert done["exit_code"] == 0, done
        said: str = done["stdout"]
        return said.strip()

    async def file(self, method: str, path: str, content: bytes | None = None) -> Any:
        return await self.alice(method, f"{self.path}/files", params={"path": path}, content=content)


@pytest.fixture
async def box(sandboxes: None, grid: RunningGrid) -> Box:
    alice = await grid.caller("usr_alice")
    body = {"image": "python-3.12", "memory_mb": 200, "disk_mb": 8, "network_profile": "unrestricted"}
    response = await alice("POST", BUNKERS, json=body)
    assert response.status_code == 201, response.text
    return Box(alice, f"{BUNKERS}/{response.json()['data']['id']}")


async def test_a_command_answers_with_its_exit_code_and_what_it_said(box: Box) -> None:
    assert await box.run("echo", "a b", "$HOME") == {
        "exit_code": 0,
        "stdout": "a b $HOME\n",
        "stderr": "",
        "stopped": None,
        "truncated": False,
    }
    assert await box.says("echo $GREETING in $(pwd)", env={"GREETING": "héllo"}, workdir="/tmp") == (
        "héllo in /tmp"
    )
    failed = await box.run("echo no >&2; exit 3")
    assert (failed["exit_code"], failed["stderr"]) == (3, "no\n")
    assert (await box.run("nosuch", "x"))["exit_code"] == 127
    assert (await box.run("ls", "x", workdir="/nowhere"))["exit_code"] == 126
    assert await box.says("python", "-c", "import json; print(json.dumps({'a': 1}))") == '{"a": 1}'


async def test_folders_last_between_commands_and_are_the_bunkers_own(box: Box, grid: RunningGrid) -> None:
    await box.run("echo 1 > a; echo 2 > /tmp/b")

    assert await box.says("cat a /tmp/b") == "1\n2"
    other = await box.alice("POST", BUNKERS, json={"image": "python-3.12"})
    assert await Box(box.alice, f"{BUNKERS}/{other.json()['data']['id']}").says("ls /workspace /tmp") == (
        "/tmp:\n\n/workspace:"
    )


async def test_a_command_sees_nothing_of_this_machine(box: Box, config: GridConfig) -> None:
    seen = await box.says(
        "ls -a / /proc; env; cat /proc/*/cmdline /proc/*/environ | tr '\\0' ' '; cat /proc/mounts"
    )

    assert str(config.database.parent) not in seen
    assert "home" not in await box.says("ls /")
    assert (await box.run("cat", str(config.database)))["exit_code"] == 1
    assert await box.says("hostname; id -u") == "bunker\n1000"
    assert not {"SCAIFLOW", "PYTEST"} & {name.partition("_")[0] for name in seen.splitlines()}
    processes = await box.says("ls /proc | grep -c '^[0-9]'")
    assert int(processes) < 8
    assert str(os.getpid()) not in (await box.says("ls /proc")).split()


async def test_there_is_no_network_whatever_was_asked_for(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        done = await box.run("python", "-c", program)

    assert done["exit_code"] == 1
    assert "ConnectionRefused" in done["stderr"]
    assert await box.says("cat /proc/net/dev | tail -n +3 | cut -d: -f1") == "lo"


async def test_it_gains_no_rights_and_changes_nothing_outside(box: Box) -> None:
    for attempt in ("touch /usr/x", "touch /x", "touch /dev/x", "mount -t tmpfs x /tmp", "unshare -Ur true"):
        assert (await box.run(attempt))["exit_code"] != 0
    assert await box.says("grep CapEff /proc/self/status") == "CapEff:\t0000000000000000"
    assert await box.says("grep NoNewPrivs /proc/self/status") == "NoNewPrivs:\t1"


async def test_a_command_ends_when_its_time_is_over(box: Box) -> None:
    done = await box.run("echo begun; sleep 60", timeout_s=1)

    assert (done["exit_code"], done["stopped"], done["stdout"]) == (124, "timeout", "begun\n")


async def test_what_it_leaves_running_ends_with_it(box: Box) -> None:
    assert await box.says("sleep 60 & echo done") == "done"
    assert await box.says("ps -A 2>/dev/null | grep -c sleep || true") in {"0", ""}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["python", "-c", "x = bytearray(150_000_000)"], None),
        (
            [
                "for i in 1 2 3; do python -c 'import time; x = b\"x\" * 90_000_000; time.sleep(20)' & done; wait"
            ],
            "memory",
        ),
        (["for i in $(seq 135); do sleep 20 & done; wait"], "processes"),
        (["for i in 1 2 3; do head -c 4000000 /dev/zero > $i; done; sleep 20"], "disk"),
    ],
)
async def test_it_may_take_so_much_and_no_more(box: Box, command: list[str], reason: str | None) -> None:
    done = await box.run(*command, timeout_s=30)

    assert (done["exit_code"], done["stopped"]) == ((137, reason) if reason else (0, None)), done


async def test_one_process_alone_is_bounded_by_the_kernel(box: Box) -> None:
    done = await box.run("python", "-c", "x = bytearray(300_000_000)")
    assert "MemoryError" in done["stderr"]
    done = await box.run("head -c 9000000 /dev/zero > big")
    assert (done["exit_code"], "File too large" in done["stderr"]) == (1, True)


async def test_output_is_kept_up_to_a_size(box: Box) -> None:
    done = await box.run("head -c 3000000 /dev/zero | tr '\\0' x")

    assert (len(done["stdout"]), done["truncated"], done["exit_code"]) == (1024 * 1024, True, 0)


async def test_files_go_in_and_out(box: Box) -> None:
    content = bytes(range(256)) * 10
    assert (await box.file("PUT", "deep/er/data.bin", content)).status_code == 204
    got = await box.file("GET", "/workspace/deep/er/data.bin")

    assert (got.content, got.headers["content-type"]) == (content, "application/octet-stream")
    assert await box.says("wc -c < deep/er/data.bin") == "2560"
    listing = (await box.file("GET", "deep/er")).json()
    assert listing["data"] == [{"name": "data.bin", "type": "file", "size": 2560}]
    assert (listing["has_more"], listing["next_cursor"]) == (False, None)
    for locked in (".", "/tmp", "/"):
        assert (await box.file("DELETE", locked)).status_code == 409
    assert (await box.file("DELETE", "deep")).status_code == 204
    assert (await box.file("GET", "deep/er/data.bin")).status_code == 404
    assert (await box.file("PUT", "empty", b"")).status_code == 204
    assert (await box.file("GET", "empty")).content == b""


async def test_files_may_lie_in_folders_at_the_root(box: Box) -> None:
    assert (await box.file("PUT", "/policy/rules/a.md", b"rule")).status_code == 204
    assert (await box.file("PUT", "/../data/b", b"x")).status_code == 204

    assert await box.says("cat /policy/rules/a.md; echo more > /policy/b; ls /policy") == "ruleb\nrules"
    assert await box.says("ls -d /policy /data") == "/data\n/policy"
    assert (await box.file("GET", "/policy/b")).content == b"more\n"
    for taken in ("/etc/x", "/usr/x", "/run/x", f"{sys.base_prefix}/x", "/x", "/.hidden/x"):
        assert (await box.file("PUT", taken, b"x")).status_code == 409, taken
    # Nothing of a command's own can lie where bubblewrap is going to mount.
    tries = "mkdir /made || rmdir /policy || ln -s /usr /made || ln -s /usr /etc/made"
    assert (await box.run(tries))["exit_code"] == 1
    assert await box.says("cat /policy/b") == "more"


async def test_links_lead_nowhere_outside(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    await box.run("ln", "-s", str(outside), "link")
    await box.run("ln", "-s", str(tmp_path), "dir")

    def code(response: Any) -> tuple[int, str]:
        return response.status_code, error_of(response)["code"]

    assert code(await box.file("GET", "link")) == (404, "BUNKER_FILE_NOT_FOUND")
    assert code(await box.file("GET", "../../../../../../" + str(outside))) == (404, "BUNKER_FILE_NOT_FOUND")
    assert code(await box.file("GET", "dir/secret")) == (404, "BUNKER_FILE_NOT_FOUND")
    assert (await box.file("PUT", "dir/secret", b"changed")).status_code in {404, 409}
    assert code(await box.file("PUT", "/usr/bin/x", b"")) == (409, "BUNKER_FILE_REFUSED")
    assert code(await box.file("PUT", "/workspace", b"")) == (409, "BUNKER_FILE_REFUSED")
    await box.run("mkfifo", "pipe")
    assert code(await box.file("GET", "pipe")) == (409, "BUNKER_FILE_REFUSED")
    assert code(await box.file("PUT", "pipe", b"x")) == (409, "BUNKER_FILE_REFUSED")
    assert code(await box.file("PUT", "big", b"x" * 8 * 1024 * 1024)) == (409, "BUNKER_DISK_FULL")
    assert code(await box.file("PUT", "big", b"x" * (16 * 1024 * 1024 + 1))) == (413, "PAYLOAD_TOO_LARGE")
    assert outside.read_text() == "outside"


async def test_destroying_ends_what_runs_and_removes_even_what_was_locked(
    box: Box, config: GridConfig
) -> None:
    await box.run("mkdir -p a/b && touch a/b/c && chmod 000 a/b a")
    running = asyncio.create_task(
        box.alice("POST", f"{box.path}/exec", json={"command": "touch begun; sleep 60"})
    )
    while (await box.file("GET", "begun")).status_code != 200:
        pass
    assert (await box.alice("DELETE", box.path)).status_code == 204

    response = await running
    assert (response.status_code, error_of(response)["code"]) == (409, "BUNKER_NOT_RUNNING")
    assert list(config.database.with_name("grid.db.bunkers").iterdir()) == []


async def test_without_bubblewrap_there_are_no_sandboxes(
    grid: RunningGrid, config: GridConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "find", lambda: None)
    alice = await grid.caller("usr_alice")
    response = await alice("POST", BUNKERS, json={"image": "python-3.12"})

    assert response.status_code == 503
    error = error_of(response)
    assert error["code"] == "WORKER_UNAVAILABLE"
    assert "bubblewrap is not installed" in error["message"]
    assert (await alice("GET", BUNKERS)).json()["data"] == []
    assert list(config.database.with_name("grid.db.bunkers").iterdir()) == []


async def test_a_python_among_other_things_is_not_shown_to_a_sandbox(
    grid: RunningGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(Path.home()))
    monkeypatch.setattr(bubblewrap, "find", lambda: "/nonexistent/bwrap")
    response = await (await grid.caller("usr_alice"))("POST", BUNKERS, json={"image": "python-3.12"})

    assert (response.status_code, error_of(response)["code"]) == (503, "WORKER_UNAVAILABLE")
    assert "holds more than Python" in error_of(response)["message"]


async def test_a_bubblewrap_that_cannot_work_is_told(
    grid: RunningGrid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find", lambda: str(broken))
    alice = await grid.caller("usr_alice")
    response = await alice("POST", BUNKERS, json={"image": "python-3.12"})

    assert (response.status_code, error_of(response)["code"]) == (503, "WORKER_UNAVAILABLE")
    assert "No permissions to create new namespace" in error_of(response)["message"]
