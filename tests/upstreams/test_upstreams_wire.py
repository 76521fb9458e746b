"""The clients' own connections, on asyncio's loop and on the one that the server runs on."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import uvloop
from certificates import certificate

from scaiflow_api.upstreams import wire

MIB = 1024 * 1024
LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10, keepalive_expiry=60)
Script: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve each connection by a script; give the port. At the end what still serves is cancelled."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(
        lambda *ends: tasks.append(asyncio.ensure_future(serve(*ends))), "127.0.0.1", 0, ssl=tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with its own body."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length: ")[1].split(b"\r")[0]) if b"content-length" in head else 0
        body = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
        await writer.drain()


def transport(verify: ssl.SSLContext | None = None) -> httpx.AsyncHTTPTransport:
    return wire.transport(verify or ssl.create_default_context(), LIMITS)


def request(port: int, content: bytes = b"", *, scheme: str = "http", **timeouts: float) -> httpx.Request:
    return httpx.Request(
        "POST", f"{scheme}://localhost:{port}/", content=content, extensions={"timeout": timeouts}
    )


async def asked(http: httpx.AsyncBaseTransport, wanted: httpx.Request) -> bytes:
    """Return the body of the answer."""
    response = await http.handle_async_request(wanted)
    return await response.aread()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_carries_one_request_after_the_other(run: Run, scheme: str, tmp_path: Path) -> None:
    connections = 0
    tls = certificate("localhost", tmp_path) if scheme == "https" else None
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem") if tls else None

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await echo(reader, writer)

    async def work() -> None:
        async with serving(counted, tls) as port, transport(trusting) as http:
            for content in (b"one", b"", b"x" * 5 * MIB, b"four"):
                assert await asked(http, request(port, content, scheme=scheme)) == content

    run(work())
    assert connections == 1


@pytest.mark.parametrize("farewell", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
def test_a_connection_that_was_closed_meanwhile_is_not_used_again(run: Run, farewell: bytes) -> None:
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await asyncio.sleep(0.05)  # else it belongs to the answer
        writer.write(farewell)

    async def work() -> None:
        async with serving(once) as port, transport() as http:
            for _ in range(3):
                assert await asked(http, request(port)) == b""
                await asyncio.sleep(0.15)

    run(work())
    assert connections == 3


def test_no_more_is_taken_than_somebody_reads(run: Run) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1024 * MIB))
        while True:
            writer.write(b"x" * MIB)
            await writer.drain()
            sent += 1

    async def work() -> None:
        async with serving(endless) as port, transport() as http:
            response = await http.handle_async_request(request(port))
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 64, "the rest is in the system's buffers"
            assert isinstance(response.stream, httpx.AsyncByteStream)
            read = 0
            async for chunk in response.stream:
                read += len(chunk)
                if read > 100 * MIB:
                    break
            await response.aclose()

    run(work())
    assert sent >= 100


def test_who_writes_waits_for_who_does_not_read(run: Run) -> None:
    async def deaf(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def work() -> None:
        async with serving(deaf) as port, transport() as http:
            with pytest.raises(httpx.WriteTimeout):
                await asked(http, request(port, b"x" * 64 * MIB, write=0.2))
            with pytest.raises(httpx.ReadTimeout):
                await asked(http, request(port, b"x", read=0.05))

    run(work())


def test_a_connection_that_breaks_is_told(run: Run) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
        )
        writer.transport.abort()

    async def work() -> None:
        async with serving(breaking) as port, transport() as http:
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await asked(http, request(port))

    run(work())


def test_a_certificate_that_nobody_knows_and_a_handshake_without_an_answer(run: Run, tmp_path: Path) -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def work() -> None:
        async with serving(echo, certificate("localhost", tmp_path)) as port, transport() as http:
            with pytest.raises(httpx.ConnectError):
                await asked(http, request(port, scheme="https"))
        async with serving(silent) as port, transport() as http:
            with pytest.raises(httpx.ConnectTimeout):
                await asked(http, request(port, scheme="https", connect=0.1))

    run(work())


async def test_the_next_address_is_tried_where_the_first_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(_: str, port: int, *__: object, **___: object) -> list[tuple[Any, ...]]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

    async with serving(echo) as port, transport() as http:
        monkeypatch.setattr(socket, "getaddrinfo", two)
        assert await asked(http, request(port, b"here")) == b"here"
