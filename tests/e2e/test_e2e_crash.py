"""A process that is killed in the middle of everything loses nothing that it acknowledged."""

import asyncio
import os
import random
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from servers import ROOT, Place, running, scaiflow

ECHO = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
FLOWS = 10
SAVES, PACKAGES, DELETES = 90, 20, 20
INVOKERS, INVOCATIONS = 6, 40
WORK = SAVES + PACKAGES + DELETES


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


@dataclass
class Acknowledged:
    """What the server said that it did, before it died."""

    versions: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    packages: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return sum(map(len, self.versions.values())) + len(self.packages) + len(self.deleted)


async def work_until_it_dies(
    place: Place, headers: dict[str, str], flows: list[str], doomed: list[str], kill: Callable[[], None]
) -> Acknowledged:
    """Save, publish and delete all at once, and kill the server when a third was acknowledged."""
    done = Acknowledged()
    killed = False

    async def save(client: httpx.AsyncClient, number: int) -> None:
        flow = flows[number % len(flows)]
        content = {**ECHO, "metadata": {"description": f"save {number}"}}
        answer = await client.put(f"/flows/{flow}", json={"content": content}, headers=headers)
        assert answer.status_code == 200, answer.text
        done.versions[flow].add(answer.json()["version"])

    async def publish(client: httpx.AsyncClient, number: int) -> None:
        body = {"package_id": f"package-{number}", "flow_id": flows[number % len(flows)]}
        answer = await client.post("/catalog/publish", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        done.packages.add(body["package_id"])

    async def delete(client: httpx.AsyncClient, number: int) -> None:
        answer = await client.delete(f"/flows/{doomed[number]}", headers=headers)
        assert answer.status_code == 204, answer.text
        done.deleted.add(doomed[number])

    async def one(client: httpx.AsyncClient, work: Any, number: int) -> None:
        nonlocal killed
        try:
            await work(client, number)
        except httpx.TransportError:
            return
        if not killed and len(done) >= WORK // 3:
            killed = True
            kill()

    all_work = [(save, number) for number in range(SAVES)]
    all_work += [(publish, number) for number in range(PACKAGES)]
    all_work += [(delete, number) for number in range(len(doomed))]
    random.Random(7).shuffle(all_work)
    limits = httpx.Limits(max_connections=WORK)
    async with httpx.AsyncClient(base_url=f"{place.api}/api/v1", timeout=60, limits=limits) as client:
        await asyncio.gather(*(one(client, work, number) for work, number in all_work))
    assert killed
    return done


@pytest.mark.services
def test_kill_nine_amid_saves_publishes_and_deletes(place: Place) -> None:
    with running(place, scaiflow("grid"), place.grid):
        headers = place.headers("bob")
        environment = of_serve(place)
        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment) as server:
            flows = [create(place, headers) for _ in range(FLOWS)]
            doomed = [create(place, headers) for _ in range(DELETES)]

            done = asyncio.run(
                work_until_it_dies(place, headers, flows, doomed, lambda: server.send_signal(signal.SIGKILL))
            )

        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment):
            remove_what_the_crash_left(place, environment)
            with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=30) as api:
                flows_are_whole(api, flows, done)
                packages_are_whole(api, done)
                for flow in doomed:
                    read = api.get(f"/flows/{flow}")
                    assert read.status_code in ({404} if flow in done.deleted else {200, 404})


@pytest.mark.services
def test_kill_nine_amid_invocations_hides_no_run(place: Place) -> None:
    """Each run that ScaiGrid knows of was told before; of some nobody was told how they ended."""
    with running(place, scaiflow("grid"), place.grid):
        headers, environment = place.headers("alice"), of_serve(place)
        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment) as server:
            flow = create(place, headers)
            deploy = f"{place.api}/api/v1/flows/{flow}/deploy"
            core = (
                httpx.post(deploy, json={}, headers=headers, timeout=60).raise_for_status().json()["core_id"]
            )
            answered = asyncio.run(
                invoke_until_it_dies(place, headers, core, lambda: server.send_signal(signal.SIGKILL))
            )
        with running(place, scaiflow("serve"), f"{place.api}/readyz", **environment):
            with httpx.Client(base_url=f"{place.api}/api/v1", headers=headers, timeout=30) as api:
                told = {"action": "core.invoked", "limit": 500}
                rows = api.get(f"/flows/{flow}/audit", params=told).raise_for_status().json()["events"]
                happened = api.get("/scaicore/events", params={"core_id": core, "limit": 500}).json()["data"]
            verified = place.scaiflow("audit", "verify", **environment)

    assert verified.returncode == 0, verified.stdout
    ran = {event["payload"]["execution_id"] for event in happened["events"]}
    begun = [row for row in rows if row["outcome"] == "started"]
    ended = [row for row in rows if row["outcome"] != "started"]
    assert answered <= ran
    assert len(ran) <= len(begun) <= len(ended) + INVOKERS
    requests = {row["request_id"] for row in begun}
    assert len(requests) == len(begun)
    assert {row["request_id"] for row in ended} <= requests
    assert {row["details"].get("execution_id") for row in ended} <= ran


