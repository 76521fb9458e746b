"""Giving up work that only one client waits for when that client disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from scaiflow_api.kit.errors import AppError
from scaiflow_api.web.idempotency import HEADER

T = TypeVar("T")


class ClientGone(AppError):
    """Nobody is left to read this error; it is for the request's log line."""

    status, error = 499, "client_gone"
    template = "The client went away before its answer was ready; the work was given up."


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns. If the client disconnects first, cancel it, wait for its end and raise ClientGone.

    The request's body must have been read. A request with an `Idempotency-Key` is always carried out: its client
    may come back for the answer.
    """
    if HEADER in request.headers:
        return await work
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task, gone})
    if not task.cancelled() and (failure := task.exception()) is not None:
        raise failure
    raise ClientGone


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
