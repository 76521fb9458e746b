"""A switch for tests of the grid's clients: chosen routes fail, answer late or answer nonsense.

Kept in memory only, and there only when the configuration asks for it.
"""

import asyncio
import re
from dataclasses import dataclass

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaigrid.rate_limit import RateLimit

_PATH = "/_faults"
_CONNECTION_HEADERS = {"content-length", "transfer-encoding", "connection"}


class Fault(BaseModel):
    """What goes wrong. With neither `status` nor `body` the route answers properly, only late."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    prefix: str = Field(pattern="^/", max_length=512)
    """Beginning of the path; `*` stands for one segment."""
    method: str | None = Field(default=None, pattern="^[A-Z]{1,16}$")
    status: int | None = Field(default=None, ge=200, le=599)
    delay_s: float = Field(default=0.0, ge=0, le=300, allow_inf_nan=False)
    body: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    times: int | None = Field(default=None, ge=1)
    """How many requests it befalls; None: all."""

    def befalls(self, method: str, path: str) -> bool:
        pattern = "[^/]*".join(map(re.escape, self.prefix.split("*")))
        return self.method in {None, method} and re.match(pattern, path) is not None


@dataclass(slots=True)
class _Armed:
    fault: Fault
    left: int | None


class RateLimitRequest(BaseModel):
    """How many requests to ScaiGrid a credential has in 60 seconds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    per_minute: int | None = Field(ge=1, le=1_000_000)
    """None: any number."""


class Faults:
    """The faults that are switched on, newest first."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on, in place of an earlier one of the same prefix and method."""
        kept = [a for a in self._armed if (a.fault.prefix, a.fault.method) != (fault.prefix, fault.method)]
        self._armed = [_Armed(fault, fault.times), *kept]

    def clear(self) -> None:
        self._armed = []

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault of a request and count it."""
        armed = next((a for a in self._armed if a.fault.befalls(method, path)), None)
        if armed is None:
            return None
        if armed.left is not None:
            armed.left -= 1
            if armed.left == 0:
                self._armed.remove(armed)
        return armed.fault


class FaultMiddleware:
    """Lets faults befall every route but the switch itself."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_switch = scope["type"] != "http" or scope["path"].startswith(_PATH)
        fault = None if is_switch else self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay_s)
        if fault.status is None and fault.body is None:
            await self._app(scope, receive, send)
            return
        headers = {k: v for k, v in fault.headers.items() if k.lower() not in _CONNECTION_HEADERS}
        body = fault.body or ""
        media_type = "text/html" if body.lstrip().startswith("<") else "application/json"
        await Response(body, fault.status or 200, headers, media_type)(scope, receive, send)


def switch(faults: Faults, limit: RateLimit) -> APIRouter:
    """Return the routes that turn faults on and off."""
    router = APIRouter(prefix=_PATH)

    @router.put("", status_code=204)
    async def switch_on(fault: Fault) -> None:
        faults.add(fault)

    @router.delete("", status_code=204)
    async def switch_off() -> None:
        faults.clear()
        limit.reset()

    @router.put("/rate-limit", status_code=204)
    async def limit_rate(wanted: RateLimitRequest) -> None:
        limit.set(wanted.per_minute)

    @router.post("/rotate-keys")
    async def rotate_keys(grid: GridDep, forget_old: bool = Query(default=False)) -> dict[str, str]:
        """Let ScaiKey sign with a new key; `forget_old` also ends all tokens of the old ones."""
        return {"kid": await grid.keys.rotate(forget_old=forget_old)}

    return router
