"""Every client against every fault: the documented answer, in bounded time, with nothing of ours in it."""

import asyncio
import logging
import os
import socket
import ssl
import stat
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import httpx
import pytest
import respx
from certificates import certificate
from faults import CALLS, FAULTS, MESSAGE, TOKEN, Asked, Clients, Fault, attempts, expected, told
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.failures import UpstreamTimedOut, UpstreamUnavailable

UP = "https://up.test"
MIB = 1024 * 1024
PACKED = zlib.compress(b" " * (50 * MIB))


@pytest.fixture
def clients(http: httpx.AsyncBaseTransport, impatient: Policy) -> Clients:
    return Clients(http, UP, impatient)


async def test_a_good_answer_is_one(http: httpx.AsyncBaseTransport, impatient: Policy) -> None:
    """So that the table fails for the faults' sake."""
    for asked in CALLS:
        with respx.mock() as router:
            route = played(router, asked).respond(json=asked.good)
            await asked.ask(Clients(http, UP, impatient))
        assert route.call_count == 1, asked.name


def played(router: respx.MockRouter, asked: Asked) -> respx.Route:
    for path, answer in asked.before.items():
        router.get(UP + path).respond(json=answer)
    return router.route(method=asked.method, url__startswith=UP + asked.path)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_each_fault_is_told_as_documented(
    http: httpx.AsyncBaseTransport, impatient: Policy, fault: Fault
) -> None:
    wrong = []
    for asked in CALLS:
        with respx.mock() as router:
            route = played(router, asked).mock(side_effect=[fault.met(asked) for _ in range(5)])
            try:
                await meet(asked, fault, Clients(http, UP, impatient), route)
            except AssertionError as problem:
                wrong.append((asked.name, str(problem)))
    assert not wrong


async def meet(asked: Asked, fault: Fault, clients: Clients, route: respx.Route) -> None:
    """Ask, and compare what our caller is told."""
    if fault.name in asked.accepts:
        await asked.ask(clients)
        return
    failure: Exception | None = None
    with capture_logs() as logged:
        try:
            await asked.ask(clients)
        except Exception as caught:
            failure = caught
    assert failure is not None, "it was taken for an answer"
    error = told(failure)
    detail = error.detail()
    assert (error.status, error.error) == expected(asked, fault)
    assert route.call_count == attempts(asked, fault)
    assert error.headers.get("Retry-After") == fault.retry_after
    if error.error.endswith(("_api", "_auth")):
        assert detail["status"] == fault.status
        assert detail["code"] == ("SOME_CODE" if fault.words else None)
    if fault.words and error.status != 400:
        assert detail["message"].startswith(MESSAGE)
    everything = f"{failure!r} {failure} {error!r} {detail} {getattr(error, 'beside', '')} {logged}"
    for secret in (TOKEN, "client-secret", "<html>"):
        assert secret not in everything


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """A server on this machine that does what a script says, while its context lasts."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, *, hasty: bool = False) -> None:
        """Make a server; a `hasty` one does not wait for a whole request."""
        self._script = script
        self._hasty = hasty
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.received = b""

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                head = await (reader.read(64) if self._hasty else reader.readuntil(b"\r\n\r\n"))
                self.received += head
                await self._script(reader, writer)
            finally:
                writer.transport.abort() if self._script in ABORTING else writer.close()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def drip_of_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"X-Again: and again\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silence(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


async def taking_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3)


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def hang_up_in_between(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b'Content-Length: 1000\r\n\r\n{"data":')
    await writer.drain()


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await writer.drain()


async def stuck(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await asyncio.sleep(3)


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        await pour(writer)


async def announced(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % (50 * MIB))
    await pour(writer)


async def chunked(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await pour(writer, b"10000\r\n%b\r\n")


async def bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A compressed answer, though nobody asked for one: 50 MB of nothing."""
    encoding = b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(PACKED)
    writer.write(HEAD + encoding + PACKED)
    await writer.drain()


