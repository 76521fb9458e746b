"""One thing to ask of an upstream, and the request that it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from scaiflow_api import __version__
from scaiflow_api.kit.tracing import outgoing
from scaiflow_api.upstreams.connections import CONNECT_TIMEOUT_S
from scaiflow_api.upstreams.fair_transport import PARTY

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""They say how long their body is also where it is empty."""
_UNTIL_CONNECTED = {"connect": CONNECT_TIMEOUT_S}
"""Reading and writing have the time of the whole call."""
_HEADERS = {
    "Accept": "application/json",
    # The size of an answer is bounded while it is read, so it may not arrive compressed.
    "Accept-Encoding": "identity",
    "User-Agent": f"scaiflow/{__version__}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One thing to ask of an upstream."""

    method: str
    url: str
    bearer: SecretStr | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    deadline_s: float | None = None
    """Instead of the policy's."""
    needs: str | None = None
    """The permission it needs over there, to be named when it is refused."""
    secret: SecretStr | None = None
    """What `content` holds and no error may repeat, beside `bearer`."""
    blames_upstream: bool = True
    """False: a 5xx, or that it takes too long, may come of what somebody sent, and says nothing of the upstream."""


def segment(value: str) -> str:
    """Quote an id for use as one path segment. Raises ValueError where that cannot be done."""
    if value in {"", ".", ".."}:
        raise ValueError("not an id")
    return quote(value, safe="")


def request_of(call: Call, party: str | None) -> httpx.Request:
    """Return what is sent, for whom. Raises httpx.LocalProtocolError where a key or an address cannot be."""
    try:
        return _written(call, party)
    except (UnicodeError, httpx.InvalidURL):  # their texts may quote it
        raise httpx.LocalProtocolError("a header or an address that cannot be sent") from None


def _written(call: Call, party: str | None) -> httpx.Request:
    content, address = call.content or b"", _address(call.url, tuple(call.params.items()))
    # No other frame sees these headers; those of a request can be printed, and show no token. All are named here:
    # where httpx adds some, it makes them all anew.
    headers = {"Host": address.host, **_HEADERS, **outgoing()}
    if call.content is not None:
        headers["Content-Type"] = call.content_type
    if content or call.method in _WITH_BODY:
        headers["Content-Length"] = str(len(content))
    if call.bearer is not None:
        headers["Authorization"] = f"Bearer {call.bearer.get_secret_value()}"
    return httpx.Request(
        call.method,
        address.url,
        headers=headers,
        stream=httpx.ByteStream(content),
        extensions={PARTY: party, "timeout": _UNTIL_CONNECTED},
    )


class _Address(NamedTuple):
    url: httpx.URL
    host: str
    """What the header `Host` says."""


@lru_cache(1024)
def _address(url: str, params: tuple[tuple[str, str | int], ...]) -> _Address:
    """Read an address, which takes longer than making all else of a request; the same ones come again and again."""
    read = httpx.URL(url, params=dict(params)) if params else httpx.URL(url)
    return _Address(read, read.netloc.decode())


@lru_cache(1024)
def described(method: str, url: str) -> dict[str, str]:
    """Return what a span says of a request."""
    parts = urlsplit(url)
    return {"http.request.method": method, "server.address": parts.hostname or "", "url.path": parts.path}