async def invoke_until_it_dies(
    place: Place, headers: dict[str, str], core: str, kill: Callable[[], None]
) -> set[str]:
    """Invoke a Core all the time, several at once; kill the server amid that. Return the runs it answered with."""
    answered: set[str] = set()

    async def invoke(client: httpx.AsyncClient) -> None:
        while True:
            try:
                answer = await client.post(
                    f"/scaicore/cores/{core}/invoke", json={"input": {"message": "hi"}}
                )
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            answered.add(answer.json()["data"]["execution_id"])
            if len(answered) == INVOCATIONS:
                kill()

    async with httpx.AsyncClient(base_url=f"{place.api}/api/v1", timeout=60, headers=headers) as client:
        await asyncio.gather(*(invoke(client) for _ in range(INVOKERS)))
    return answered


def of_serve(place: Place) -> dict[str, str]:
    """Return the settings of `serve`; `dev` would embed the most of them."""
    return {
        "SCAIFLOW_ENV": "development",
        "SCAIFLOW_DB_URL": f"sqlite+aiosqlite:///{place.folder / 'scaiflow.db'}",
        "SCAIFLOW_STORE_URL": f"file:{place.folder / 'blobs'}",
        "SCAIKEY_BASE_URL": f"http://127.0.0.1:{place.grid_port}/scaikey",
        "SCAIFLOW_SCAIKEY_CLIENT_ID": "scaiflow-local",
        "SCAIGRID_BASE_URL": f"http://127.0.0.1:{place.grid_port}/scaigrid",
    }


def flows_are_whole(api: httpx.Client, flows: list[str], done: Acknowledged) -> None:
    for flow in flows:
        listed = api.get(f"/flows/{flow}/versions").json()
        versions = {item["version"] for item in listed}
        assert done.versions[flow] <= versions
        assert sum(item["is_current"] for item in listed) == 1
        for version in versions:
            read = api.get(f"/flows/{flow}/versions/{version}")
            assert read.status_code == 200
            assert read.json()["content"]["version"] == version
        # Every flow can still be saved.
        assert api.put(f"/flows/{flow}", json={"content": ECHO}).status_code == 200


def packages_are_whole(api: httpx.Client, done: Acknowledged) -> None:
    listed = {item["package_id"] for item in api.get("/catalog").json()}
    assert done.packages <= listed
    for package in listed:
        assert api.get(f"/catalog/{package}/download").status_code == 200
    # What was cut off can be published after all.
    flow = api.post("/flows", json={"content": ECHO}).json()["id"]
    for number in range(PACKAGES):
        body = {"package_id": f"package-{number}", "flow_id": flow}
        if body["package_id"] not in listed:
            assert api.post("/catalog/publish", json=body).status_code == 201


def remove_what_the_crash_left(place: Place, environment: dict[str, str]) -> None:
    """Collect garbage beside the serving process, when everything in the store is old."""
    for file in (place.folder / "blobs").rglob("*"):
        if file.is_file():
            os.utime(file, (0, 0))
    first = place.scaiflow("gc", "--json", **environment)
    assert first.returncode == 0, first.stderr
    report = orjson.loads(first.stdout)
    assert report["objects"]["removed"] == report["objects"]["orphans"]
    assert report["objects"]["named"] >= WORK // 3
    second = orjson.loads(place.scaiflow("gc", "--json", **environment).stdout)
    assert second["objects"]["seen"] == second["objects"]["named"] == report["objects"]["named"]
    assert second["unfinished_files"] == 0


def create(place: Place, headers: dict[str, str]) -> str:
    made = httpx.post(f"{place.api}/api/v1/flows", json={"content": ECHO}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
