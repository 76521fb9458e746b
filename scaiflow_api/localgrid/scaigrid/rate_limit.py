"""ScaiGrid's rate limit: so many requests of a credential in any 60 seconds. Off unless somebody asks for it."""

import hashlib
import math
from collections import deque
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scaiflow_api.kit.clock import Clock

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a credential stands after a request."""

    limit: int
    remaining: int
    reset: int
    """When the oldest request that counts counts no more, in seconds since 1970."""
    retry_after_s: int | None
    """None: the request is within the limit."""

    def headers(self) -> dict[str, str]:
        standing = {
            "X-Scaigrid-Ratelimit-Limit": str(self.limit),
            "X-Scaigrid-Ratelimit-Remaining": str(self.remaining),
            "X-Scaigrid-Ratelimit-Reset": str(self.reset),
        }
        return (
            standing if self.retry_after_s is None else {**standing, "Retry-After": str(self.retry_after_s)}
        )


class RateLimit:
    """Counts requests by credential in a sliding window. What it refuses does not count."""

    def __init__(self, clock: Clock, per_minute: int | None) -> None:
        self._clock = clock
        self._configured = per_minute
        self._per_minute = per_minute
        self._counted: dict[bytes, deque[float]] = {}

    def set(self, per_minute: int | None) -> None:
        """Allow so many requests from now on, None: any number."""
        self._per_minute = per_minute
        self._counted.clear()

    def reset(self) -> None:
        """Go back to what the configuration says."""
        self.set(self._configured)

    def count(self, credential: str) -> Standing | None:
        """Count a request; None: there is no limit."""
        limit = self._per_minute
        if limit is None:
            return None
        now = self._clock.now().timestamp()
        self._forget(now)
        # A log of this process, or a dump of its memory, shall hold no credentials.
        counted = self._counted.setdefault(hashlib.sha256(credential.encode()).digest(), deque())
        is_within = len(counted) < limit
        if is_within:
            counted.append(now)
        reset = counted[0] + WINDOW_S if counted else now + WINDOW_S
        return Standing(
            limit=limit,
            remaining=limit - len(counted),
            reset=math.ceil(reset),
            retry_after_s=None if is_within else max(math.ceil(reset - now), 1),
        )

    def _forget(self, now: float) -> None:
        for key, counted in list(self._counted.items()):
            while counted and counted[0] <= now - WINDOW_S:
                counted.popleft()
            if not counted:
                del self._counted[key]


class RateLimitMiddleware:
    """Answers 429 above the limit, and tells everybody how they stand."""

    def __init__(self, app: ASGIApp, limit: RateLimit, prefix: str) -> None:
        self._app = app
        self._limit = limit
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_limited = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        credential = Headers(scope=scope).get("authorization", "") if is_limited else ""
        standing = self._limit.count(credential) if is_limited else None
        if standing is None:
            await self._app(scope, receive, send)
            return
        if standing.retry_after_s is not None:
            await _refusal(standing, scope["state"]["request_id"])(scope, receive, send)
            return
        headers = standing.headers()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, told)


def _refusal(standing: Standing, request_id: str) -> JSONResponse:
    error = {
        "code": "RATE_LIMITED",
        "message": f"More than {standing.limit} requests in {WINDOW_S:g} s.",
        "retry_after": standing.retry_after_s,
    }
    body = {"status": "error", "error": error, "meta": {"request_id": request_id}}
    return JSONResponse(body, status_code=429, headers=standing.headers())
