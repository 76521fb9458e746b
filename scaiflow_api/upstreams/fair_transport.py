"""A transport with a bounded number of connections, and a share of them for each tenant: slow calls leave room."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final
from weakref import WeakValueDictionary

import httpx

PARTY: Final = "scaiflow_party"
"""The extension of a request that says whose it is; one without is this service's own, and has no share."""


class FairTransport(httpx.AsyncBaseTransport):
    """Lets `most` requests be under way, `most_of_one` of one party; what is more waits for `patience_s`.

    Raises httpx.PoolTimeout when the patience is over.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, most: int, most_of_one: int, patience_s: float
    ) -> None:
        self._inner = inner
        self._most_of_one = most_of_one
        self._patience_s = patience_s
        self._all = asyncio.Semaphore(most)
        # Forgotten with the last request that holds or awaits a place.
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        places = self._places_of(request.extensions.get(PARTY))
        if any(place.locked() for place in places):
            await self._wait_for(places, request)
        else:
            for place in places:  # free, so this does not wait
                await place.acquire()
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            _give_back(places)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Held(response.stream, places)
        return response

    def _places_of(self, party: str | None) -> tuple[asyncio.Semaphore, ...]:
        if party is None:
            return (self._all,)
        share = self._shares.get(party)
        if share is None:
            share = self._shares[party] = asyncio.Semaphore(self._most_of_one)
        # Its own first: who waits for that takes no place of others.
        return share, self._all

    async def _wait_for(self, places: tuple[asyncio.Semaphore, ...], request: httpx.Request) -> None:
        taken: list[asyncio.Semaphore] = []
        try:
            async with asyncio.timeout(self._patience_s):
                for place in places:
                    await place.acquire()
                    taken.append(place)
        except BaseException as fault:
            _give_back(taken)
            if isinstance(fault, TimeoutError):
                raise httpx.PoolTimeout("all connections are in use", request=request) from None
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Held(httpx.AsyncByteStream):
    """The body of an answer; closing it gives the places back."""

    def __init__(self, body: httpx.AsyncByteStream, places: Iterable[asyncio.Semaphore]) -> None:
        self._body = body
        self._places = places

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            places, self._places = self._places, ()
            _give_back(places)


def _give_back(places: Iterable[asyncio.Semaphore]) -> None:
    for place in places:
        place.release()
