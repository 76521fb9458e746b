"""Clients of a draft over real sockets, with pycrdt's own half of the protocol; and a server for them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import uvicorn
import websockets
from fastapi import FastAPI
from people import Person
from pycrdt import Doc, Map, create_sync_message, create_update_message, handle_sync_message
from websockets.asyncio.client import ClientConnection

from scaiflow_api.cli.sockets import HttpConnections, Sockets
from scaiflow_api.domains.sync import awareness
from scaiflow_api.domains.sync.protocol import awareness_frame

PATIENCE_S = 10.0
FRAME_HEADROOM = 4096
"""Bytes by which the limit of the server itself is above ours."""
Json = dict[str, Any]


@asynccontextmanager
async def served(app: FastAPI, *, as_ours: bool = True) -> AsyncIterator[str]:
    """Serve an application on a free port, `as_ours` or as uvicorn alone does; yield the address of its API."""
    protocols: Json = {"http": HttpConnections, "ws": Sockets} if as_ours else {}
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        **protocols,
        ws_max_size=app.state.resources.settings.sync.max_message_bytes + FRAME_HEADROOM,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        assert not task.done(), task.result()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/api/v1"
    finally:
        server.should_exit = True
        await task


async def eventually(holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


class Client:
    """A person's window on a draft. It keeps its document when it loses its connection."""

    def __init__(self, url: str, flow_id: str, person: Person, **options: Any) -> None:
        self.doc: Doc[Any] = Doc(client_id=random.getrandbits(32))  # as Yjs; pycrdt's own are larger
        self.flow: Map[Any] = self.doc.get("flow", type=Map)
        self.diagnostics: Map[Any] = self.doc.get("diagnostics", type=Map)
        self.url = f"{url}/flows/{flow_id}/sync"
        self.token = person.token()
        self.options = options
        self.synced = asyncio.Event()
        self.refusals: list[bytes] = []
        self.states: dict[int, Json | None] = {}
        self.delay: Callable[[], float] = lambda: 0.0
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._subscription = self.doc.observe(self._changed)
        self._applying = False
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    @property
    def nodes(self) -> "Map[Any]":
        found: Map[Any] = self.flow["nodes"]
        return found

    def content(self) -> Any:
        return self.flow.to_py()

    async def connect(self) -> "Client":
        """Connect, and return when both sides have what the other has."""
        await self.open()
        await asyncio.wait_for(self.synced.wait(), PATIENCE_S)
        return self

    async def open(self) -> None:
        """Connect, and say what we have."""
        await self.drop()
        self.synced.clear()
        self._outgoing = asyncio.Queue()
        self._socket = await websockets.connect(
            f"{self.url}?token={self.token}", max_size=None, compression=None, **self.options
        )
        with suppress(websockets.ConnectionClosed):  # `closed` tells why
            await self._socket.send(create_sync_message(self.doc))
        self._reader = asyncio.create_task(self._read(self._socket))
        self._writer = asyncio.create_task(self._write(self._socket))

    async def closed(self) -> int:
        """Wait until the server closes the socket; return its code."""
        assert self._socket is not None
        await asyncio.wait_for(self._socket.wait_closed(), PATIENCE_S)
        assert self._socket.close_code is not None
        return self._socket.close_code

    async def send(self, frame: bytes | list[bytes]) -> None:
        """Send a message, in one frame or in several."""
        assert self._socket is not None
        await self._socket.send(frame)

    def say(self, state: Json | None, clock: int = 1, client: int | None = None) -> None:
        """Say where we are."""
        entry = awareness.Entry(client or self.doc.client_id, clock, orjson.dumps(state))
        self._outgoing.put_nowait(awareness_frame(awareness.written([entry])))

    async def drop(self) -> None:
        """Lose the connection, without a word."""
        for task in (self._reader, self._writer):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._socket is not None:
            self._socket.transport.abort()
            with suppress(websockets.ConnectionClosed):
                await self._socket.wait_closed()
            self._socket = None

    def _changed(self, event: Any) -> None:
        if not self._applying and self._socket is not None:
            self._outgoing.put_nowait(create_update_message(event.update))

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(websockets.ConnectionClosed):
            while True:
                frame = await self._outgoing.get()
                if wait := self.delay():
                    await asyncio.sleep(wait)
                await socket.send(frame)

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(websockets.ConnectionClosed):
            async for frame in socket:
                assert isinstance(frame, bytes)
                match frame[0]:
                    case 0:
                        self._applying = True
                        answer = handle_sync_message(frame[1:], self.doc)
                        self._applying = False
                        if answer is not None:
                            await socket.send(answer)
                            self.synced.set()  # the server asks after it has told
                    case 1:
                        reader = awareness.Reader(frame[1:])
                        for entry in awareness.decoded(reader.data()):
                            self.states[entry.client] = orjson.loads(entry.state)
                    case 2:
                        self.refusals.append(frame)
