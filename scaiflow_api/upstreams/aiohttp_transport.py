"""A transport of httpx over aiohttp: answers are parsed in C, with no layer between event loop and socket.

A short call takes a third of the processor time that `httpx.AsyncHTTPTransport` takes (ADR 0028).
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

_IDLE_S = 2.0
"""Servers commonly drop idle connections after 5 s; we drop them first, or a POST meets a closing one."""


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
                data=content or None,
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
            else aiohttp.TCPConnector(limit=0, ssl=self._verify, force_close=True)
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )


class _Connector(aiohttp.TCPConnector):
    """Leaves a kept connection alone on which something came that nobody had asked for.

    aiohttp would take that for the answer to the next request, which may be another caller's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._kept: WeakSet[aiohttp.client_proto.ResponseHandler] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(*args, **options)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._kept or not protocol.should_close:
                self._kept.add(protocol)
                return connection
            connection.close()


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
