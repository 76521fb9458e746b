"""What all clients share: one deadline, careful repetition, bounded answers, and errors without secrets."""

import asyncio
import random
import time
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Self
from urllib.parse import urlsplit

import httpx
import structlog

from scaiflow_api.kit.metrics import UPSTREAM_CALLS, timed
from scaiflow_api.kit.tracing import SpanKind, span
from scaiflow_api.upstreams.answers import Answer, failure_of
from scaiflow_api.upstreams.breaker import Breakers, Passage, Road
from scaiflow_api.upstreams.calls import Call, described, request_of
from scaiflow_api.upstreams.failures import (
    System,
    UpstreamBusy,
    UpstreamCrowded,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamTimedOut,
    UpstreamUnavailable,
    UpstreamUnreachable,
)

log = structlog.get_logger(__name__)

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_PASSING = frozenset({502, 503, 504})
_UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout)
_NEVER_SENT = (*_UNREACHABLE, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a client is."""

    deadline_s: float = 10.0
    """For all attempts of a call together."""
    max_bytes: int = 1024 * 1024
    attempts: int = 3
    base_delay_s: float = 0.1
    max_delay_s: float = 1.0


class Upstream:
    """Base of the clients."""

    system: ClassVar[System]

    def __init__(
        self,
        http: httpx.AsyncBaseTransport,
        base_url: str,
        policy: Policy,
        *,
        breakers: Breakers | None = None,
        party: str | None = None,
    ) -> None:
        """Make a client. `party` is whose calls it makes: a tenant's, or None for this service's own."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._policy = policy
        self._breakers = breakers or Breakers()
        self._party = party
        self._road = Road(self.system, origin_of(base_url), party)

    def on_behalf_of(self, party: str) -> Self:
        """Return a client that makes a tenant's calls: their failures are counted apart from everybody else's."""
        theirs = copy(self)
        theirs._party, theirs._road = party, replace(self._road, party=party)
        return theirs

    async def send(self, call: Call) -> Answer:
        """Return a successful answer. Raises UpstreamError for anything else, at once while it is left alone.

        A call is repeated only when that cannot do its work twice: the method is repeatable, or nothing was sent.
        """
        with (
            timed(UPSTREAM_CALLS, system=self.system),
            span(f"{self.system} {call.method}", SpanKind.CLIENT, **described(call.method, call.url)),
        ):
            return await self._answer(call)

    async def _answer(self, call: Call) -> Answer:
        deadline = call.deadline_s or self._policy.deadline_s
        started = time.monotonic()
        passage = self._breakers.enter(self._road)
        try:
            try:
                answer = await self._in_time(call, deadline)
            except BaseException as caught:
                self._report(passage, call, caught)
                raise
            self._breakers.succeeded(passage)
        except UpstreamError as caught:
            failure = caught
        else:
            return answer
        log.warning(
            "upstream call failed",
            system=self.system,
            method=call.method,
            path=urlsplit(call.url).path,
            failure=type(failure).__name__,
            status=failure.status,
            code=failure.code,
            cause=failure.cause if isinstance(failure, UpstreamUnreachable) else None,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )
        raise failure

    def _report(self, passage: Passage, call: Call, ended: BaseException) -> None:
        """Tell the breakers what the end of a call says of the upstream."""
        match ended:
            case UpstreamRejected() | UpstreamBusy():
                self._breakers.succeeded(passage)
            case UpstreamUnreachable():
                self._breakers.failed(passage)
            case UpstreamTimedOut() | UpstreamUnavailable() if call.blames_upstream and not isinstance(
                ended, UpstreamCrowded
            ):
                self._breakers.failed(passage)
            case _:  # cancelled, our own congestion, or nonsense, which comes quickly
                self._breakers.left(passage)

    async def _in_time(self, call: Call, deadline: float) -> Answer:
        try:
            async with asyncio.timeout(deadline):
                return await self._attempt(call, deadline)
        except TimeoutError:
            raise UpstreamTimedOut(self.system, after_s=deadline) from None

    async def _attempt(self, call: Call, deadline: float) -> Answer:
        policy, repeatable = self._policy, call.method in _REPEATABLE
        for attempt in range(1, policy.attempts + 1):
            last = attempt == policy.attempts
            try:
                status, headers, content = await self._once(call)
            except httpx.ReadTimeout:
                if last or not repeatable:
                    raise UpstreamTimedOut(self.system, after_s=deadline) from None
            except httpx.TransportError as fault:
                if last or not (repeatable or isinstance(fault, _NEVER_SENT)):
                    raise self._unavailable(fault) from None
            else:
                if last or not repeatable or status not in _PASSING:
                    if 200 <= status < 300:
                        return Answer(self.system, status, content)
                    sent = [secret for secret in (call.bearer, call.secret) if secret is not None]
                    raise failure_of(self.system, status, headers, content, needs=call.needs, sent=sent)
            delay = min(policy.max_delay_s, policy.base_delay_s * 2**attempt)
            await asyncio.sleep(random.uniform(0, delay))  # noqa: S311 - spreads retries, protects nothing
        raise AssertionError("the last attempt returns or raises")

    def _unavailable(self, fault: httpx.TransportError) -> UpstreamUnavailable:
        if isinstance(fault, _UNREACHABLE):
            return UpstreamUnreachable(self.system, cause=_why(fault))
        if isinstance(fault, httpx.PoolTimeout):
            return UpstreamCrowded(self.system)
        return UpstreamUnavailable(self.system)

    async def _once(self, call: Call) -> tuple[int, httpx.Headers, bytes]:
        response = await self._http.handle_async_request(request_of(call, self._party))
        content = bytearray()
        try:
            status, most = response.status_code, self._policy.max_bytes
            # Nobody was asked to compress: what unpacks to more than the bound is not unpacked.
            if (
                _announced(response) > most
                or response.headers.get("Content-Encoding", "identity") != "identity"
            ):
                raise UpstreamNonsense(self.system, status=status)
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for chunk in response.stream:
                content += chunk
                if len(content) > most:
                    raise UpstreamNonsense(self.system, status=status)
        finally:
            await response.aclose()
        return status, response.headers, bytes(content)


def origin_of(base_url: str) -> str:
    """Return the `https://host:port` of an address."""
    return "/".join(base_url.split("/")[:3]).lower()


def _why(fault: BaseException) -> str:
    """Return what the system, or its TLS, said of a connection that did not come about: neither quotes a request."""
    told: BaseException | None = fault
    seen: set[int] = set()
    while told is not None and id(told) not in seen:  # an error that is raised again may be its own context
        if isinstance(told, OSError) and told.strerror:
            return told.strerror
        seen.add(id(told))
        told = told.__cause__ or told.__context__
    return type(fault).__name__


def _announced(response: httpx.Response) -> int:
    """Return how long the body says it is; 0 where it does not."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0
