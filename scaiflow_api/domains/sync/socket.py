"""One socket, from its handshake to its end."""

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from starlette.types import Receive, Send

from scaiflow_api.auth.errors import AccountNotActive, InvalidToken, NotAuthenticated, PermissionDenied
from scaiflow_api.auth.tenancy import reads_of
from scaiflow_api.db.models.flow import Flow
from scaiflow_api.db.session import Database
from scaiflow_api.domains.flows.errors import FlowNotFound
from scaiflow_api.domains.sync.access import Admitted, access_of
from scaiflow_api.domains.sync.awareness import SaidTooMuch
from scaiflow_api.domains.sync.closing import (
    MALFORMED,
    NO_ACCESS,
    NO_FLOW,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    TOO_MANY_PEERS,
    TRY_AGAIN,
    UNAVAILABLE,
    Closing,
)
from scaiflow_api.domains.sync.draft.errors import DraftTooLarge
from scaiflow_api.domains.sync.keeper.helper import HelperLost
from scaiflow_api.domains.sync.peer import Peer
from scaiflow_api.domains.sync.protocol import Awareness, QueryAwareness, State, Update, decoded
from scaiflow_api.domains.sync.repository import SyncRepository
from scaiflow_api.domains.sync.room import Room
from scaiflow_api.domains.sync.rooms import Rooms, TooManyPeers
from scaiflow_api.domains.sync.varints import Malformed
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import Sync
from scaiflow_api.upstreams.failures import UpstreamError
from scaiflow_api.web.sockets import Admission, cutter, note_refusal

log = structlog.get_logger(__name__)

_CLOSE_WITHIN_S: Final = 2.0
_CUT_AFTER_S: Final = 10.0
"""How long the other end has to answer a close before the connection is cut: who does not read would keep it."""
_MOST_VECTOR_BYTES: Final = 1024 * 1024
"""A state vector of some hundred thousand clients."""


_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Refused(Exception):
    """The socket is to be closed."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(closing)
        self.closing = closing


class SyncSocket:
    """Serves one accepted socket with `run`."""

    def __init__(
        self,
        websocket: WebSocket,
        flow_id: str,
        admission: Admission,
        *,
        rooms: Rooms,
        db: Database,
        settings: Sync,
    ) -> None:
        self._handshake: tuple[WebSocket, Admission] | None = (websocket, admission)
        self._cut = cutter(websocket)
        self._flow_id = flow_id
        self._rooms = rooms
        self._db = db
        self._settings = settings
        self._peer: Peer | None = None
        self._opened = asyncio.timeout(settings.opening_timeout_s)
        """What comes in does not prolong it. It also ends what lasts longer, when the peer is to be closed."""
        self._gone = False

    async def run(self, receive: Receive, send: Send) -> None:
        """Let the caller in, and carry messages until one of the two has enough."""
        self._receive, self._send = receive, send
        closing: Closing | None = None
        try:
            await self._carry()
        except Refused as refused:
            closing = refused.closing
        except Malformed:
            closing = MALFORMED
        except WebSocketDisconnect:
            self._gone = True
        except TooManyPeers:
            closing = TOO_MANY_PEERS
        except (DraftTooLarge, SaidTooMuch):
            closing = TOO_LARGE
        except (AppError, UpstreamError, DBAPIError, HelperLost, TimeoutError) as failure:
            if self._peer is None or self._peer.closing is None:
                log.warning("socket not served", flow_id=self._flow_id, failure=repr(failure))
            closing = UNAVAILABLE
        except Exception:
            log.exception("socket not served", flow_id=self._flow_id)
            closing = TRY_AGAIN
        await self._close((self._peer and self._peer.closing) or closing)

    async def _carry(self) -> None:
        async with self._opened:
            flow, admitted, may_write = await self._admitted()
            self._peer = peer = Peer(
                self._send_frame,
                admitted,
                may_write=may_write,
                most_waiting=self._settings.max_outbound_bytes,
                counters=self._rooms.counters,
                ended=self._end,
            )
            room = await self._rooms.enter(flow, peer)
            del flow, admitted
            try:
                while not await self._handled(peer, room, State):
                    pass
                if peer.closing is None:
                    self._opened.reschedule(None)
                while True:
                    await self._handled(peer, room)
            finally:
                room.leave(peer)
                await peer.silence()

    def _end(self) -> None:
        with suppress(RuntimeError):  # it has ended by itself
            self._opened.reschedule(0)

    async def _admitted(self) -> tuple[Flow, Admitted, bool]:
        """Return the flow, who comes, and whether they may write. Raises Refused."""
        assert self._handshake is not None
        (websocket, admission), self._handshake = self._handshake, None
        try:
            caller, claims, permissions = await admission(websocket)
        except (NotAuthenticated, InvalidToken, AccountNotActive):
            raise Refused(NOT_AUTHENTICATED) from None
        except PermissionDenied:
            raise Refused(NO_ACCESS) from None
        # The token was for asking others; for hours from here on nobody needs it.
        admitted = Admitted(replace(caller, token=SecretStr("")), claims, permissions)
        found = None
        if _ID.fullmatch(self._flow_id):
            async with self._db.read() as session:
                found = await SyncRepository(session).find(self._flow_id, reads_of(caller))
        there = found is not None and not found.deleted
        access = access_of(admitted, found) if there else NO_FLOW
        if found is None or isinstance(access, Closing):
            await note_refusal(websocket, FlowNotFound(flow_id=self._flow_id))
            raise Refused(access if isinstance(access, Closing) else NO_FLOW)
        return found.flow, admitted, access

    async def _handled(self, peer: Peer, room: Room, wanted: type[State] | None = None) -> bool:
        """Take one message; tells whether it is of the `wanted` kind, before which no change may come."""
        message = decoded(await self._frame())
        match message:
            case State(vector):
                if len(vector) > _MOST_VECTOR_BYTES:
                    raise Refused(TOO_LARGE)
                await room.join(peer, vector)
            case Update(update, answers):
                if wanted is not None:
                    raise Malformed("a change before the state that it comes from")
                await room.change(peer, update, answers=answers)
            case Awareness(update):
                room.crowd.say(peer, update)
            case QueryAwareness():
                room.crowd.ask(peer)
        return wanted is not None and isinstance(message, wanted)

    async def _frame(self) -> bytes:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        frame: bytes | None = message.get("bytes")
        if frame is None:
            raise Malformed("a message of text")
        self._rooms.counters.bytes_received += len(frame)
        if len(frame) > self._settings.max_message_bytes:
            raise Refused(TOO_LARGE)
        return frame

    async def _send_frame(self, frame: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": frame})

    async def _close(self, closing: Closing | None) -> None:
        if closing is None or self._gone:
            return
        self._rooms.counters.closed[closing.code] += 1
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
            asyncio.get_running_loop().call_later(_CUT_AFTER_S, self._cut)
        except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            with suppress(RuntimeError):
                self._cut()
