"""Waiting where ScaiGrid limits the rate of requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError

T = TypeVar("T")
_UNTOLD_S = 1.0


async def patiently(call: Callable[[], Awaitable[T]], limit_s: float) -> T:
    """Return what a call returns, repeating it for up to `limit_s` seconds while it is answered 429.

    A call that was answered 429 has done nothing, so any call may be repeated. Raises what the call raises.
    """
    until = time.monotonic() + limit_s
    while True:
        try:
            return await call()
        except UpstreamBusy as busy:
            wait_s = asked_to_wait_s(busy) or _UNTOLD_S
            if time.monotonic() + wait_s > until:
                raise
            await asyncio.sleep(wait_s)


def asked_to_wait_s(failure: UpstreamError) -> float:
    """Return the seconds of a `Retry-After`, 0 where there is none."""
    asked = failure.headers.get("Retry-After", "") if isinstance(failure, UpstreamBusy) else ""
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 0.0
