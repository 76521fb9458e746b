"""Waiting where ScaiGrid limits the rate of requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from pydantic import SecretStr

from scaiflow_api.upstreams.failures import UpstreamBusy, UpstreamError

T = TypeVar("T")
P = ParamSpec("P")
_UNTOLD_S = 1.0


def _nobody(_: float) -> None:
    """Hear of no wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long one call may be repeated while it is answered 429."""

    limit_s: float = 0.0
    told: Callable[[float], None] = _nobody
    """Told of each wait, in seconds, before it."""


IMPATIENT = Patience()


async def patiently(call: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Return what a call returns, repeating it while it is answered 429 and patience lasts.

    A call that was answered 429 has done nothing, so any call may be repeated. Raises what the call raises.
    """
    until = time.monotonic() + patience.limit_s
    while True:
        try:
            return await call()
        except UpstreamBusy as busy:
            wait_s = asked_to_wait_s(busy) or _UNTOLD_S
            if time.monotonic() + wait_s > until:
                raise
            patience.told(wait_s)
            await asyncio.sleep(wait_s)


@dataclass(frozen=True, slots=True)
class PatientCaller:
    """Calls methods of clients with one credential, each `patiently`."""

    credential: SecretStr
    patience: Patience

    async def __call__(
        self, method: Callable[Concatenate[SecretStr, P], Awaitable[T]], *args: P.args, **named: P.kwargs
    ) -> T:
        """Return what the method returns for the credential and the arguments. Raises what it raises."""
        return await patiently(lambda: method(self.credential, *args, **named), self.patience)


def asked_to_wait_s(failure: UpstreamError) -> float:
    """Return the seconds of a `Retry-After`, 0 where there is none."""
    asked = failure.headers.get("Retry-After", "") if isinstance(failure, UpstreamBusy) else ""
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 0.0
