"""Addresses that a tenant named: which of them may be called, and a transport that checks that at every connection.

A name is looked up once per request, and the request goes to an address of that answer. So a name that leads
elsewhere the next moment gains nothing.

The name server may be the tenant's too, and may stay silent for half a minute each time it is asked. So names are
looked up on threads of their own: the event loop's threads compile and read documents for everybody. Of these threads
each tenant has a few, until they are done: nobody can stop one by waiting no longer.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import httpx

from scaiflow_api.upstreams.aiohttp_transport import AiohttpTransport
from scaiflow_api.upstreams.connections import trusted_authorities
from scaiflow_api.upstreams.failures import AddressRefused, System
from scaiflow_api.upstreams.fair_transport import PARTY

LONGEST_URL: Final = 500
_FORBIDDEN: Final = re.compile(r"[^!-~]|[\\?#]")
_TRIED_AT_MOST: Final = 3
_LOOKING_UP: Final = ThreadPoolExecutor(max_workers=64, thread_name_prefix="names")
_LOOKUPS_OF_ONE: Final = 8
_shares: Final[WeakValueDictionary[str, asyncio.Semaphore]] = WeakValueDictionary()
"""By party; forgotten with the last lookup that holds or awaits one."""
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that was given out of IPv6; outside are also addresses of sites, and most that hold one of IPv4."""
_NOT_CALLED: Final = (
    ipaddress.IPv4Network(
        "192.0.0.0/24"
    ),  # not hosts of the internet; a cloud tells its machines secrets there
    ipaddress.IPv4Network(
        "168.63.129.16/32"
    ),  # another cloud does so at this address, which looks like a public one
    ipaddress.IPv4Network("192.88.99.0/24"),  # routers into 6to4
    ipaddress.IPv6Network("2002::/16"),  # these two hold an IPv4 address that some router on the way unpacks
    ipaddress.IPv6Network("2001::/32"),
)

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class UnusableAddress(ValueError):
    """Its text says why the address cannot be called."""


def base_url_of(text: str, *, allow_http: bool) -> str:
    """Return the base URL without a slash at its end. Raises UnusableAddress."""
    if len(text) > LONGEST_URL or _FORBIDDEN.search(text):
        raise UnusableAddress("has a character that a base URL cannot have, or is too long")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise UnusableAddress("is no URL") from None
    if url.scheme not in ({"https", "http"} if allow_http else {"https"}):
        raise UnusableAddress("must begin with https://")
    if not url.host or not 0 < (url.port or 443) < 65_536:
        raise UnusableAddress("names no host, or no port")
    if "@" in text:
        raise UnusableAddress("must not hold a user or a password")
    return text.rstrip("/")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the internet, not of a private network or of this machine."""
    found: IPAddress = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _NOT_CALLED)


async def resolve(host: str, port: int | None, party: str) -> Sequence[str]:
    """Return the IP addresses of a host, in the system's order. Raises OSError."""
    share = _shares.setdefault(party, asyncio.Semaphore(_LOOKUPS_OF_ONE))
    await share.acquire()
    looking = _LOOKING_UP.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    looking.add_done_callback(partial(_give_back, asyncio.get_running_loop(), share))
    found = await asyncio.wrap_future(looking)
    return list(dict.fromkeys(str(place[0]) for _, _, _, _, place in found))


def _give_back(loop: asyncio.AbstractEventLoop, share: asyncio.Semaphore, _: object) -> None:
    with suppress(RuntimeError):  # the process is ending, and the loop is closed
        loop.call_soon_threadsafe(share.release)


async def public_addresses(system: System, host: str, port: int | None, party: str) -> Sequence[str]:
    """Return a host's addresses. Raises AddressRefused when any is not public, OSError when there is none."""
    found = await resolve(host, port, party)
    if not all(map(is_public, found)):
        raise AddressRefused(system, "leads into a network that is not public")
    return found


class PublicOnly(httpx.AsyncBaseTransport):
    """Calls public addresses only, each request on a connection of its own.

    Connections are not kept: one that was verified for a name must not carry the request for another name that
    has the same IP address.
    """

    def __init__(
        self,
        system: System,
        inner: httpx.AsyncBaseTransport | None = None,
        *,
        ca_file: Path | None = None,
    ) -> None:
        self._system: System = system
        self._inner = inner or AiohttpTransport(verify=trusted_authorities(ca_file), keep_alive=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        try:
            party = request.extensions.get(PARTY) or host
            addresses = await public_addresses(self._system, host, request.url.port, party)
        except (OSError, UnicodeError):
            raise httpx.ConnectError("the name is not known", request=request) from None
        failure: httpx.TransportError | None = None
        for address in addresses[:_TRIED_AT_MOST]:
            try:
                return await self._inner.handle_async_request(_to(address, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
                failure = fault
        raise failure or httpx.ConnectError("the name has no address", request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _to(address: str, request: httpx.Request) -> httpx.Request:
    """Return the request with the address in place of the name; `Host` and the certificate stay the name's."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
