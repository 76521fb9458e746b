"""Connections as uvicorn serves them, without what a socket that stays for hours would keep of its handshake.

Also answers in one piece, and a way to cut a socket whose other end does not read.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from scaiflow_api.domains.sync.closing import TOO_LARGE
from scaiflow_api.web.sockets import ABORT, STAY, Serving

_JOINED_BYTES = 65_536
"""A larger body is sent by itself: copying it would take longer than what is saved."""


class WholeAnswers:
    """A transport that sends the head of an answer with its body, where uvicorn writes the one and then the other.

    Each write wakes whoever waits at the other end. A head whose body is not there yet goes first.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        if self._head and len(data) <= _JOINED_BYTES:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._send_head()
            self._head = data
            asyncio.get_running_loop().call_soon(self._send_head)
            return
        self._send_head()
        self.transport.write(data)

    def close(self) -> None:
        self._send_head()
        self.transport.close()

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self.transport.write(head)


class HttpConnections(HttpToolsProtocol):
    """uvicorn lets go of a parser when its connection ends, but not when it becomes a socket.

    Parser and connection refer to each other, so both would wait for the next search for garbage.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._own = transport
        super().connection_made(WholeAnswers(transport))  # type: ignore[arg-type]

    def handle_websocket_upgrade(self) -> None:
        self.transport = self._own
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]


class Frames(ServerProtocol):
    """Refuses what is too long to be read with our own code: after 1009 a client comes again, and sends it again."""

    def fail(self, code: int, reason: str = "") -> None:
        closing = TOO_LARGE if code == CloseCode.MESSAGE_TOO_BIG else (code, reason)
        super().fail(*closing)


class Sockets(WebSocketsSansIOProtocol):
    """A socket that can be cut, and that forgets its handshake.

    uvicorn waits until what was written is read before it closes a connection: some read never. And the call of the
    application, with all routes and middleware in it, lasts as long as the socket: here its last part may outlive it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = Frames(max_size=self.config.ws_max_size, logger=self.logger)
        self._application = self.app
        self._serving: Serving | None = None
        self.app = self._serve

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # else it was refused
            extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[ABORT] = self.transport.abort
            extensions[STAY] = self._stay

    def _stay(self, serving: Serving) -> None:
        self._serving = serving

    async def _serve(self, *call: Any) -> None:
        await self._application(*call)
        if (serving := self._serving) is not None:
            del call
            self._forget_handshake()
            await serving(self.receive, self.send)  # type: ignore[arg-type]

    def _forget_handshake(self) -> None:
        """Let go of headers and token, which the parser of frames has in its hands for as long as there are any."""
        self.scope = {}  # type: ignore[typeddict-item]
        self.request.path, self.request.headers = "", Headers()
        del self.response