async def pour(writer: asyncio.StreamWriter, frame: bytes = b"%b") -> None:
    for _ in range(50 * MIB // 65536):
        writer.write(frame % (b" " * 65536))
        await writer.drain()


ABORTING = {silence, stuck, endless, drip, drip_of_headers, announced, chunked, bomb}
"""Scripts that never come to an end by themselves."""

PATIENCE = Policy(deadline_s=5, max_bytes=MIB, attempts=2, base_delay_s=0.001, max_delay_s=0.002)
ONE_EACH = [
    next(asked for asked in CALLS if asked.system == system)
    for system in dict.fromkeys(a.system for a in CALLS)
]


async def failures_at(
    base_url: str, policy: Policy = PATIENCE, ca_file: Path | None = None
) -> dict[str, tuple[int, str]]:
    """Ask something of each system at an address, all at once; return what our callers are told."""
    async with open_transport(ScaiGridSettings(_env_file=None, ca_file=ca_file)) as http:
        clients = Clients(http, base_url, policy)
        started = time.monotonic()
        found = await asyncio.gather(*(asked.ask(clients) for asked in ONE_EACH), return_exceptions=True)
        assert time.monotonic() - started < policy.deadline_s + 2
    answers = {}
    for asked, failure in zip(ONE_EACH, found, strict=True):
        assert isinstance(failure, BaseException), asked.name
        assert TOKEN not in f"{failure!r}"
        error = told(failure)
        answers[asked.system] = error.status, error.error.removeprefix(asked.system)
    return answers


def all_are(status: int, kind: str) -> dict[str, tuple[int, str]]:
    return {asked.system: (status, kind) for asked in ONE_EACH}


@pytest.mark.parametrize(
    ("script", "status", "kind"),
    [
        (drip, 504, "_timeout"),
        (drip_of_headers, 504, "_timeout"),
        (silence, 504, "_timeout"),
        (stuck, 504, "_timeout"),
        (hang_up, 502, "_api"),
        (hang_up_in_between, 502, "_api"),
        (no_http, 502, "_api"),
        (endless, 502, "_api"),
        (announced, 502, "_api"),
        (chunked, 502, "_api"),
        (bomb, 502, "_api"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_real_server_that_misbehaves_is_left_in_time(script: Script, status: int, kind: str) -> None:
    async with Server(script) as served:
        policy = replace(PATIENCE, deadline_s=0.15) if status == 504 else PATIENCE
        assert await failures_at(f"http://127.0.0.1:{served.port}", policy) == all_are(status, kind)
    assert served.connections >= len(ONE_EACH)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_connection_that_takes_nothing_does_not_stay_with_what_was_to_be_sent(
    tls: bool, tmp_path: Path
) -> None:
    """It could for ever: a connection that is closed waits until the other end has read all."""
    context = certificate("localhost", tmp_path) if tls else None
    settings = ScaiGridSettings(_env_file=None, ca_file=tmp_path / "certificate.pem" if tls else None)
    before = sockets()
    async with Server(taking_nothing, context) as served, open_transport(settings) as http:
        address = f"{'https' if tls else 'http'}://localhost:{served.port}"
        clients = Clients(http, address, replace(PATIENCE, deadline_s=0.3))
        with pytest.raises(UpstreamTimedOut):
            await clients.scaigrid.create_core(clients.token, b" " * (32 * MIB))
        await asyncio.sleep(0.05)
        assert sockets() - before == 2  # the server's own: one that listens, one that reads nothing
    assert served.connections == 1


def sockets() -> int:
    """Return how many sockets this process has open."""
    found = 0
    for file in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the list's own
            found += stat.S_ISSOCK(os.fstat(int(file.name)).st_mode)
    return found


async def test_no_logger_is_told_a_secret_even_where_all_tell_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = TOKEN.encode()
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
        await writer.drain()

    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "aiohttp", "asyncio", "scaiflow_api"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with Server(refuse) as served:
        await failures_at(f"http://127.0.0.1:{served.port}")
    assert "scaiflow_api" in {record.name.split(".")[0] for record in caplog.records}
    assert TOKEN not in caplog.text
    assert "client-secret" not in caplog.text


async def test_a_redirect_is_not_followed_and_its_goal_learns_nothing() -> None:
    async with Server(hang_up) as goal:

        async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            address = b"http://127.0.0.1:%d/" % goal.port
            writer.write(b"HTTP/1.1 307 Gone\r\nContent-Length: 0\r\nLocation: " + address + b"\r\n\r\n")
            await writer.drain()

        async with Server(redirect) as first:
            assert await failures_at(f"http://127.0.0.1:{first.port}") == all_are(502, "_api")
    assert TOKEN.encode() in first.received
    assert goal.connections == 0


async def test_a_cookie_of_one_answer_does_not_go_with_the_next_request() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"data": {"id": "usr_alice"}}'
        writer.write(HEAD + b"Set-Cookie: session=alice\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with Server(answer) as served, open_transport(ScaiGridSettings(_env_file=None)) as http:
        clients = Clients(http, f"http://127.0.0.1:{served.port}", PATIENCE)
        for _ in range(2):
            await clients.scaigrid.me(clients.token)
    assert b"cookie" not in served.received.lower()


@pytest.mark.parametrize("status", [b"200 OK", b"408 Request Timeout"])
async def test_an_answer_that_nobody_asked_for_goes_to_nobody(status: bytes) -> None:
    """A proxy may send one on a kept connection: it would be taken for the next caller's."""
    body = b'{"data": {"id": "usr_alice"}}'
    foreign = body.replace(b"alice", b"blake")

    async def answer_twice(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(foreign)) + foreign)
        await asyncio.sleep(3)

    async with Server(answer_twice) as served, open_transport(ScaiGridSettings(_env_file=None)) as http:
        clients = Clients(http, f"http://127.0.0.1:{served.port}", PATIENCE)
        for _ in range(2):
            assert (await clients.scaigrid.me(clients.token)).id == "usr_alice"
            await asyncio.sleep(0.05)
    assert served.connections == 2


@pytest.mark.parametrize("token", ["t\u00f6k", "tok\r\nX-Forged: yes", "tok\x00", "tok\ud800"])
async def test_a_token_that_no_header_can_hold_is_not_sent(token: str) -> None:
    async with Server(hang_up) as served, open_transport(ScaiGridSettings(_env_file=None)) as http:
        clients = Clients(http, f"http://127.0.0.1:{served.port}", PATIENCE)
        with pytest.raises(UpstreamUnavailable) as caught:
            await clients.scaigrid.me(SecretStr(token))
    assert told(caught.value).error == "scaigrid_api"
    assert b"tok" not in served.received


@pytest.mark.parametrize(
    ("cause", "name", "ended", "trusted"),
    [
        ("self-signed certificate", "localhost", False, False),
        ("Hostname mismatch", "elsewhere.test", False, True),
        ("certificate has expired", "localhost", True, True),
        ("SSL", None, False, False),
    ],
    ids=["unsigned", "of another", "expired", "no TLS at all"],
)
async def test_a_server_that_cannot_prove_who_it_is_gets_no_request(
    cause: str, name: str | None, ended: bool, trusted: bool, tmp_path: Path
) -> None:
    context = certificate(name, tmp_path, ended=ended) if name else None
    ca_file = tmp_path / "certificate.pem" if trusted else None
    with capture_logs() as logged:
        async with Server(no_http, context, hasty=not name) as served:
            url = f"https://localhost:{served.port}"
            assert await failures_at(url, ca_file=ca_file) == all_are(502, "_api")
    assert TOKEN.encode() not in served.received
    assert all(cause in line["cause"] for line in logged if line["event"] == "upstream call failed")
    assert TOKEN not in str(logged)


async def test_an_authority_of_the_operators_is_trusted_as_well(tmp_path: Path) -> None:
    async with Server(no_http, certificate("localhost", tmp_path)) as served:
        await failures_at(f"https://localhost:{served.port}", ca_file=tmp_path / "certificate.pem")
    assert TOKEN.encode() in served.received


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_without_authorities_is_refused_at_once(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if text:
        file.write_text(text)
    with pytest.raises(ValidationError, match="no file of certificates"):
        ScaiGridSettings(_env_file=None, ca_file=file)


async def test_the_log_tells_an_operator_why_there_was_no_connection() -> None:
    with capture_logs() as logged, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        await failures_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
    (cause,) = {line["cause"] for line in logged if line["event"] == "upstream call failed"}
    assert "Connect call failed" in cause
