"""A transport of httpx over aiohttp: answers are parsed in C, with no layer between event loop and socket.

A short call takes a third of the processor time that `httpx.AsyncHTTPTransport` takes (ADR 0028).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

_IDLE_S = 2.0
"""Servers commonly drop idle connections after 5 s; we drop them first, or a POST meets a closing one."""

_WRITTEN_AT_ONCE = 65_536
"""A longer body is written in pieces, each when the one before is gone."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends what a request holds, and no more: no cookies, no redirects, no proxy or password of the environment.

    The number of connections has no bound here (see `FairTransport`). Of a request's timeouts only `connect` counts:
    its caller sets a deadline for the whole call.
    """

    def __init__(self, *, verify: ssl.SSLContext, keep_alive: bool = True) -> None:
        self._verify = verify
        self._keep_alive = keep_alive
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body unread. Raises httpx.TransportError."""
        if self._session is None:
            self._session = self._open()
        timeouts: dict[str, float] = request.extensions.get("timeout", {})
        content = await request.aread()
        with _as_httpx(request):
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers,
                data=(content if len(content) <= _WRITTEN_AT_ONCE else BytesIO(content)) or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=timeouts.get("connect")),
                server_hostname=request.extensions.get("sni_hostname"),
            )
        return httpx.Response(
            answer.status, headers=list(answer.raw_headers), stream=_Body(answer, request), request=request
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = (
            _Connector(limit=0, ssl=self._verify, keepalive_timeout=_IDLE_S)
            if self._keep_alive
            else _Connector(limit=0, ssl=self._verify, force_close=True)
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )


class _Connector(aiohttp.TCPConnector):
    """Leaves a kept connection alone on which something came that nobody had asked for, and ends others at once.

    aiohttp would take what came for the answer to the next request, which may be another caller's. It would also
    close a connection gently: then it stays until the other end has read what was to be sent, or has agreed to the
    end of TLS, which one that means harm never does.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._kept: WeakSet[aiohttp.client_proto.ResponseHandler] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(*args, **options)
            protocol = connection.protocol
            assert protocol is not None
            if connection.transport is not None:
                connection.add_callback(partial(_end_soon, connection.transport))
            if protocol not in self._kept or not protocol.should_close:
                self._kept.add(protocol)
                return connection
            connection.close()


def _end_soon(transport: asyncio.Transport) -> None:
    """End a connection that is given back, unless it is kept: that is decided next."""
    asyncio.get_running_loop().call_soon(_end, transport)


def _end(transport: asyncio.Transport) -> None:
    if transport.is_closing():
        transport.abort()


class _Body(httpx.AsyncByteStream):
    """The body of an answer. The connection is used again only if the body was read to its end."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for chunk in self._answer.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


@contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """Raise aiohttp's errors as httpx's. `ConnectError` and `ConnectTimeout` mean that nothing was sent."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as fault:
        raise httpx.ConnectTimeout(str(fault), request=request) from fault
    except aiohttp.ClientConnectorError as fault:
        raise httpx.ConnectError(str(fault), request=request) from fault
    except aiohttp.ClientOSError as fault:
        raise httpx.ReadError(str(fault), request=request) from fault
    except aiohttp.ClientError as fault:  # the connection was closed early, or the answer is no HTTP
        raise httpx.RemoteProtocolError(str(fault), request=request) from fault
    except ValueError as fault:  # a header that cannot be sent
        raise httpx.LocalProtocolError(type(fault).__name__, request=request) from None
