"""Addresses that a tenant names: which are called, and where a request to them goes."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates import certificate

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams import addresses, tenant_grids
from scaiflow_api.upstreams.addresses import PublicOnly, UnusableAddress, base_url_of, is_public
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.failures import AddressRefused
from scaiflow_api.upstreams.fair_transport import PARTY
from scaiflow_api.upstreams.tenant_grids import TenantGrids

PUBLIC, OTHER = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"


@pytest.mark.parametrize(
    "text",
    [
        "https://grid.acme.test",
        "https://grid.acme.test:8443/base",
        "https://93.184.216.34",
        f"https://[{OTHER}]/x",
    ],
)
def test_an_address_is_taken_as_it_is_but_for_a_slash_at_its_end(text: str) -> None:
    assert base_url_of(text, allow_http=False) == text
    assert base_url_of(f"{text}/", allow_http=False) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "grid.acme.test",
            "//grid.acme.test",
            "https://",
            "https:///x",
            "ftp://grid.test",
            "file:///etc/passwd",
        ),
        *(
            "https://u@grid.test",
            "https://u:p@grid.test",
            "https://grid.test@evil.test",
            "https://grid.test:99999",
        ),
        *(
            "https://grid.test?x=1",
            "https://grid.test/#f",
            "https://grid.test\\@evil.test",
            "https://grid .test",
        ),
        *("https://grid.test\r\nX: y", "https://gr\u00efd.test", "https://[::1", "https://" + "a" * 500),
    ],
)
def test_bad_base_urls_are_refused(text: str) -> None:
    with pytest.raises(UnusableAddress):
        base_url_of(text, allow_http=True)


def test_http_only_where_it_is_allowed() -> None:
    assert base_url_of("http://grid.test", allow_http=True) == "http://grid.test"
    with pytest.raises(UnusableAddress, match="must begin with https"):
        base_url_of("http://grid.test", allow_http=False)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", OTHER, "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "ff0e::1", "2001:db8::1"),
        *("192.0.0.8", "192.0.0.9", "192.0.0.192", "192.88.99.1", "168.63.129.16", "::ffff:192.0.0.192"),
        *("fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::a00:1", "5f00::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::1"),
    ],
)
def test_addresses_of_private_networks(address: str) -> None:
    assert not is_public(address)


class Names:
    """A name service: each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, *_: object) -> Sequence[str]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise OSError
        return found


class Wire(httpx.AsyncBaseTransport):
    """Notes what would be sent; addresses in `dead` do not answer."""

    def __init__(self, *dead: str) -> None:
        self.dead = dead
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if request.url.host in self.dead:
            raise httpx.ConnectError("no answer", request=request)
        return httpx.Response(204)


async def call(
    monkeypatch: pytest.MonkeyPatch, names: Names, wire: Wire, url: str = "https://grid.test/v1"
) -> int:
    monkeypatch.setattr(addresses, "resolve", names)
    settings = ScaiGridSettings(_env_file=None)
    async with open_transport(settings, PublicOnly("scaigrid", wire)) as transport:
        return (await transport.handle_async_request(httpx.Request("GET", url))).status_code


async def test_a_request_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire()

    assert await call(monkeypatch, names, wire) == 204

    (sent,) = wire.sent
    assert names.asked == ["grid.test"]
    assert (sent.url.host, sent.headers["host"]) == (PUBLIC, "grid.test")
    assert sent.extensions["sni_hostname"] == "grid.test"


