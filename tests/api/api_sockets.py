"""Sockets within this process: nothing but the application is between the test and its routes."""

import asyncio
from typing import Any

from fastapi import FastAPI

Json = dict[str, Any]
NOT_ACCEPTED = 0


async def opened(app: FastAPI, path: str, headers: dict[str, str]) -> int | None:
    """Open the socket of a draft; return the code that it is closed with, None if one is let in.

    NOT_ACCEPTED where not even the handshake happens.
    """
    sent: asyncio.Queue[Json] = asyncio.Queue()
    to_send: asyncio.Queue[Json] = asyncio.Queue()
    for message in (
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "bytes": b"\x00\x00\x01\x00"},
    ):
        to_send.put_nowait(message)
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "subprotocols": [],
    }
    task = asyncio.create_task(app(scope, to_send.get, sent.put))
    if (await sent.get())["type"] != "websocket.accept":
        await task
        return NOT_ACCEPTED
    answer = await sent.get()
    to_send.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await task
    code: int | None = answer.get("code")
    return code
