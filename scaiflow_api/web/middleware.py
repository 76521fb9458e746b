"""What wraps every request. Plain ASGI: Starlette's base class for middleware costs two thirds of the speed."""

import time
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.loopback import names_this_machine
from scaiflow_api.kit.metrics import REQUESTS
from scaiflow_api.web.context import traced
from scaiflow_api.web.errors import (
    BodyTooLarge,
    InternalError,
    MalformedRequest,
    MisdirectedRequest,
    Refused,
    UnsupportedMediaType,
    answer,
)

log = structlog.get_logger(__name__)


class RequestContext:
    """Gives each request its ids, logs and times it once. The outermost: every response carries `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        with (
            traced(scope) as ids,
            structlog.contextvars.bound_contextvars(request_id=ids.request_id, trace_id=ids.trace_id),
        ):

            async def send_marked(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    headers = MutableHeaders(scope=message)
                    if status == HTTPStatus.NO_CONTENT:
                        del headers["Content-Type"]  # FastAPI names the type of the body that there is not
                    headers["X-Request-Id"] = ids.request_id
                    headers["X-Content-Type-Options"] = "nosniff"
                await send(message)

            try:
                await self._app(scope, receive, send_marked)
            finally:
                took_s = time.perf_counter() - started
                _measure(scope, status, took_s)
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round(took_s * 1000, 2),
                )


def _measure(scope: Scope, status: int, took_s: float) -> None:
    """Time a request under its route's pattern: a path holds ids, and anybody can make up others, also methods."""
    route = scope.get("route")
    pattern = getattr(route, "path_format", "none")
    taken = route is not None and status != HTTPStatus.METHOD_NOT_ALLOWED
    method = scope["method"] if taken else "any"
    REQUESTS.labels(method, pattern, f"{status // 100}xx" if status else "none").observe(took_s)


class HeadAsGet:
    """Answers HEAD as GET; the server leaves the body out. The innermost: all the others see what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        with anyio.CancelScope() as answering:

            async def send_head(message: Message) -> None:
                if message["type"] == "http.response.body" and message.get("more_body"):
                    await send({"type": "http.response.body"})
                    answering.cancel()  # a stream may have no end, and nobody reads it
                    await anyio.lowlevel.checkpoint()  # here: what has its parts ready waits for nothing else
                else:
                    await send(message)

            await self._app(asked, receive, send_head)
        if "route" in asked:
            scope["route"] = asked["route"]


class BugGuard:
    """Turns an exception that nobody expected into the documented 500. Inside of CORS, whose headers it needs too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            log.exception("unhandled error", exc_info=error, method=scope["method"], path=scope["path"])
            if begun:
                raise  # half an answer is out; the server must cut the connection
            await answer(scope, InternalError())(scope, receive, send)


class RequestGuard:
    """Refuses what no route could take: a body too large or not declared as JSON, an address that holds a NUL."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await answer(scope, refusal)(scope, receive, send)
            return
        read = 0

        async def receive_counted() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._limit:
                    raise Refused(BodyTooLarge(limit_bytes=self._limit))
            return message

        await self._app(scope, receive_counted, send)

    def _refusal(self, scope: Scope) -> AppError | None:
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            return MalformedRequest()  # databases take no such text
        headers = Headers(scope=scope)
        announced = headers.get("content-length")
        if announced == "0" or (announced is None and "transfer-encoding" not in headers):
            return None
        if announced is not None and (not announced.isdigit() or int(announced) > self._limit):
            return BodyTooLarge(limit_bytes=self._limit)
        declared = headers.get("content-type", "").split(";")[0].strip().lower()
        return None if declared == "application/json" else UnsupportedMediaType()


class LoopbackOnly:
    """Serves only requests addressed to this machine: the guard of a process that asks for no token.

    Without it a page of a foreign site could reach the process under a name that resolves to 127.0.0.1; and, as no
    browser asks before it opens a socket, under its own name.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and not names_this_machine(Headers(scope=scope).getlist("host")):
            await answer(scope, MisdirectedRequest())(scope, receive, send)
        elif kind == "websocket" and not self._may_open(Headers(scope=scope)):
            await WebSocketClose()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_open(self, headers: Headers) -> bool:
        if not names_this_machine(headers.getlist("host")):
            return False
        return all(
            origin in self._origins or names_this_machine([urlsplit(origin).netloc])
            for origin in headers.getlist("origin")
        )
