"""What a route for sockets asks for: who may be here, as its rule says it, and what a server can do for its sockets.

A refusal must not keep the handshake from happening: a browser tells nobody why a handshake failed. So the route's
dependency only brings the judgement along, and the route, once it has accepted the socket, asks for it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from fastapi import WebSocket
from starlette.types import Receive, Send

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.auth.errors import PermissionDenied
from scaiflow_api.auth.tokens import Claims
from scaiflow_api.kit.errors import AppError
from scaiflow_api.web.authentication import Authenticator
from scaiflow_api.web.context import begun, identified

ABORT: Final = "scaiflow.abort"
"""The ASGI extension by which a connection can be cut."""
STAY: Final = "scaiflow.stay"
"""The ASGI extension by which an accepted socket is served when the call that accepted it is over."""
SUBPROTOCOL: Final = "scaiflow.sync.v1"
_BEARER: Final = "bearer."

Serving: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
Admission: TypeAlias = Callable[[WebSocket], Awaitable[tuple[Caller, Claims | None, frozenset[str]]]]
"""Returns who opens a socket, what the token says (None: none is asked for), and the permissions. Or raises."""


def admits(permission: str, level: Level) -> Callable[[], Awaitable[Admission]]:
    """Return a dependency that brings the judgement: a holder of `permission`. The route itself asks for `level`."""

    async def admission() -> Admission:
        return admit

    async def admit(websocket: WebSocket) -> tuple[Caller, Claims | None, frozenset[str]]:
        authenticator: Authenticator = websocket.app.state.authenticator
        with begun(websocket.scope) as ids:
            try:
                caller, claims = await authenticator.recognize(token_of(websocket), request_id=ids.request_id)
                identified(websocket.scope, caller)
                permissions = await authenticator.permissions(caller)
                if permission not in permissions:
                    raise PermissionDenied(needed=permission)
            except AppError as error:
                await note_refusal(websocket, error)
                raise
        return caller, claims, permissions

    admission.__dict__["permission"] = permission
    admission.__dict__["role"] = None
    admission.__dict__["acl"] = level.label
    return admission


async def note_refusal(websocket: WebSocket, error: AppError) -> None:
    """Have the audit log tell of a refusal, if it is of the kind."""
    if error.denies:
        await websocket.app.state.denials.note({**websocket.scope, "method": "WEBSOCKET"}, error)


def token_of(websocket: WebSocket) -> str | None:
    """Return the token of a handshake: of the query, or of a subprotocol, since a browser cannot send a header."""
    for name in ("token", "access_token"):
        if found := websocket.query_params.get(name):
            return found
    offered: list[str] = websocket.scope.get("subprotocols", [])
    for subprotocol in offered:
        if subprotocol.startswith(_BEARER):
            return subprotocol.removeprefix(_BEARER)
    scheme, _, credential = websocket.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


async def stay(websocket: WebSocket, serving: Serving) -> None:
    """Have an accepted socket served, where the server can do that without the call that we are in.

    Routes, middleware, headers and token of the call are two thirds of what an idle socket takes of memory.
    """
    keep: Callable[[Serving], None] | None = websocket.scope.get("extensions", {}).get(STAY)
    if keep is None:
        await serving(websocket.receive, websocket.send)
    else:
        keep(serving)


def cutter(websocket: WebSocket) -> Callable[[], None]:
    """Return what cuts the connection without another word, where the server can."""
    cut: Callable[[], None] = websocket.scope.get("extensions", {}).get(ABORT, lambda: None)
    return cut
