"""Connections to upstreams: one transport for each system, which authorities are trusted, and for how long to try."""

import ssl
from functools import cache
from pathlib import Path

import httpx

from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.aiohttp_transport import AiohttpTransport
from scaiflow_api.upstreams.fair_transport import FairTransport

CONNECT_TIMEOUT_S = 2.0


def open_transport(
    settings: ScaiGridSettings, inner: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncBaseTransport:
    """Return what carries requests to one system; it is closed by leaving it as a context manager.

    Clients ask a transport, not an `httpx.AsyncClient`, which keeps cookies: those of one caller's answer would go
    with the next caller's request. Nor does a transport follow a redirect, with a token, or take a proxy or a
    password from the environment. Of its connections each tenant has a share.
    """
    inner = inner or AiohttpTransport(verify=trusted_authorities(settings.ca_file))
    return FairTransport(
        inner,
        most=settings.connections,
        most_of_one=settings.connections_per_tenant,
        patience_s=CONNECT_TIMEOUT_S,
    )


@cache
def trusted_authorities(more: Path | None) -> ssl.SSLContext:
    """Read the certificate authorities once for all clients; that takes longer than the rest of a client.

    They are the public ones and those in the file `more`.
    """
    authorities = httpx.create_ssl_context(trust_env=False)
    if more is not None:
        authorities.load_verify_locations(more)
    return authorities
