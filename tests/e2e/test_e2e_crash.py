"""A process that is killed in the middle of everything loses nothing that it acknowledged."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from servers import ROOT, Place, running, scaiflow

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
FLOWS = 10
SAVES = 200


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


async def save_until_it_dies(
    place: Place, headers: dict[str, str], flows: list[str], kill: Any
) -> dict[str, set[str]]:
    """Send all saves at once, kill the server when a third was acknowledged; return the acknowledged versions."""
    acknowledged: dict[str, set[str]] = {flow: set() for flow in flows}
    killed = False

    async def save(client: httpx.AsyncClient, number: int) -> None:
        nonlocal killed
        flow = flows[number % len(flows)]
        content = {**ECHO, "metadata": {"description": f"save {number}"}}
        try:
            answer = await client.put(f"/flows/{flow}", json={"content": content}, headers=headers)
        except httpx.TransportError:
            return
        assert answer.status_code == 200, answer.text
        acknowledged[flow].add(answer.json()["version"])
        if not killed and sum(map(len, acknowledged.values())) >= SAVES // 3:
            killed = True
            kill()

    limits = httpx.Limits(max_connections=SAVES)
    async with httpx.AsyncClient(base_url=f"{place.api}/api/v1", timeout=60, limits=limits) as client:
        await asyncio.gather(*(save(client, number) for number in range(SAVES)))
    assert killed
    return acknowledged


def test_kill_nine_amid_two_hundred_saves(place: Place) -> None:
    with running(place, scaiflow("grid"), f"http://127.0.0.1:{place.grid_port}/"):
        headers = place.headers("bob")
        # `dev` would embed these; `serve` alone takes them from the environment.
        environment = {
            "SCAIFLOW_ENV": "development",
            "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{place.folder / 'scaiflow.db'}",
            "SCAIFLOW_STORE_URL": f"file:{place.folder / 'blobs'}",
            "SCAIKEY_BASE_URL": f"http://127.0.0.1:{place.grid_port}/scaikey",
            "SCAIFLOW_SCAIKEY_CLIENT_ID": "scaiflow-local",
            "SCAIGRID_BASE_URL": f"http://127.0.0.1:{place.grid_port}/scaigrid",
        }
        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment) as server:
            flows = [create(place, headers) for _ in range(FLOWS)]

            acknowledged = asyncio.run(
                save_until_it_dies(place, headers, flows, lambda: server.send_signal(signal.SIGKILL))
            )

        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment):
            remove_what_the_crash_left(place, environment)
            for flow in flows:
                listed = httpx.get(f"{place.api}/api/v1/flows/{flow}/versions", headers=headers).json()
                versions = {item["version"] for item in listed}
                assert acknowledged[flow] <= versions
                assert sum(item["is_current"] for item in listed) == 1
                for version in versions:
                    read = httpx.get(f"{place.api}/api/v1/flows/{flow}/versions/{version}", headers=headers)
                    assert read.status_code == 200
                    assert read.json()["content"]["version"] == version
            # Every flow can still be saved.
            saved = httpx.put(
                f"{place.api}/api/v1/flows/{flows[0]}", json={"content": ECHO}, headers=headers, timeout=30
            )
            assert saved.status_code == 200


def remove_what_the_crash_left(place: Place, environment: dict[str, str]) -> None:
    """Collect garbage beside the serving process, when everything in the store is old."""
    for file in (place.folder / "blobs").rglob("*"):
        if file.is_file():
            os.utime(file, (0, 0))
    first = place.scaiflow("gc", "--json", **environment)
    assert first.returncode == 0, first.stderr
    report = orjson.loads(first.stdout)
    assert report["objects"]["removed"] == report["objects"]["orphans"]
    assert report["objects"]["named"] >= SAVES // 3
    second = orjson.loads(place.scaiflow("gc", "--json", **environment).stdout)
    assert second["objects"]["seen"] == second["objects"]["named"] == report["objects"]["named"]
    assert second["unfinished_files"] == 0


def create(place: Place, headers: dict[str, str]) -> str:
    made = httpx.post(f"{place.api}/api/v1/flows", json={"content": ECHO}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