@pytest.mark.parametrize("found", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"], ["169.254.169.254"]])
async def test_a_name_that_leads_into_a_private_network_is_not_called(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    wire = Wire()
    with pytest.raises(AddressRefused):
        await call(monkeypatch, Names(found), wire)
    assert wire.sent == []


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:7f00:1]"])
async def test_no_spelling_of_this_machine_is_called(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    wire = Wire()
    async with open_transport(ScaiGridSettings(_env_file=None), PublicOnly("scaigrid", wire)) as transport:
        with pytest.raises(AddressRefused):
            await transport.handle_async_request(httpx.Request("GET", f"https://{host}/v1"))
    assert wire.sent == []


async def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(OTHER)
    assert await call(monkeypatch, Names([OTHER, PUBLIC]), wire) == 204
    assert [request.url.host for request in wire.sent] == [OTHER, PUBLIC]


async def test_a_name_without_a_reachable_address_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(httpx.ConnectError):
        await call(monkeypatch, Names([]), Wire())
    with pytest.raises(httpx.ConnectError):
        await call(monkeypatch, Names([PUBLIC]), Wire(PUBLIC))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server that answers for nothing under `silent.test` before the test is over."""
    over, look_up = threading.Event(), socket.getaddrinfo

    def answer(host: Any, *rest: Any, **options: Any) -> Any:
        if str(host).endswith(".silent.test"):
            over.wait(60)
            raise socket.gaierror
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    yield
    over.set()


async def test_a_silent_name_server_keeps_nobody_else_waiting(silent: None) -> None:
    http = httpx.AsyncClient(transport=PublicOnly("scaigrid", Wire()))
    calling = [asyncio.create_task(http.get(f"https://n{number}.silent.test/")) for number in range(40)]
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        assert await asyncio.to_thread(len, "abc") == 3  # as everything that compiles and reads documents
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)  # as calls to everybody else
        with pytest.raises(AddressRefused):
            await http.get("https://localhost/")

    for call_ in calling:
        call_.cancel()
    await asyncio.gather(*calling, return_exceptions=True)


async def test_lookups_of_one_tenant_leave_room_for_those_of_others(silent: None) -> None:
    """Each goes on in its thread when nobody waits for it any more."""
    http = httpx.AsyncClient(transport=PublicOnly("scaigrid", Wire()))

    def ask(host: str, party: str) -> "asyncio.Task[httpx.Response]":
        request = http.build_request("GET", f"https://{host}/", extensions={PARTY: party})
        return asyncio.create_task(http.send(request))

    for _ in range(2):
        calling = [ask(f"n{number}.silent.test", "tnt_slow") for number in range(50)]
        await asyncio.sleep(0.01)
        for call_ in calling:
            call_.cancel()
        await asyncio.gather(*calling, return_exceptions=True)

    async with asyncio.timeout(5):
        with pytest.raises(AddressRefused):
            await ask("localhost", "tnt_other")


async def test_an_address_whose_name_server_is_silent_is_admitted_unseen(
    silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_grids, "CONNECT_TIMEOUT_S", 0.01)
    async with open_transport(ScaiGridSettings(_env_file=None)) as http:
        grids = TenantGrids(http, ScaiGridSettings(_env_file=None), public_only=True)
        async with asyncio.timeout(30):
            grid = await grids.admitted("https://grid.silent.test", party="tnt_acme")

    assert grid.base_url == "https://grid.silent.test"


async def test_each_request_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept one, which was verified for one name, could carry a request for another at the same IP address."""
    connections = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async def here(*_: object) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(addresses, "public_addresses", here)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, open_transport(ScaiGridSettings(_env_file=None), PublicOnly("scaigrid")) as carrier:
        port = server.sockets[0].getsockname()[1]
        for name in ("one", "another", "one"):
            asked = httpx.Request("GET", f"http://{name}.test:{port}/")
            answered = await carrier.handle_async_request(asked)
            await answered.aread()
            assert answered.status_code == 204

    assert len(connections) == 3
    await asyncio.gather(*filter(None, connections))


@pytest.mark.parametrize(("proves", "sent"), [("grid.test", 1), ("elsewhere.test", 0)])
async def test_a_certificate_is_the_names_not_the_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proves: str, sent: int
) -> None:
    received = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def here(*_: object) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(addresses, "public_addresses", here)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificate(proves, tmp_path))
    carrier = PublicOnly("scaigrid", ca_file=tmp_path / "certificate.pem")
    async with server, open_transport(ScaiGridSettings(_env_file=None), carrier) as http:
        asked = httpx.Request("GET", f"https://grid.test:{server.sockets[0].getsockname()[1]}/")
        with nullcontext() if sent else pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            await (await http.handle_async_request(asked)).aread()

    assert len(received) == sent
