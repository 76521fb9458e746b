"""Deploys over real servers: clients that hang up, a process that is killed, and the command line."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from servers import ROOT, Place, running, scaiflow

from scaiflow_api.cli.commands import run
from scaiflow_api.cli.environment import CLIENT_ID, CLIENT_SECRET, GRID_KEY

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
QUEUES = {"scope": "support", "queues": [{"slug": "review"}, {"slug": "urgent", "consumer_mode": "priority"}]}
START = {"prefix": "/scaigrid/v1/modules/scaicore/cores/*/start", "delay_s": 0.6, "times": 1}
SETTLED_WITHIN_S = 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place whose local grid runs."""
    place = Place(tmp_path_factory.mktemp("deploys") / "data")
    grid = {
        "SCAIFLOW_ENV": "development",
        "SCAIFLOW_GRID_FAULTS": "true",
        "SCAIFLOW_SCAIKEY_CLIENT_ID": CLIENT_ID,
        "SCAIFLOW_SCAIKEY_CLIENT_SECRET": CLIENT_SECRET,
        "SCAIFLOW_GRID_DB": str(place.folder / "grid.db"),
    }
    with running(place, scaiflow("grid"), place.grid, **grid):
        yield place


class Server:
    """The API's process, which can be killed and started again."""

    def __init__(self, place: Place) -> None:
        grid = f"http://127.0.0.1:{place.grid_port}"
        self._place = place
        self.environment = {
            "SCAIFLOW_ENV": "development",
            "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{place.folder / 'scaiflow.db'}",
            "SCAIFLOW_STORE_URL": f"file:{place.folder / 'blobs'}",
            "SCAIKEY_BASE_URL": f"{grid}/scaikey",
            "SCAIFLOW_SCAIKEY_CLIENT_ID": CLIENT_ID,
            "SCAIGRID_BASE_URL": f"{grid}/scaigrid",
        }
        self._running = ExitStack()

    def start(self) -> None:
        url = f"{self._place.api}/healthz"
        serving = running(self._place, scaiflow("serve"), url, **self.environment)
        self._process = self._running.enter_context(serving)

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Server]:
    server = Server(place)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def token(place: Place) -> str:
    return place.token("bob")


@pytest.fixture
def api(place: Place, server: Server, token: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=30, trust_env=False) as client:
        yield client


def arm(place: Place, fault: dict[str, Any]) -> None:
    httpx.put(f"http://127.0.0.1:{place.grid_port}/_faults", json=fault, trust_env=False).raise_for_status()


def settled(api: httpx.Client, flow: str, *statuses: str) -> dict[str, Any]:
    """Wait until the newest deploy has one of the statuses, and return it."""
    until = time.monotonic() + SETTLED_WITHIN_S
    rows: list[dict[str, Any]] = []
    while time.monotonic() < until:
        rows = api.get(f"/flows/{flow}/deployments?include=failed").json()
        if rows and rows[0]["status"] in statuses:
            return rows[0]
        time.sleep(0.02)
    raise AssertionError(rows)


def test_a_deploy_whose_client_hangs_up_is_finished_and_recorded(place: Place, api: httpx.Client) -> None:
    flow = api.post("/flows", json={"content": {**ECHO, "name": "Hangs up"}}).json()["id"]
    arm(place, START)

    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/flows/{flow}/deploy", json={}, timeout=0.3)

    left = settled(api, flow, "deployed", "failed")
    assert (left["status"], left["error"]) == ("deployed", None)
    assert left["published_slug"] == "scaicore/acme/hangs-up"


def test_the_command_line_deploys_straight_and_through_the_api(
    place: Place,
    server: Server,
    api: httpx.Client,
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "agent.flow.json"
    config = {**ECHO["config"], "scaiqueue": QUEUES}
    monkeypatch.setenv("SCAIGRID_BASE_URL", server.environment["SCAIGRID_BASE_URL"])
    monkeypatch.setenv("SCAIGRID_API_KEY", GRID_KEY)
    monkeypatch.setenv("SCAIFLOW_TOKEN", token)

    def deploy(name: str, *options: str) -> dict[str, Any]:
        file.write_bytes(orjson.dumps({**ECHO, "name": name, "config": config}))
        assert run(["deploy", str(file), "--json", *options]) == 0
        found: dict[str, Any] = orjson.loads(capsys.readouterr().out)
        return found

    straight = deploy("From CI")
    first = deploy("Through the API", "--api", place.api)
    again = deploy("Through the API", "--api", place.api)

    assert straight["published_slug"] == "scaicore/acme/from-ci"
    assert set(straight["scaiqueue_provisioning"]["queue_ids"]) == {"review", "urgent"}
    assert first["scaiqueue_provisioning"] == straight["scaiqueue_provisioning"]
    assert (first["flow_version"], first["published_slug"]) == ("1.0.0", "scaicore/acme/through-the-api")
    assert again == {**first, "deployment_id": again["deployment_id"]}
    history = api.get(f"/flows/{first['flow_id']}/deployments").json()
    assert [row["status"] for row in history] == ["deployed"] * 2


def test_what_a_killed_process_left_is_named_and_taken_up(
    place: Place, server: Server, api: httpx.Client
) -> None:
    flow = api.post("/flows", json={"content": {**ECHO, "name": "Is killed"}}).json()["id"]
    arm(place, START)
    asking = threading.Thread(target=ask, args=(api, flow))
    asking.start()
    core = settled(api, flow, "running")["core_id"]
    server.kill()
    asking.join()
    let_leases_run_out(place)

    server.start()

    interrupted = settled(api, flow, "failed")
    assert (interrupted["error"], interrupted["core_id"]) == ("interrupted", core)
    assert api.post(f"/flows/{flow}/deploy", json={}).json()["core_id"] == core
    history = api.get(f"/flows/{flow}/deployments").json()
    assert [(row["status"], row["error"]) for row in history] == [
        ("deployed", None),
        ("failed", "interrupted"),
    ]


def ask(api: httpx.Client, flow: str) -> None:
    with suppress(httpx.TransportError):
        api.post(f"/flows/{flow}/deploy", json={})


def let_leases_run_out(place: Place) -> None:
    with closing(sqlite3.connect(place.folder / "scaiflow.db")) as database, database:
        database.execute("UPDATE leases SET expires_ms = 0")
