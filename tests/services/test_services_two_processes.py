"""Two API processes on one PostgreSQL, one S3 store and one Redis are one API."""

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from seaweedfs import S3Server
from servers import ROOT, Place
from two_processes import Cluster, a_cluster, at_once

pytestmark = pytest.mark.services

Json = dict[str, Any]
ECHO: Json = orjson.loads((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
WRITERS, SAVES = 64, 500
CREATE_CORE = "/scaigrid/v1/modules/scaicore/cores"


@pytest.fixture(scope="module")
def cluster(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with a_cluster(tmp_path_factory.mktemp("cluster"), s3_server) as started:
        yield started


@pytest.fixture(scope="module")
def places(cluster: Cluster) -> Iterator[tuple[Place, Place]]:
    """Both start at once on an empty database."""
    one, other = cluster.place("one"), cluster.place("other")
    with at_once(cluster, one, other):
        yield one, other


@pytest.fixture(scope="module")
def tokens(cluster: Cluster) -> dict[str, dict[str, str]]:
    return {who: cluster.headers(who) for who in ("alice", "bob", "carol", "root")}


Client = Callable[[Place, str], httpx.Client]


@pytest.fixture
def client(tokens: dict[str, dict[str, str]]) -> Iterator[Client]:
    opened = []

    def connect(place: Place, who: str) -> httpx.Client:
        opened.append(httpx.Client(base_url=f"{place.api}/api/v1", headers=tokens[who], timeout=60))
        return opened[-1]

    yield connect
    for found in opened:
        found.close()


@pytest.fixture
def one(places: tuple[Place, Place], client: Client) -> httpx.Client:
    """Bob at the first process."""
    return client(places[0], "bob")


@pytest.fixture
def other(places: tuple[Place, Place], client: Client) -> httpx.Client:
    """Bob at the second process."""
    return client(places[1], "bob")


@pytest.fixture
def flow(one: httpx.Client) -> str:
    return create(one)


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def create(api: httpx.Client) -> str:
    name = f"Echo {secrets.token_hex(4)}"
    made = api.post("/flows", json={"content": {**ECHO, "name": name}, "name": name})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def content(description: str) -> Json:
    return {**ECHO, "metadata": {"description": description}}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]["error"]


def versions(api: httpx.Client, flow: str) -> list[str]:
    listed = api.get(f"/flows/{flow}/versions")
    assert listed.status_code == 200, listed.text
    return [row["version"] for row in listed.json()]


def patches(found: list[str]) -> list[int]:
    return [int(version.rpartition(".")[2]) for version in found]


def test_what_one_saves_the_other_has_at_once(one: httpx.Client, other: httpx.Client, flow: str) -> None:
    first = other.get(f"/flows/{flow}")
    assert first.headers["etag"] == one.get(f"/flows/{flow}").headers["etag"]
    assert flow in {item["id"] for item in other.get("/flows", params={"owner": "me"}).json()["items"]}

    saved = other.put(
        f"/flows/{flow}", json={"content": content("new")}, headers={"If-Match": first.headers["etag"]}
    )
    assert saved.json()["version"] == "1.0.1"

    read = one.get(f"/flows/{flow}", headers={"If-None-Match": first.headers["etag"]})
    assert (read.status_code, read.headers["etag"]) == (200, saved.headers["etag"])
    assert read.json()["content"]["metadata"] == {"description": "new"}
    assert one.get(f"/flows/{flow}", headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    assert versions(one, flow) == versions(other, flow) == ["1.0.1", "1.0.0"]
    stale = one.put(f"/flows/{flow}", json={"name": "x"}, headers={"If-Match": first.headers["etag"]})
    assert code(stale) == (412, "version_conflict")


def test_what_one_deletes_is_gone_from_the_other_at_once(
    one: httpx.Client, other: httpx.Client, flow: str
) -> None:
    other.get(f"/flows/{flow}").raise_for_status()
    one.delete(f"/flows/{flow}").raise_for_status()

    for answer in (
        other.get(f"/flows/{flow}"),
        other.get(f"/flows/{flow}/versions/1.0.0"),
        other.put(f"/flows/{flow}", json={"content": ECHO}),
        other.get(f"/flows/{flow}/presence"),
        other.delete(f"/flows/{flow}"),
    ):
        assert code(answer) == (404, "flow_not_found")
    assert flow not in {item["id"] for item in other.get("/flows").json()["items"]}

    other.post(f"/flows/{flow}/restore").raise_for_status()
    assert one.get(f"/flows/{flow}").status_code == 200


def test_a_grant_counts_and_its_end_counts_at_once(
    places: tuple[Place, Place], client: Client, one: httpx.Client, flow: str
) -> None:
    carol = client(places[1], "carol")
    assert code(carol.get(f"/flows/{flow}")) == (404, "flow_not_found")
    grant = {"principal_type": "user", "principal_id": "usr_carol", "level": "view"}
    granted = one.post(f"/flows/{flow}/acls", json=grant)
    assert granted.status_code == 201, granted.text
    assert carol.get(f"/flows/{flow}").status_code == 200

    one.delete(f"/flows/{flow}/acls/{granted.json()['id']}").raise_for_status()

    assert code(carol.get(f"/flows/{flow}")) == (404, "flow_not_found")
    assert carol.get("/flows").json()["total"] == 0


def test_who_is_here_is_known_to_both(
    places: tuple[Place, Place], client: Client, one: httpx.Client, flow: str
) -> None:
    alice = client(places[1], "alice")

    def seen(api: httpx.Client) -> list[str]:
        return [peer["display_name"] for peer in api.get(f"/flows/{flow}/presence").json()["peers"]]

    for api, name in ((one, "Bob"), (alice, "Alice")):
        told = api.post(f"/flows/{flow}/presence/heartbeat", json={"display_name": name, "color": "#3284ff"})
        assert told.status_code == 204, told.text
    assert (seen(one), seen(alice)) == (["Alice"], ["Bob"])

    one.delete(f"/flows/{flow}/presence").raise_for_status()
    assert seen(alice) == []


def test_a_role_given_at_one_reaches_the_other_within_seconds(
    places: tuple[Place, Place], client: Client
) -> None:
    root, carol = client(places[0], "root"), client(places[1], "carol")
    assert carol.get("/me").json()["admin_role"] is None

    role = "/admin/users/usr_carol/role"
    tenant = {"tenant_id": "tnt_acme"}
    root.post(role, params=tenant, json={"role": "tenant_admin"}).raise_for_status()
    eventually(lambda: carol.get("/me").json()["admin_role"] == "tenant_admin")
    root.delete(role, params=tenant).raise_for_status()
    eventually(lambda: carol.get("/me").json()["admin_role"] is None)


def eventually(holds: Callable[[], bool]) -> None:
    """Standing is at most five seconds old; a busy machine gets some more."""
    until = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_request_that_reaches_both_is_carried_out_once(
    one: httpx.Client, other: httpx.Client, background: ThreadPoolExecutor
) -> None:
    name = f"Echo {secrets.token_hex(4)}"
    order = {"json": {"content": ECHO, "name": name}, "headers": {"Idempotency-Key": name}}

    sent = [background.submit(api.post, "/flows", **order) for api in (one, other)]

    answers = {answer.result().status_code: answer.result() for answer in sent}
    assert set(answers) <= {201, 409}
    again = [api.post("/flows", **order) for api in (one, other)]
    assert {answer.json()["id"] for answer in again} == {answers[201].json()["id"]}
    assert one.get("/flows", params={"search": name}).json()["total"] == 1


def test_a_package_is_published_once_and_is_the_same_at_both(
    one: httpx.Client, other: httpx.Client, flow: str, background: ThreadPoolExecutor
) -> None:
    package = f"echo-{secrets.token_hex(4)}"
    order = {"json": {"package_id": package, "flow_id": flow}}

    sent = [background.submit(api.post, "/catalog/publish", **order) for api in (one, other)]

    assert all(answer.result().status_code in {201, 409} for answer in sent)
    versions = {answer.result().json()["version"] for answer in sent if answer.result().status_code == 201}
    assert len(versions) == sum(answer.result().status_code == 201 for answer in sent) > 0
    files = [api.get(f"/catalog/{package}/download").content for api in (one, other)]
    assert files[0] == files[1]
    assert len(other.get(f"/catalog/{package}").json()["versions"]) == len(versions)


def test_a_crowd_at_both_makes_consecutive_versions(
    places: tuple[Place, Place], tokens: dict[str, dict[str, str]], one: httpx.Client, flow: str
) -> None:
    told: dict[str, Json] = {}
    left = iter(range(SAVES))

    async def write(api: httpx.AsyncClient) -> None:
        for save in left:
            sent = content(f"save {save}")
            answer = await api.put(f"/flows/{flow}", json={"content": sent})
            assert answer.status_code == 200, answer.text
            told[answer.json()["version"]] = sent["metadata"]

    async def crowd() -> None:
        limits = httpx.Limits(max_connections=WRITERS)
        async with (
            httpx.AsyncClient(
                base_url=f"{places[0].api}/api/v1", headers=tokens["bob"], timeout=120, limits=limits
            ) as near,
            httpx.AsyncClient(
                base_url=f"{places[1].api}/api/v1", headers=tokens["bob"], timeout=120, limits=limits
            ) as far,
        ):
            await asyncio.gather(*(write((near, far)[number % 2]) for number in range(WRITERS)))

    asyncio.run(crowd())

    assert patches(versions(one, flow)) == list(range(SAVES, -1, -1))
    for version, metadata in told.items():
        assert one.get(f"/flows/{flow}/versions/{version}").json()["content"]["metadata"] == metadata
    assert len(told) == SAVES


def test_with_a_condition_one_wins_over_both(
    places: tuple[Place, Place],
    tokens: dict[str, dict[str, str]],
    one: httpx.Client,
    other: httpx.Client,
    flow: str,
) -> None:
    async def all_at_once(tag: str) -> list[httpx.Response]:
        headers = {**tokens["bob"], "If-Match": tag}
        async with httpx.AsyncClient(headers=headers, timeout=60) as api:
            return await asyncio.gather(
                *(
                    api.put(f"{places[number % 2].api}/api/v1/flows/{flow}", json={"content": ECHO})
                    for number in range(WRITERS)
                )
            )

    for turn in range(1, 9):
        answers = asyncio.run(all_at_once((one, other)[turn % 2].get(f"/flows/{flow}").headers["etag"]))

        won = [answer.json()["version"] for answer in answers if answer.status_code == 200]
        assert won == [f"1.0.{turn}"]
        lost = {code(answer) for answer in answers if answer.status_code != 200}
        assert lost == {(412, "version_conflict")}


@pytest.fixture
def slow_core(cluster: Cluster) -> Iterator[Callable[[float], None]]:
    """Let the next Core take its time."""
    with cluster.grid() as grid:

        def slow(seconds: float) -> None:
            fault = {"prefix": CREATE_CORE, "method": "POST", "delay_s": seconds, "times": 1}
            grid.put("/_faults", json=fault).raise_for_status()

        yield slow
        grid.delete("/_faults").raise_for_status()


def await_deploy(api: httpx.Client, flow: str) -> None:
    """Wait until a deploy of the flow has begun."""
    eventually(lambda: len(api.get(f"/flows/{flow}/deployments?include=failed").json()) == 1)


def test_deploys_at_both_take_turns(
    one: httpx.Client,
    other: httpx.Client,
    flow: str,
    slow_core: Callable[[float], None],
    background: ThreadPoolExecutor,
) -> None:
    """The first is held up in ScaiGrid; the second, of a newer version, must not overtake it."""
    slow_core(4)
    first = background.submit(one.post, f"/flows/{flow}/deploy", json={})
    await_deploy(other, flow)
    other.put(f"/flows/{flow}", json={"content": content("newer")}).raise_for_status()
    second = background.submit(other.post, f"/flows/{flow}/deploy", json={})

    answers = [first.result(), second.result()]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    assert [answer.json()["flow_version"] for answer in answers] == ["1.0.0", "1.0.1"]
    assert len({answer.json()["core_id"] for answer in answers}) == 1
    listed = one.get(f"/flows/{flow}/deployments").json()
    assert [row["flow_version"] for row in listed] == ["1.0.1", "1.0.0"]
    drift = one.get(f"/flows/{flow}/drift").json()
    assert (drift["status"], drift["deployment"]["flow_version"]) == ("in_sync", "1.0.1")


class TestKilled:
    """A third process dies without a word."""

    @pytest.fixture
    def third(self, cluster: Cluster) -> Place:
        return cluster.place("third")

    def test_amid_saves_nothing_acknowledged_is_lost(
        self,
        cluster: Cluster,
        third: Place,
        places: tuple[Place, Place],
        tokens: dict[str, dict[str, str]],
        other: httpx.Client,
    ) -> None:
        flows = [create(other) for _ in range(5)]
        told: dict[str, dict[str, Json]] = {flow: {} for flow in flows}

        async def save(api: httpx.AsyncClient, number: int) -> bool:
            flow, sent = flows[number % len(flows)], content(f"save {number}")
            try:
                answer = await api.put(f"/flows/{flow}", json={"content": sent})
            except httpx.TransportError:
                return False
            assert answer.status_code == 200, answer.text
            told[flow][answer.json()["version"]] = sent["metadata"]
            if sum(map(len, told.values())) == 60:
                process.send_signal(signal.SIGKILL)
            return True

        async def saves() -> list[bool]:
            limits = httpx.Limits(max_connections=100)
            urls = [f"{place.api}/api/v1" for place in (third, places[0])]
            async with (
                httpx.AsyncClient(
                    base_url=urls[0], headers=tokens["bob"], timeout=60, limits=limits
                ) as dying,
                httpx.AsyncClient(
                    base_url=urls[1], headers=tokens["bob"], timeout=60, limits=limits
                ) as living,
            ):
                return await asyncio.gather(
                    *(save((dying, living)[number % 2], number) for number in range(200))
                )

        with cluster.process(third) as process:
            answered = asyncio.run(saves())

        assert all(answered[1::2]), "whoever asks the process that lives notices nothing"
        assert not all(answered[0::2])
        for flow in flows:
            listed = versions(other, flow)
            assert set(told[flow]) <= set(listed)
            for version in listed:
                read = other.get(f"/flows/{flow}/versions/{version}").json()["content"]
                assert read["metadata"] == told[flow].get(version, read["metadata"])
            assert other.put(f"/flows/{flow}", json={"content": ECHO}).status_code == 200

    def test_amid_a_deploy_the_next_one_takes_over(
        self,
        cluster: Cluster,
        third: Place,
        client: Client,
        other: httpx.Client,
        flow: str,
        slow_core: Callable[[float], None],
        background: ThreadPoolExecutor,
    ) -> None:
        """What the dead one had asked of ScaiGrid still happens; the next deploy adopts it."""
        slow_core(6)
        with cluster.process(third) as process:
            deploy = background.submit(client(third, "bob").post, f"/flows/{flow}/deploy", json={})
            await_deploy(other, flow)
            process.send_signal(signal.SIGKILL)
            assert isinstance(deploy.exception(), httpx.TransportError)

        answer = other.post(f"/flows/{flow}/deploy", json={})

        assert answer.status_code == 200, answer.text
        listed = other.get(f"/flows/{flow}/deployments?include=failed").json()
        assert [(row["status"], row["error"]) for row in listed] == [
            ("deployed", None),
            ("failed", "interrupted"),
        ]
