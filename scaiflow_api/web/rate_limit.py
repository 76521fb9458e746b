"""A limit on what anybody may call without a token, by the address that it comes from."""

import math
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request

from scaiflow_api.kit.errors import AppError
from scaiflow_api.web.deps import ResourcesDep

_ONE_SITE = 64
"""Bits of an IPv6 address that a site is given; the rest its machines choose, as many as they like."""


class TooManyRequests(AppError):
    """The address asked too often. `retry_after_s` is also the header `Retry-After`."""

    status, error = 429, "too_many_requests"
    template = "Too many sign-ins come from your address."
    fix = "Try again in {retry_after_s} seconds."

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_s)}, retry_after_s=retry_after_s)


async def sign_in_turn(request: Request, resources: ResourcesDep) -> None:
    """Let an address sign in as often as the settings allow. Raises TooManyRequests."""
    rate = resources.sign_in_rate
    if rate is None:
        return
    wait_s = await rate.take(_site(request.client.host if request.client else ""))
    if wait_s > 0:
        raise TooManyRequests(retry_after_s=math.ceil(wait_s))


def _site(host: str) -> str:
    """Return what is counted together: an IPv4 address, or the network of an IPv6 one."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((address, _ONE_SITE), strict=False))
        address = address.ipv4_mapped
    return str(address)
