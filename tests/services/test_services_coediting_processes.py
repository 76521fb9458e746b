"""Editing together across API processes: what anybody saw is there, whoever dies or is cut off."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from node_editors import Editor, Node, running_node
from redis_server import Cable
from seaweedfs import S3Server
from servers import ROOT, Place, running, scaiflow
from two_processes import Cluster, a_cluster, at_once

pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
ECHO: Json = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())


@pytest.fixture(scope="module")
def cluster(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with a_cluster(tmp_path_factory.mktemp("coediting"), s3_server) as started:
        yield started


@pytest.fixture(scope="module")
def places(cluster: Cluster) -> Iterator[tuple[Place, Place]]:
    one, other = cluster.place("one"), cluster.place("other")
    with at_once(cluster, one, other):
        yield one, other


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    return cluster.grid_place.token("bob")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    async with running_node() as started:
        yield started


@pytest.fixture
def flow(places: tuple[Place, Place], token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    made = httpx.post(f"{places[0].api}/api/v1/flows", json={"content": ECHO}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def server(place: Place, flow: str) -> str:
    return f"ws://127.0.0.1:{place.api_port}/api/v1/flows/{flow}"


async def closed(*editors: Editor) -> None:
    for editor in editors:
        await editor.tell("close")


async def test_two_processes_are_one_room(
    node: Node, places: tuple[Place, Place], flow: str, token: str
) -> None:
    opened = [await node.open(server(place, flow), token) for place in (*places, *places)]
    one, other, *_ = [await editor.synced() for editor in opened]
    assert (await one.look())["content"] == (await other.look())["content"]
    await one.tell("say", state={"cursor": 1})
    me = str((await one.look())["client"])

    await one.set("nodes", "node_one", to={"id": "node_one"})
    await other.until(lambda seen: "node_one" in seen["content"]["nodes"], within_s=1.5)
    await other.set("nodes", "node_one", "label", to="Named")
    await one.until(lambda seen: seen["content"]["nodes"]["node_one"].get("label") == "Named", within_s=1.5)
    await other.until(lambda seen: me in seen["who"])
    late = await (await node.open(server(places[1], flow), token)).synced()
    await late.until(lambda seen: me in seen["who"])

    await one.tell("disconnect")
    await late.until(lambda seen: me not in seen["who"])
    await closed(*opened, late)


@asynccontextmanager
async def a_process(cluster: Cluster, place: Place, **environment: str) -> AsyncIterator[Any]:
    with ExitStack() as stack:
        command = running(
            place, scaiflow("serve"), f"{place.api}/readyz", **{**cluster.shared, **environment}
        )
        process = await asyncio.to_thread(stack.enter_context, command)
        try:
            yield process
        finally:
            await asyncio.to_thread(stack.close)


async def test_without_redis_it_takes_a_moment_and_nothing_is_lost(
    node: Node, cluster: Cluster, places: tuple[Place, Place], flow: str, token: str
) -> None:
    cable, far = Cable(), cluster.place("far")
    await cable.mend()
    async with a_process(cluster, far, SCAIFLOW_REDIS_URL=cable.url):
        one = await (await node.open(server(places[0], flow), token)).synced()
        other = await (await node.open(server(far, flow), token)).synced()
        await one.set("nodes", "node_before", to={"id": "node_before"})
        await other.until(lambda seen: "node_before" in seen["content"]["nodes"])

        await cable.cut()
        await one.set("nodes", "node_one", to={"id": "node_one"})
        await other.set("nodes", "node_other", to={"id": "node_other"})
        for editor in (one, other):
            await editor.until(
                lambda seen: {"node_one", "node_other"} <= set(seen["content"]["nodes"]), within_s=6
            )

        await cable.mend()
        await other.set("nodes", "node_after", to={"id": "node_after"})
        await one.until(lambda seen: "node_after" in seen["content"]["nodes"])
        await closed(one, other)
        await cable.cut()


async def test_what_was_seen_survives_a_killed_process(
    node: Node, cluster: Cluster, places: tuple[Place, Place], flow: str, token: str, tmp_path: Path
) -> None:
    dying = cluster.place(f"dying-{tmp_path.name}")
    far = await (await node.open(server(places[1], flow), token)).synced()
    async with a_process(cluster, dying) as process:
        typist = await (await node.open(server(dying, flow), token)).synced()
        near = await (await node.open(server(dying, flow), token)).synced()
        await typist.tell("type", prefix="node_t", every=2)
        await far.until(lambda seen: len(seen["content"]["nodes"]) > 60)

        process.send_signal(signal.SIGKILL)
        await near.until(lambda seen: not seen["connected"])
        seen = {name for editor in (near, far) for name in await editor.nodes()}
    seen -= {name for name in seen if not name.startswith("node_t")}
    fresh = await (await node.open(server(places[0], flow), token)).synced()
    assert seen <= set(await fresh.nodes()), "somebody saw what is not stored"

    await typist.tell("rest")
    typed = set(await typist.nodes())
    async with a_process(cluster, dying):  # the providers come again by themselves
        for editor in (typist, near, far, fresh):
            await editor.until(lambda seen: set(seen["content"]["nodes"]) == typed)
        contents = [(await editor.look())["content"] for editor in (typist, near, far, fresh)]
        assert all(content == contents[0] for content in contents)
        await closed(typist, near, far, fresh)


async def test_a_stop_stores_what_was_taken_and_says_to_come_again(
    node: Node, cluster: Cluster, places: tuple[Place, Place], flow: str, token: str
) -> None:
    stopping = cluster.place("stopping")
    async with a_process(cluster, stopping) as process:
        typist = await (await node.open(server(stopping, flow), token)).synced()
        other = await (await node.open(server(stopping, flow), token)).synced()
        await typist.tell("type", prefix="node_s", every=2)
        await other.until(lambda seen: len(seen["content"]["nodes"]) > 40)
        process.send_signal(signal.SIGTERM)
        seen = await other.until(lambda seen: 1012 in seen["closes"])
        assert seen["closed"] is None
        await asyncio.to_thread(process.wait, 20)
    await typist.tell("rest")
    fresh = await (await node.open(server(places[0], flow), token)).synced()
    assert set(await other.nodes()) <= set(await fresh.nodes())
    await closed(typist, other, fresh)
