"""The connections of the clients: httpx and httpcore over asyncio itself.

httpcore's own backend goes through anyio. For each piece that is read or written that enters a scope and lets the
loop turn, and it encrypts by itself: a fifth of what a short call costs, a third of one whose body is withheld.
"""

import asyncio
import select
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, cast

import httpcore
import httpx

_NEXT_ADDRESS_S: Final = 0.25
"""So long one address of a host is tried alone before the next one is tried beside it (RFC 8305)."""
_AHEAD: Final = 256 * 1024
"""Bytes that are read before anybody asks for them."""


def transport(verify: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncHTTPTransport:
    """Return httpx's transport over such connections. It takes no proxy from the environment."""
    made = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)
    # httpx has no argument for it.
    made._pool = httpcore.AsyncConnectionPool(
        ssl_context=verify,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=_Network(),
    )
    return made


class _Network(httpcore.AsyncNetworkBackend):
    """Opens connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await _connected(host, port)
        except TimeoutError as fault:
            raise httpcore.ConnectTimeout from fault
        except OSError as fault:
            raise httpcore.ConnectError(str(fault)) from fault

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _connected(host: str, port: int) -> "_Wire":
    """Return a connection to the first of the host's addresses that takes one. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    attempts = [partial(loop.create_connection, _Wire, str(place[0]), port) for *_, place in found]
    made, _, failures = await staggered_race(attempts, _NEXT_ADDRESS_S, loop=loop)
    if made is None:
        raise next(failure for failure in failures if failure is not None)
    return cast("_Wire", made[1])


class _Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection, encrypted or not."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._came = bytearray()
        self._full = False
        self._ended = False
        self._failure: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        """What a reader waits for."""
        self._room: asyncio.Future[None] | None = None
        """What a writer waits for, while more was written than the system takes."""

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if len(self._came) > _AHEAD and not self._full:
            self._full = True
            self._transport.pause_reading()
        _tell(self._arrival)

    def eof_received(self) -> None:
        self._ended = True
        _tell(self._arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._failure = True, exc
        _tell(self._arrival)
        _tell(self._room)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _tell(self._room)
        self._room = None

    # What httpcore asks for.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if not self._came and not self._ended:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._arrival
            except TimeoutError as late:
                raise httpcore.ReadTimeout from late
            finally:
                self._arrival = None
        if not self._came and self._failure is not None:
            raise httpcore.ReadError(str(self._failure)) from self._failure
        piece = bytes(self._came[:max_bytes])
        del self._came[:max_bytes]
        if self._full and len(self._came) <= _AHEAD:
            self._full = False
            self._transport.resume_reading()
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not buffer:
            return
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed")
        self._transport.write(buffer)
        if self._room is None:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._room
        except TimeoutError as late:
            raise httpcore.WriteTimeout from late
        if self._failure is not None:
            raise httpcore.WriteError(str(self._failure)) from self._failure

    async def aclose(self) -> None:
        # Not `close`, which would wait for an other side that does not read, or does not say goodbye.
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except BaseException as fault:
            self._transport.abort()
            if isinstance(fault, TimeoutError):
                raise httpcore.ConnectTimeout from fault
            if isinstance(fault, OSError):
                raise httpcore.ConnectError(str(fault)) from fault
            raise
        assert encrypted is not None
        self._transport = encrypted
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # Nothing was asked for yet: what is there to read is the connection's end.
            closed = self._ended or self._transport.is_closing()
            return closed or bool(self._came) or _has_arrived(self._transport)
        return self._transport.get_extra_info(info)


def _tell(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _has_arrived(transport: asyncio.Transport) -> bool:
    """Tell whether something came that the loop has not looked at yet."""
    watched = select.poll()
    watched.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(watched.poll(0))
