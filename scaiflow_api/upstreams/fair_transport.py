"""A transport of whose connections each tenant has a share: slow calls of one leave room for the others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from weakref import WeakValueDictionary

import httpx

PARTY: Final = "scaiflow_party"
"""The extension of a request that says whose it is; one without is this service's own, and has no share."""


class FairTransport(httpx.AsyncBaseTransport):
    """Lets each party have `most` requests under way; what is more waits, for `patience_s`, then PoolTimeout."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, most: int, patience_s: float) -> None:
        self._inner = inner
        self._most = most
        self._patience_s = patience_s
        # Forgotten with the last request that holds or awaits a place.
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        party = request.extensions.get(PARTY)
        if party is None:
            return await self._inner.handle_async_request(request)
        places = self._places.get(party)
        if places is None:
            places = self._places[party] = asyncio.Semaphore(self._most)
        try:
            async with asyncio.timeout(self._patience_s if places.locked() else None):
                await places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("the share of connections is in use", request=request) from None
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            places.release()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Held(response.stream, places)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Held(httpx.AsyncByteStream):
    """The body of an answer; closing it gives the place back."""

    def __init__(self, body: httpx.AsyncByteStream, places: asyncio.Semaphore) -> None:
        self._body = body
        self._places: asyncio.Semaphore | None = places

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            places, self._places = self._places, None
            if places is not None:
                places.release()
