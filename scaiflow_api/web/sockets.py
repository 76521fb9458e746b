"""What a WebSocket route needs: the check of who may open the socket, and extensions of our server.

A refusal must not prevent the handshake, because a browser does not say why a handshake failed. So the route's
dependency only hands the check over; the route accepts the socket first, and then makes the check.
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
from scaiflow_api.web.context import remember_caller, traced

ABORT: Final = "scaiflow.abort"
"""The ASGI extension that cuts a connection."""
STAY: Final = "scaiflow.stay"
"""The ASGI extension that goes on serving an accepted socket after the call that accepted it has returned."""
SUBPROTOCOL: Final = "scaiflow.sync.v1"
_BEARER: Final = "bearer."

Serving: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
Admission: TypeAlias = Callable[[WebSocket], Awaitable[tuple[Caller, Claims | None, frozenset[str]]]]
"""Returns the caller, the token's claims (None while no token is asked for) and the permissions; or raises."""


def admits(permission: str, level: Level) -> Callable[[], Awaitable[Admission]]:
    """Return a dependency that hands over the check for `permission`. The route itself checks the `level`."""

    async def admission() -> Admission:
        return admit

    async def admit(websocket: WebSocket) -> tuple[Caller, Claims | None, frozenset[str]]:
        authenticator: Authenticator = websocket.app.state.authenticator
        with traced(websocket.scope) as ids:
            try:
                caller, claims = await authenticator.recognize(token_of(websocket), request_id=ids.request_id)
                remember_caller(websocket.scope, caller)
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
    """Write a refusal to the audit log, if the error is one."""
    if error.denies:
        await websocket.app.state.denials.note({**websocket.scope, "method": "WEBSOCKET"}, error)


def token_of(websocket: WebSocket) -> str | None:
    """Return a handshake's token, from query, subprotocol or header: a browser cannot send the last."""
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
    """Serve an accepted socket; where the server can, outside of the current call, which may then return.

    The call's routes, middleware, headers and token would be two thirds of an idle socket's memory.
    """
    keep: Callable[[Serving], None] | None = websocket.scope.get("extensions", {}).get(STAY)
    if keep is None:
        await serving(websocket.receive, websocket.send)
    else:
        keep(serving)


def cutter(websocket: WebSocket) -> Callable[[], None]:
    """Return a function that cuts the connection at once; it does nothing where the server cannot."""
    cut: Callable[[], None] = websocket.scope.get("extensions", {}).get(ABORT, lambda: None)
    return cut
