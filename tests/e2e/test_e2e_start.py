"""Starting and stopping: quick, clean, and with one clear sentence when it cannot be."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from servers import ROOT, Place, running, scaiflow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


def test_a_second_start_finds_its_data_and_ctrl_c_ends_it(place: Place) -> None:
    with running(place, scaiflow("dev"), f"{place.api}/readyz", place.grid) as first:
        headers = place.headers("bob")
        made = httpx.post(f"{place.api}/api/v1/flows", json={"content": an_empty_flow()}, headers=headers)
        assert made.status_code == 201, made.text
        first.send_signal(signal.SIGINT)
        assert first.wait(20) == 0

    with running(place, scaiflow("dev"), f"{place.api}/readyz", place.grid):
        # The token was signed before the restart: the grid's key is kept too.
        listed = httpx.get(f"{place.api}/api/v1/flows", headers=headers)

        assert [item["id"] for item in listed.json()["items"]] == [made.json()["id"]]
        # The way back of a sign-in is the API's address: whoever has another one set is told so.
        elsewhere = place.scaiflow("token", "alice", SCAIFLOW_API_PORT="1")
        assert (elsewhere.returncode, elsewhere.stdout, elsewhere.stderr.count("\n")) == (1, "", 1)
        assert "SCAIFLOW_API_PORT" in elsewhere.stderr


@pytest.mark.parametrize("variable", ["SCAIFLOW_API_PORT", "SCAIFLOW_GRID_PORT"])
def test_a_port_in_use_is_one_sentence(place: Place, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        refused = place.scaiflow("dev", **{variable: port})

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert variable in refused.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(place: Place) -> None:
    place.folder.parent.mkdir(exist_ok=True)
    place.folder.touch()  # a file where the folder should be: even root cannot write into that

    refused = place.scaiflow("dev")

    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"cannot write in {place.folder}" in refused.stderr


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SCAIFLOW_API_PORT": "many"}, "SCAIFLOW_API_PORT"),
        ({"SCAIFLOW_AUTH_DISABLED": "true"}, "wrong: SCAIFLOW_AUTH_DISABLED is for development"),
        (
            {"SCAIFLOW_BOOTSTRAP_ADMINS": "alice"},
            "wrong: SCAIFLOW_BOOTSTRAP_ADMINS: 'alice' is not TENANT/USER=",
        ),
        ({"SCAIFLOW_DB_URL": "oracle://x"}, "SCAIFLOW_DB_URL"),
        ({"SCAIFLOW_DB_URL": "postgresql+asyncpg://u:hunter2@127.0.0.1:1/x"}, "cannot be used"),
        ({"SCAIFLOW_STORE_URL": "ftp://x"}, "SCAIFLOW_STORE_URL"),
        ({"SCAIFLOW_STORE_URL": "file:/dev/null/x"}, "SCAIFLOW_STORE_URL"),
        ({"SCAIFLOW_REDIS_URL": "redis://:hunter2@127.0.0.1/first"}, "SCAIFLOW_REDIS_URL"),
    ],
)
def test_a_setting_that_is_wrong_is_one_sentence(
    place: Place, environment: dict[str, str], sentence: str
) -> None:
    place.folder.mkdir()
    sane = {
        "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{place.folder / 'x.db'}",
        "SCAIFLOW_STORE_URL": f"file:{place.folder / 'blobs'}",
    }

    refused = place.scaiflow("serve", **{**sane, **environment})

    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert "hunter2" not in refused.stderr


def test_dev_refuses_production(place: Place) -> None:
    refused = place.scaiflow("dev", SCAIFLOW_ENV="production")

    assert refused.returncode == 1
    assert "development" in refused.stderr


def test_token_prints_the_token_alone_or_says_what_is_wrong(place: Place) -> None:
    unknown = place.scaiflow("token", "mallory")
    nobody_home = place.scaiflow("token", "alice")

    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "alice" in unknown.stderr
    assert (nobody_home.returncode, nobody_home.stdout) == (1, "")
    assert "make run" in nobody_home.stderr


def test_the_version_and_the_openapi_document_need_no_server(place: Place) -> None:
    assert place.scaiflow("--version").stdout.startswith("scaiflow ")
    assert '"/api/v1/flows/{flow_id}"' in place.scaiflow("openapi").stdout


def test_when_one_server_dies_the_other_is_stopped(place: Place) -> None:
    with running(place, scaiflow("dev"), f"{place.api}/readyz", place.grid) as parent:
        children = subprocess.run(
            ["pgrep", "-P", str(parent.pid)], capture_output=True, text=True, check=True
        )
        grid = min(int(pid) for pid in children.stdout.split())
        subprocess.run(["kill", "-9", str(grid)], check=True)

        assert parent.wait(20) == 1
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{place.api}/healthz", timeout=1)
        except httpx.TransportError:
            return
    raise AssertionError("the API still serves")


@pytest.mark.parametrize("fake", ["exit 1", None])
def test_a_python_that_is_too_old_or_missing_is_one_sentence(tmp_path: Path, fake: str | None) -> None:
    python = ""
    if fake is not None:
        old = tmp_path / "python"
        old.write_text(f"#!/bin/sh\n{fake}\n")
        old.chmod(0o755)
        python = str(old)

    refused = subprocess.run(
        ["make", "run", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert refused.returncode != 0
    assert refused.stderr.startswith("ScaiFlow needs Python 3.11 or newer")


def an_empty_flow() -> dict[str, object]:
    return {
        "nodes": [],
        "edges": [],
        "config": {
            "core_identity": {
                "name": "x",
                "models": [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}],
            }
        },
    }
