"""Sockets as uvicorn serves them, with a way to cut one whose other end does not read."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from scaiflow_api.web.sockets import ABORT


class CuttableSockets(WebSocketsSansIOProtocol):
    """uvicorn waits until what was written is read, before it closes a connection: some read never."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # else it was refused
            extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[ABORT] = self.transport.abort
